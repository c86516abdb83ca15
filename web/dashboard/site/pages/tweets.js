// The tracked tweets: searched, filtered, ordered, a page at a time.

import { call, explain } from "../api.js";
import { ago, setClock } from "../clock.js";
import { address, choice, drawPager, field, select, zoneOptions } from "../controls.js";
import { empty, fill, h, said, write } from "../dom.js";
import { compact, count, decimal, plural, tierName } from "../format.js";
import { live } from "../live.js";
import { savedFilters } from "../saved.js";
import { heading } from "../sorted.js";
import { sparkline } from "../spark.js";

const page = "#/tweets";
const pageSize = 50;
const readEvery = 15_000; // ms; in between the numbers in view are kept fresh by events

/** @type {[string, string][]} */
const orders = [["velocity", "Fastest now"], ["engagement", "Most engagement"], ["views", "Most views"], ["posted", "Newest"], ["updated", "Last looked up"]];
const tiers = ["ultra_hot", "hot", "warm", "cold"];

/** @param {import("../app.js").Visit} v */
export async function showTweets(v) {
  const asked = new URLSearchParams(v.query);
  /** @type {Map<string, Line>} */
  const lines = new Map();
  const body = h("tbody", {});
  const list = h("div", {});
  const pager = h("nav", { class: "pager", "aria-label": "Pages of the list" });
  const found = h("p", { class: "muted", role: "status" });
  const table = h("div", { class: "card flush" }, h("table", { class: "tweets rows" },
    h("thead", {}, h("tr", {}, sorts(asked, "posted", "posted", { before: "Tweet" }), h("th", { scope: "col" }, "Tier"), sorts(asked, "velocity", "Per hour", { class: "right" }),
      sorts(asked, "engagement", "Engagement", { class: "right" }), sorts(asked, "views", "Views", { class: "right" }), h("th", { scope: "col" }, "Curve"), sorts(asked, "updated", "Updated"))),
    body));

  const read = async () => {
    const query = new URLSearchParams(asked);
    query.set("limit", String(pageSize));
    const answer = await call(`/api/twitter/tweets?${query}`, { signal: v.ended });
    if (v.ended.aborted) return;
    setClock(answer.clock);
    draw(answer);
  };

  /** @param {any} answer */
  const draw = (answer) => {
    if (answer.data.length === 0) {
      const narrowed = ["q", "zone", "tier", "offset"].some((n) => asked.get(n));
      fill(list, h("div", { class: "card" }, narrowed
        ? empty("No tweets match", "Try other words, zones or tiers.")
        : empty("Nothing is tracked yet", "Tweets appear here when they are collected, or by “gorgone track”.")));
      found.textContent = "";
      fill(pager);
      lines.clear();
      return;
    }
    if (!table.isConnected) fill(list, table);
    for (const id of lines.keys()) {
      if (!answer.data.some((/** @type {any} */ t) => t.id === id)) lines.delete(id);
    }
    const rows = answer.data.map((/** @type {any} */ t) => {
      const line = lines.get(t.id) ?? newLine(t);
      line.show(t);
      line.curve(t.curve);
      lines.set(t.id, line);
      return line.row;
    });
    // Moving rows would take the focus from one that has it.
    const same = rows.length === body.children.length && rows.every((/** @type {any} */ r) => body.contains(r));
    if (!(same && body.contains(document.activeElement))) fill(body, ...rows);
    const from = answer.offset + 1;
    found.textContent = `${count(from)}–${count(answer.offset + rows.length)} of ${plural(answer.total, "tweet")}`;
    drawPager(pager, page, asked, pageSize, answer.total);
  };

  fill(v.root, h("h1", {}, "Tweets"), filters(v, asked), savedFilters(v.me, page, asked), h("div", { class: "list-head" }, found), list, pager);
  await read();
  const again = () => (document.hidden ? undefined : read().catch((err) => (v.ended.aborted ? undefined : (found.textContent = explain(err)))));
  const timer = setInterval(again, readEvery);
  const offs = [
    live.on("update", (batch) => batch.tweets.forEach((/** @type {any} */ t) => lines.get(t.id)?.show(t))),
    live.on("reset", again),
  ];
  v.ended.addEventListener("abort", () => {
    clearInterval(timer);
    offs.forEach((off) => off());
  });
}

/**
 * A header that has the server sort the list, the most first, and turns the order round
 * when it is followed again.
 * @param {URLSearchParams} asked
 * @param {string} by
 * @param {string} name
 * @param {{class?: string, before?: string}} [o]
 */
function sorts(asked, by, name, o = {}) {
  const now = (asked.get("by") ?? orders[0][0]) === by;
  const order = !now ? null : asked.get("order") === "asc" ? "asc" : "desc";
  return heading({ ...o, key: by, name, order, href: address(page, asked, { by, order: order === "desc" ? "asc" : "" }) });
}

/**
 * @param {import("../app.js").Visit} v
 * @param {URLSearchParams} asked
 */
function filters(v, asked) {
  const search = h("input", { type: "search", name: "q", value: asked.get("q") ?? "", placeholder: "Words or a tweet’s id", maxlength: 200, "aria-label": "Search" });
  return h("form", {
    class: "filters", role: "search", onsubmit: (/** @type {Event} */ e) => {
      e.preventDefault();
      location.hash = address(page, asked, { q: search.value.trim() });
    },
  },
  h("div", { class: "search" }, search, h("button", { class: "button", type: "submit" }, "Search")),
  choice(page, asked, "zone", "Zone", zoneOptions(v.me)),
  choice(page, asked, "tier", "Tier", [["", "All tiers"], ...tiers.map((t) => /** @type {[string, string]} */ ([t, tierName(t)]))]),
  field("Order", select("by", orders, asked.get("by") ?? orders[0][0], (e) => (location.hash = address(page, asked, { by: e.target.value, order: "" })))));
}

/** @typedef {{row: HTMLElement, show: (t: any) => void, curve: (points: any[]) => void}} Line */

/**
 * @param {any} t
 * @returns {Line}
 */
function newLine(t) {
  const tier = h("span", {});
  const velocity = h("span", {});
  const total = h("span", {});
  const views = h("span", {});
  const updated = h("span", {});
  const curve = h("td", { class: "cell-curve" });
  const row = h("tr", { "data-tweet": t.id },
    h("td", { class: "cell-text" }, said(t.text.trim() || `Tweet ${t.tweet_id}`, { href: `#/tweets/${t.id}`, class: "tweet-link" }),
      h("span", { class: "muted small one-line" }, "posted ", ago(t.twitter_created_at), " · ", t.zone_name)),
    h("td", { class: "cell-tier" }, tier),
    h("td", { class: "right", "data-label": "Per hour" }, velocity),
    h("td", { class: "right", "data-label": "Engagement" }, total),
    h("td", { class: "right", "data-label": "Views" }, views),
    curve,
    h("td", { class: "cell-updated", "data-label": "Updated" }, updated));
  return {
    row,
    show(now) {
      tier.className = `tier ${now.tier}`;
      tier.textContent = tierName(now.tier);
      if (now.engagement_velocity !== null || velocity.textContent === "") write(velocity, now.engagement_velocity === null ? "–" : decimal(now.engagement_velocity, now.engagement_velocity < 10 ? 1 : 0));
      write(total, count(now.metrics.total_engagement));
      write(views, compact(now.metrics.view_count));
      fill(updated, ago(now.last_updated, { never: "not yet" }));
    },
    curve: (points) => void fill(curve, sparkline(points)),
  };
}
