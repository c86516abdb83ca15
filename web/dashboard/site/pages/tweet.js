// One tweet: its curves, how it moves, and a button that looks it up now.

import { ApiError, call, explain } from "../api.js";
import { Chart } from "../chart.js";
import { ago, clockSpeed } from "../clock.js";
import { empty, fill, h, toast, write } from "../dom.js";
import { change, compact, count, decimal, tierName, when } from "../format.js";
import { aheadOf } from "../forecast.js";
import { live } from "../live.js";

export const metrics = [
  { key: "like_count", counter: "likes", delta: "delta_likes", label: "Likes", colour: 1 },
  { key: "retweet_count", counter: "retweets", delta: "delta_retweets", label: "Retweets", colour: 2 },
  { key: "reply_count", counter: "replies", delta: "delta_replies", label: "Replies", colour: 3 },
  { key: "quote_count", counter: "quotes", delta: "delta_quotes", label: "Quotes", colour: 4 },
  { key: "bookmark_count", counter: "bookmarks", delta: "", label: "Bookmarks", colour: 5 },
  { key: "view_count", counter: "views", delta: "delta_views", label: "Views", colour: 6, right: true },
];

const shownPoints = 50; // in the table
const waitAtMost = 60_000; // ms for a refresh

/** @param {import("../app.js").Visit} v */
export async function showTweet(v) {
  const path = `/api/twitter/engagement/${v.id}`;
  /** @returns {Promise<any>} */
  const get = async () => (await call(path, { signal: v.ended })).data;
  let data;
  try {
    data = await get();
  } catch (err) {
    if (!(err instanceof ApiError) || err.status !== 404) throw err;
    fill(v.root, h("h1", {}, "Tweet"), h("div", { class: "card" }, empty("There is no such tweet", "It does not exist, or is in a zone that is not yours.", h("a", { class: "button", href: "#/tweets" }, "All tweets"))));
    return;
  }

  const view = frame(v, data);
  const show = (/** @type {any} */ now) => {
    data = now;
    view.show(now);
  };
  show(data);
  const again = async () => {
    const now = await get();
    if (!v.ended.aborted) show(now);
  };
  view.onRefresh(async () => {
    const message = await refresh(v);
    await again();
    return message;
  });

  let soon = 0;
  const readSoon = () => {
    clearTimeout(soon);
    soon = window.setTimeout(() => again().catch(() => {}), 300);
  };
  const offs = [
    live.on("update", (batch) => {
      const seen = batch.tweets.find((/** @type {any} */ t) => t.tweet_id === v.id);
      if (!seen) return;
      view.live(seen);
      readSoon();
    }),
    live.on("failure", (batch) => {
      const seen = batch.tweets.find((/** @type {any} */ t) => t.tweet_id === v.id);
      if (seen) toast(seen.outcome === "missing" ? "The provider did not return this tweet. It may be deleted." : `The last look failed: ${seen.reason || "no usable answer"}.`, "bad");
    }),
    live.on("reset", readSoon),
  ];
  v.ended.addEventListener("abort", () => {
    clearTimeout(soon);
    view.chart.destroy();
    view.speed.destroy();
    offs.forEach((off) => off());
  });
}

/**
 * Has the tweet looked up, and waits for the end of it.
 * @param {import("../app.js").Visit} v
 * @returns {Promise<string>} what to say
 */
async function refresh(v) {
  let next = `/api/twitter/tweets/${v.id}/refresh`;
  const until = Date.now() + waitAtMost;
  for (let method = "POST"; ; method = "GET") {
    let location = "";
    let pause = 0;
    const answer = await call(method === "POST" ? `${next}?wait=20s` : next, {
      method, signal: v.ended, onResponse: (r) => {
        location = r.headers.get("Location") ?? "";
        pause = Number(r.headers.get("Retry-After") ?? 1) * 1000;
      },
    });
    if (!location) return answer.cached ? "This tweet was looked up a moment ago." : answer.data?.snapshot_created ? "Up to date." : "Up to date. Nothing has changed enough for a new point.";
    if (Date.now() > until) return "No answer yet. It will appear here when it comes.";
    next = location;
    await new Promise((done) => setTimeout(done, pause));
  }
}

