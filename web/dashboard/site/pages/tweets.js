// The tracked tweets: searched, filtered, ordered, a page at a time.

import { call, explain } from "../api.js";
import { ago, setClock } from "../clock.js";
import { empty, fill, h, write } from "../dom.js";
import { compact, count, decimal, tierName } from "../format.js";
import { live } from "../live.js";
import { sparkline } from "../spark.js";

const pageSize = 50;
const readEvery = 15_000; // ms; in between the numbers in view are kept fresh by events

const orders = { velocity: "Fastest now", engagement: "Most engagement", posted: "Newest" };
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
  const table = h("div", { class: "card flush" }, h("table", { class: "tweets" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Tweet"), h("th", { scope: "col" }, "Tier"), h("th", { scope: "col", class: "right" }, "Per hour"),
      h("th", { scope: "col", class: "right" }, "Engagement"), h("th", { scope: "col", class: "right" }, "Views"), h("th", { scope: "col" }, "Curve"), h("th", { scope: "col" }, "Updated"))),
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
        ? empty("No tweet fits", "Try other words, another zone or another tier.")
        : empty("Nothing is tracked yet", "Tweets appear here when they are collected, or by “gorgone track”.")));
      found.textContent = "";
      fill(pager);
      lines.clear();
      return;
    }
    if (!table.isConnected) fill(list, table);
    for (const id of lines.keys()) {
      if (!answer.data.some((/** @type {any} */ t) => t.tweet_id === id)) lines.delete(id);
    }
    const rows = answer.data.map((/** @type {any} */ t) => {
      const line = lines.get(t.tweet_id) ?? newLine(t);
      line.show(t);
      line.curve(t.curve);
      lines.set(t.tweet_id, line);
      return line.row;
    });
    // Moving rows would take the focus from one that has it.
    const same = rows.length === body.children.length && rows.every((/** @type {any} */ r) => body.contains(r));
    if (!(same && body.contains(document.activeElement))) fill(body, ...rows);
    const from = answer.offset + 1;
    found.textContent = `${count(from)}–${count(answer.offset + rows.length)} of ${count(answer.matching)} tweets`;
    drawPager(pager, asked, answer.offset, answer.matching);
  };

  fill(v.root, h("h1", {}, "Tweets"), filters(v, asked), h("div", { class: "list-head" }, found), list, pager);
  await read();
  const again = () => (document.hidden ? undefined : read().catch((err) => (v.ended.aborted ? undefined : (found.textContent = explain(err)))));
  const timer = setInterval(again, readEvery);
  const offs = [
    live.on("update", (batch) => batch.tweets.forEach((/** @type {any} */ t) => lines.get(t.tweet_id)?.show(t))),
    live.on("reset", again),
  ];
  v.ended.addEventListener("abort", () => {
    clearInterval(timer);
    offs.forEach((off) => off());
  });
}

/**
 * The address of the list with something asked for differently, from its beginning.
 * @param {URLSearchParams} asked
 * @param {Record<string, string>} changes
 */
function address(asked, changes) {
  const query = new URLSearchParams(asked);
  query.delete("offset");
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  return text ? `#/tweets?${text}` : "#/tweets";
}

/**
 * @param {import("../app.js").Visit} v
 * @param {URLSearchParams} asked
 */
function filters(v, asked) {
  const search = h("input", { type: "search", name: "q", value: asked.get("q") ?? "", placeholder: "Words, or a tweet’s id", maxlength: 200, "aria-label": "Search" });
  /**
   * @param {string} name
   * @param {string} label
   * @param {[string, string][]} options
   */
  const select = (name, label, options) => h("label", {}, h("span", {}, label),
    h("select", { name, onchange: (/** @type {any} */ e) => (location.hash = address(asked, { [name]: e.target.value })) },
      ...options.map(([value, text]) => h("option", { value, selected: (asked.get(name) ?? options[0][0]) === value }, text))));
  return h("form", {
    class: "filters", role: "search", onsubmit: (/** @type {Event} */ e) => {
      e.preventDefault();
      location.hash = address(asked, { q: search.value.trim() });
    },
  },
  h("div", { class: "search" }, search, h("button", { class: "button", type: "submit" }, "Search")),
  select("zone", "Zone", [["", "All zones"], ...v.me.zones.map((z) => /** @type {[string, string]} */ ([z.id, z.name]))]),
  select("tier", "Tier", [["", "All tiers"], ...tiers.map((t) => /** @type {[string, string]} */ ([t, tierName(t)]))]),
  select("by", "Order", Object.entries(orders)));
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
  const row = h("tr", { "data-tweet": t.tweet_id },
    h("td", { class: "cell-text" }, h("a", { href: `#/tweets/${t.tweet_id}`, class: "tweet-link", dir: "auto" }, t.text.trim() || `Tweet ${t.twitter_tweet_id}`),
      h("span", { class: "muted small" }, t.zone_name, " · posted ", ago(t.twitter_created_at))),
    h("td", { class: "cell-tier" }, tier),
    h("td", { class: "right", "data-label": "Per hour" }, velocity),
    h("td", { class: "right", "data-label": "Engagement" }, total),
    h("td", { class: "right", "data-label": "Views" }, views),
    curve,
    h("td", { class: "cell-updated" }, updated));
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

/**
 * @param {HTMLElement} el
 * @param {URLSearchParams} asked
 * @param {number} offset
 * @param {number} matching
 */
function drawPager(el, asked, offset, matching) {
  const to = (/** @type {number} */ n) => {
    const query = new URLSearchParams(asked);
    if (n > 0) query.set("offset", String(n));
    else query.delete("offset");
    return `#/tweets?${query}`;
  };
  const last = Math.floor((matching - 1) / pageSize) * pageSize;
  if (last <= 0 && offset === 0) return void fill(el);
  /**
   * @param {string} text
   * @param {number} n
   * @param {boolean} usable
   */
  const link = (text, n, usable) => (usable ? h("a", { class: "button", href: to(n) }, text) : h("span", { class: "button off", "aria-disabled": "true" }, text));
  fill(el, link("First", 0, offset > 0), link("Previous", Math.max(offset - pageSize, 0), offset > 0),
    h("span", { class: "muted" }, `Page ${count(Math.floor(offset / pageSize) + 1)} of ${count(last / pageSize + 1)}`),
    link("Next", offset + pageSize, offset < last), link("Last", last, offset < last));
}