/**
 * @param {import("../app.js").Visit} v
 * @param {any} first
 */
function frame(v, first) {
  const chart = new Chart({ height: 320, label: "Curves of the six counts" });
  const speed = new Chart({ height: 140, label: "Engagements an hour", legend: false });
  const tier = h("span", {});
  const updated = h("span", { "data-figure": "updated" });
  const next = h("span", {});
  const velocity = h("span", { class: "number-inline" });
  const looks = h("span", {});
  const counts = metrics.map((m) => {
    const value = h("p", { class: "number" });
    const delta = h("p", { class: "note" });
    return { ...m, value, delta, root: h("section", { class: `card figure slim edge-${m.colour}`, "data-figure": m.key }, h("h2", {}, m.label), value, delta) };
  });
  const table = h("div", { class: "scroll" });
  const forecastNote = h("p", { class: "muted small", hidden: true }, "Dotted: forecast, with the range it falls into four times in five.");
  const label = h("span", {}, "Refresh");
  const button = h("button", { type: "button", class: "button primary refresh", hidden: !v.me.may.refresh }, h("span", { class: "spinner", "aria-hidden": "true" }), label);
  const log = h("button", {
    type: "button", class: "button small", "aria-pressed": "false", onclick: () => {
      const on = log.getAttribute("aria-pressed") !== "true";
      log.setAttribute("aria-pressed", String(on));
      chart.setLog(on);
    },
  }, "Logarithmic");
  const zone = v.me.zones.find((z) => z.id === first.zone_id)?.name ?? "";

  fill(v.root,
    h("p", { class: "crumbs" }, h("a", { href: "#/tweets" }, "Tweets"), " / ", zone),
    h("section", { class: "card tweet-head" },
      h("div", {},
        h("h1", { class: "tweet-text", dir: "auto" }, first.text.trim() || `Tweet ${first.twitter_tweet_id}`),
        h("p", { class: "muted" }, "Posted ", ago(first.twitter_created_at), " · ",
          h("a", { href: `https://x.com/i/web/status/${encodeURIComponent(first.twitter_tweet_id)}`, rel: "noopener noreferrer", target: "_blank" }, first.twitter_tweet_id))),
      h("div", { class: "tweet-state" },
        h("p", {}, tier, " ", h("strong", {}, velocity), h("span", { class: "muted" }, " engagements an hour")),
        h("p", { class: "muted" }, "Updated ", updated, " · next ", next, " · ", looks),
        button)),
    h("div", { class: "cards six" }, ...counts.map((c) => c.root)),
    h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", {}, "Counts"), log), chart.root, forecastNote),
    h("section", { class: "card" }, h("h2", {}, "Velocity"), h("p", { class: "muted" }, "Retweets, replies, likes and quotes an hour, from one look to the next"), speed.root),
    h("section", { class: "card" }, h("h2", {}, "Looks"), table));

  /** @param {any} t with metrics, tier and times */
  const state = (t) => {
    tier.className = `tier ${t.tier}`;
    tier.textContent = tierName(t.tier);
    fill(updated, ago(t.last_updated, { never: "not yet" }));
    fill(next, t.next_update_at ? ago(t.next_update_at) : h("span", {}, "never: it is too old"));
    for (const c of counts) write(c.value, count(t.metrics[c.key]));
  };
  return {
    chart, speed, live: state,
    /** @param {any} data */
    show(data) {
      state(data);
      const points = data.snapshots;
      const last = points[points.length - 1];
      const current = points.findLast((/** @type {any} */ p) => p.engagement_velocity !== null);
      write(velocity, current ? decimal(current.engagement_velocity, current.engagement_velocity < 10 ? 1 : 0) : "–");
      looks.textContent = `${count(data.update_count)} look${data.update_count === 1 ? "" : "s"}`;
      for (const c of counts) c.delta.textContent = c.delta && last && points.length > 1 ? deltaOf(last, points[points.length - 2], c) : "no change known yet";
      forecastNote.hidden = !drawCurves(chart, data);
      const moving = points.filter((/** @type {any} */ p) => p.engagement_velocity !== null);
      speed.set(moving.map((/** @type {any} */ p) => Date.parse(p.snapshot_at) / 1000),
        [{ key: "velocity", label: "An hour", colour: 1, values: moving.map((/** @type {any} */ p) => p.engagement_velocity), area: true }]);
      drawTable(table, points);
    },
    /** @param {() => Promise<string>} f */
    onRefresh(f) {
      button.addEventListener("click", async () => {
        if (button.getAttribute("aria-busy") === "true") return;
        button.setAttribute("aria-busy", "true");
        label.textContent = "Looking it up…";
        try {
          toast(await f(), "good");
        } catch (/** @type {any} */ err) {
          if (!v.ended.aborted) toast(explain(err), "bad");
        } finally {
          button.removeAttribute("aria-busy");
          label.textContent = "Refresh";
        }
      });
    },
  };
}

/**
 * @param {any} now
 * @param {any} before
 * @param {{key: string, delta: any}} m
 */
function deltaOf(now, before, m) {
  const known = now[m.key] !== null && before[m.key] !== null;
  return known ? `${change(now[m.key] - before[m.key])} since last look` : "not known";
}

/**
 * Draws the counts, and the forecast where there is one. It reports whether there is.
 * @param {Chart} chart
 * @param {any} data
 */
function drawCurves(chart, data) {
  const points = data.snapshots;
  const ahead = aheadOf(data);
  const times = [...points.map((/** @type {any} */ p) => Date.parse(p.snapshot_at) / 1000), ...ahead.map((a) => a.at)];
  const last = points[points.length - 1];
  chart.set(times, metrics.map((m) => {
    const known = points.map((/** @type {any} */ p) => p[m.key]);
    const line = { key: m.key, label: m.label, colour: m.colour, right: m.right, values: [...known, ...ahead.map(() => null)], format: (/** @type {number | null} */ n) => (m.right ? compact(n) : count(n === null ? null : Math.round(n))) };
    if (ahead.length === 0 || !last || last[m.key] === null || !ahead.some((a) => a.counts[m.counter])) return line;
    // The forecast begins where the curve ends.
    const begin = [...known.slice(0, -1).map(() => null), last[m.key]];
    /** @param {"mean" | "low" | "high"} which */
    const part = (which) => [...begin, ...ahead.map((a) => a.counts[m.counter]?.[which] ?? null)];
    return { ...line, ahead: part("mean"), low: part("low"), high: part("high") };
  }));
  return ahead.length > 0;
}

/**
 * @param {HTMLElement} el
 * @param {any[]} points
 */
function drawTable(el, points) {
  if (points.length === 0) return void fill(el, empty("No look yet", clockSpeed() === 1 ? "The first one comes soon." : "The first one comes in a moment."));
  const shown = points.slice(-shownPoints).reverse();
  const cell = (/** @type {any} */ p, /** @type {any} */ m) => h("td", { class: "right" }, count(p[m.key]),
    m.delta && p[m.delta] ? h("span", { class: "delta" }, ` ${change(p[m.delta])}`) : null);
  fill(el, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), ...metrics.map((m) => h("th", { scope: "col", class: "right" }, m.label)), h("th", { scope: "col", class: "right" }, "Per hour"))),
    h("tbody", {}, ...shown.map((p) => h("tr", {}, h("td", {}, when(p.snapshot_at)), ...metrics.map((m) => cell(p, m)),
      h("td", { class: "right" }, decimal(p.engagement_velocity)))))),
  points.length > shown.length ? h("p", { class: "muted small" }, `The last ${shown.length} of ${count(points.length)}.`) : null);
}
