// How everything is doing, at a glance.

import { call, explain, hasRoute } from "../api.js";
import { Chart } from "../chart.js";
import { ago, ahead, relative, setClock } from "../clock.js";
import { empty, fill, h, said, write } from "../dom.js";
import { change, compact, count, decimal, duration, percent, plural, tierName } from "../format.js";
import { live } from "../live.js";
import { budgetNotices, costCard, usedUp } from "./cost.js";
import { pauseCard } from "./pauses.js";
import { trialCards } from "./trials.js";

const readEvery = 5000; // ms, and sooner when something happened
const feedLines = 8;

const goals = { success: 0.99, error: 0.01, batch: 30, late: 600 };

/** @param {import("../app.js").Visit} v */
export async function showOverview(v) {
  const card = cards();
  const chart = new Chart({ height: 200, label: "Tweets looked up per second over the last five minutes", legend: true });
  const pause = h("div", { class: "banner", role: "alert", hidden: true });
  const stale = h("div", { class: "banner quiet", hidden: true });
  const tiers = h("div", {});
  const workers = h("div", {});
  const queue = h("dl", { class: "facts" });
  const feed = h("ul", { class: "feed" });
  const cost = v.me.may.operate && hasRoute("/api/twitter/cost") ? costCard() : null;
  const trials = hasRoute("/api/twitter/schedule/trials") ? trialCards() : null;
  const pauses = v.me.may.operate && hasRoute("/api/twitter/pauses") ? pauseCard(() => read()) : null;
  fill(v.root,
    h("h1", {}, "Overview"), pause, stale,
    h("div", { class: "cards" }, ...(v.me.may.operate ? card.all : card.all.slice(0, 2)), cost?.root ?? null),
    h("div", { class: "columns" },
      !v.me.may.operate ? null : h("section", { class: "card wide" }, h("h2", {}, "Throughput"), h("p", { class: "muted" }, "Tweets per second over the last five minutes"), chart.root),
      h("section", { class: "card" }, h("h2", {}, "Tiers"), h("p", { class: "muted" }, "By how often a tweet is looked up"), tiers),
      ...(v.me.may.operate ? [h("section", { class: "card wide" }, h("h2", {}, "Processes"), workers), h("section", { class: "card" }, h("h2", {}, "Queue"), queue)] : []),
      pauses?.root ?? null,
      h("section", { class: "card wide" }, h("h2", {}, "Latest updates"), feed)), trials?.root ?? null);
  const seen = latest(v);
  drawFeed(feed, []);
  v.ended.addEventListener("abort", () => chart.destroy());

  let reading = false;
  let last = 0;
  const read = async () => {
    if (reading || document.hidden) return;
    reading = true;
    try {
      const { data } = await call("/api/twitter/overview", { signal: v.ended });
      if (v.ended.aborted) return;
      last = Date.now();
      stale.hidden = true;
      setClock(data.clock);
      card.show(data);
      drawPause(pause, data.tracking);
      pauses?.show(data.tracking);
      if (v.me.may.operate) drawChart(chart, data.recent);
      drawTiers(tiers, data.tracking);
      if (v.me.may.operate) drawWorkers(workers, data.replicas);
      if (v.me.may.operate) drawQueue(queue, data.tracking.queue, true);
      await cost?.read(v.ended);
      await trials?.read(v.ended);
    } finally {
      reading = false;
    }
  };
  const again = () => read().catch((err) => {
    if (v.ended.aborted || err.status === 401) return;
    stale.hidden = false;
    stale.textContent = `${explain(err)} These numbers are of ${relative(last, Date.now())}.`;
  });
  await read();

  const timer = setInterval(again, readEvery);
  let soon = 0;
  const showSeen = () => seen.read().then(() => drawFeed(feed, seen.lines), () => undefined); // without texts they have their ids
  showSeen();
  const offs = [
    live.on("update", (batch) => {
      seen.add(batch);
      drawFeed(feed, seen.lines);
      if (!soon) soon = window.setTimeout(() => { soon = 0; again(); showSeen(); }, 2000);
    }),
    live.on("reset", again),
  ];
  document.addEventListener("visibilitychange", again);
  v.ended.addEventListener("abort", () => {
    clearInterval(timer);
    clearTimeout(soon);
    document.removeEventListener("visibilitychange", again);
    offs.forEach((off) => off());
  });
}

function cards() {
  const backlog = card("Backlog", "tweets due now");
  const late = card("Lateness", "of the tweet that waits longest");
  const success = card("Success rate", "");
  const errors = card("Error rate", "");
  const batch = card("Batch latency", "");
  const dead = card("Dead letters", "");
  return {
    all: [backlog, late, success, errors, batch, dead].map((c) => c.root),
    /** @param {any} data */
    show(data) {
      const { tracking: t, recent: r } = data;
      backlog.set(count(t.next_batch_size), `due now, ${count(t.claimed)} in work`);
      late.set(duration(t.lateness_seconds), t.next_batch_size + t.claimed === 0 ? nextDue(t) : "of the tweet that waits longest");
      // A demonstration's clock runs fast: what a moment is there is ten minutes here.
      const late10 = t.lateness_seconds > Math.max(goals.late, 30 * data.clock.speed);
      const spent = usedUp(t).length > 0;
      backlog.judge(t.next_batch_size, !(late10 || spent), late10 || spent ? (spent ? "needs money: the budget is used up" : "needs a look") : "");
      late.judge(t.next_batch_size + t.claimed || null, !late10, "goal: under 10 min");
      success.set(percent(r.success_rate), `${compact(r.found + r.missing)} of ${compact(r.found + r.missing + r.unresolved)} ${r.found + r.missing + r.unresolved === 1 ? "tweet" : "tweets"} answered`);
      success.judge(r.success_rate, r.success_rate >= goals.success, "goal: 99% or more");
      errors.set(percent(r.error_rate), `${compact(r.failed_calls)} of ${compact(r.calls)} ${r.calls === 1 ? "call" : "calls"} failed`);
      errors.judge(r.error_rate, r.error_rate < goals.error, "goal: under 1%");
      batch.set(r.batches ? duration(r.batch_seconds95) : "–", r.batches ? `95 in 100 batches; longest ${duration(r.batch_seconds_max)}` : "no batch in five minutes");
      batch.judge(r.batches || null, r.batch_seconds95 < goals.batch, "goal: under 30 s");
      const n = t.queue?.dead_letters;
      dead.set(count(n), n ? (n === 1 ? "message that could not be handled" : "messages that could not be handled") : "nothing to look after");
      dead.judge(n, n === 0, n ? (n === 1 ? "needs a look" : "need a look") : "");
    },
  };
}

/** @param {any} t */
function nextDue(t) {
  return t.next_batch_due ? ["nothing is due; next ", ahead(t.next_batch_due)] : "nothing is due";
}

/**
 * A number with what it is, and whether it is as it should be.
 * @param {string} name
 * @param {string} note
 */
function card(name, note) {
  const value = h("p", { class: "number" });
  const under = h("p", { class: "note" }, note);
  const mark = h("p", { class: "mark", hidden: true });
  return {
    root: h("section", { class: "card figure", "data-figure": name }, h("h2", {}, name), value, under, mark),
    /**
     * @param {string} text
     * @param {import("../dom.js").Child | import("../dom.js").Child[]} below
     */
    set(text, below) {
      write(value, text);
      fill(under, below);
    },
    /**
     * @param {any} known nothing is said while it is null
     * @param {boolean} good
     * @param {string} goal
     */
    judge(known, good, goal) {
      mark.hidden = known === null || known === undefined || goal === "";
      mark.className = `mark ${good ? "good" : "bad"}`;
      fill(mark, h("span", { "aria-hidden": "true" }, good ? "✓" : "▲"), h("span", {}, good ? goal : goal.startsWith("need") ? goal : `missed, ${goal}`));
    },
  };
}

/**
 * Why look-ups rest: a budget is used up, people paused them, the rate limit was met, or a provider's
 * circuit breaker is not closed.
 * @param {HTMLElement} el
 * @param {any} t
 */
function drawPause(el, t) {
  const held = (t.pauses ?? []).map((/** @type {any} */ p) => h("p", {}, h("strong", {}, `${p.lane === "batches" ? "Scheduled look-ups" : "Refreshes"} are paused`),
    ` by ${p.by}${p.reason ? `: ${p.reason}` : ""}. `, p.until ? h("span", {}, "They continue ", ahead(p.until), ".") : "They continue when an operator resumes them."));
  const breakers = (t.providers ?? []).filter((/** @type {any} */ p) => p.breaker.state !== "closed").map((/** @type {any} */ { provider, breaker: b }) =>
    h("p", { "data-breaker": b.state }, h("strong", {}, `The circuit breaker of ${provider} is ${b.state.replace("_", " ")}`), `${b.reason ? `: ${b.reason}` : ""}. `,
      b.next_check ? h("span", {}, "Next check ", ahead(b.next_check, { real: true }), ".") : "It closes after the next successful call."));
  // The operator's word, or the breaker's, says more than the pause that comes of it.
  const rests = !t.paused_until || held.length + breakers.length > 0 ? [] : [h("p", {}, h("strong", {}, "Calls are paused"),
    ` ${t.pause_reason || ""}; they go on `, ahead(t.paused_until, { real: true }), ".")];
  fill(el, ...budgetNotices(t), ...held, ...breakers, ...rests);
  el.hidden = el.childElementCount === 0;
}

/**
 * @param {Chart} chart
 * @param {any} r
 */
function drawChart(chart, r) {
  const now = Date.now() / 1000;
  const width = r.seconds / Math.max(r.steps.length, 1);
  // The last step has only begun.
  const steps = r.steps.slice(0, -1);
  const times = steps.map((/** @type {any} */ s) => Math.round(now - s.seconds_ago));
  const rate = (/** @type {(s: any) => number} */ f) => steps.map((/** @type {any} */ s) => f(s) / width);
  chart.set(times, [
    { key: "found", label: "Answered", colour: 1, values: rate((s) => s.found), area: true, format: (n) => decimal(n) },
    { key: "failed", label: "Missing or failed", colour: 4, values: rate((s) => s.missing + s.unresolved), format: (n) => decimal(n) },
    { key: "calls", label: "Calls", colour: 3, values: rate((s) => s.calls), format: (n) => decimal(n) },
  ]);
}

/**
 * @param {HTMLElement} el
 * @param {any} t
 */
function drawTiers(el, t) {
  const all = ["ultra_hot", "hot", "warm", "cold"].map((tier) => ({ tier, n: t[tier] }));
  if (t.total === 0) {
    fill(el, empty("Nothing is tracked yet", "Tweets appear here when they are collected, or by “gorgone track”."));
    return;
  }
  const bar = h("div", { class: "tier-bar", "aria-hidden": "true" }, ...all.filter((a) => a.n > 0).map((a) => {
    const part = h("div", { class: `tier-part ${a.tier}` });
    part.style.flexGrow = String(a.n);
    return part;
  }));
  fill(el, bar, h("ul", { class: "tier-list" }, ...all.map((a) => h("li", {},
    h("a", { href: `#/tweets?tier=${a.tier}` }, h("span", { class: `tier-key ${a.tier}`, "aria-hidden": "true" }), tierName(a.tier)),
    h("span", { class: "tier-count" }, count(a.n)), h("span", { class: "muted" }, percent(a.n / t.total))))),
  h("dl", { class: "facts" },
    ...fact("Backing off after a failure", count(t.failing)), ...fact("Missing at the last look-up", count(t.missing)), ...fact("In inactive zones", count(t.parked)),
    ...(t.unusable > 0 ? fact("Cannot be looked up, without a usable id", count(t.unusable)) : []),
    ...(t.deletions_held_since ? fact("Deletions held, too many tweets are missing, since", new Date(t.deletions_held_since).toLocaleString()) : [])));
}

/**
 * @param {string} name
 * @param {import("../dom.js").Child} value
 */
const fact = (name, value) => [h("dt", {}, name), h("dd", {}, value)];

/**
 * @param {HTMLElement} el
 * @param {any[] | null} replicas
 */
function drawWorkers(el, replicas) {
  if (!replicas) return void fill(el, empty("The queue cannot be reached", "So it is not known which processes are running."));
  if (replicas.length === 0) return void fill(el, empty("No process answered", "Start a dispatcher and a worker."));
  const noWorker = !replicas.some((r) => r.roles.includes("worker"));
  fill(el, noWorker ? h("p", { class: "banner" }, "No worker answers, so nothing is looked up.") : null,
    h("div", { class: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ...["Role", "Host", "Version", "Up since", "In progress", "Answered"].map((n, i) => h("th", { scope: "col", class: i > 3 ? "right" : "" }, n)))),
      h("tbody", {}, ...replicas.map((r) => h("tr", {},
        h("td", {}, h("span", { class: "ok-dot", "aria-hidden": "true" }), r.roles.join(", ")), h("td", {}, r.host), h("td", {}, h("code", {}, r.version)),
        h("td", {}, ago(r.since, { real: true })), h("td", { class: "right" }, count(r.in_work)), h("td", { class: "right" }, count(r.done))))))));
}

/**
 * @param {HTMLElement} el
 * @param {any} q
 * @param {boolean} operate
 */
function drawQueue(el, q, operate) {
  if (!q) return void fill(el, h("dt", {}, "The queue cannot be reached"));
  const dead = operate ? h("a", { href: "#/dead-letters" }, count(q.dead_letters)) : count(q.dead_letters);
  fill(el,
    ...fact("Batches waiting", count(q.batches.waiting)), ...fact("Batches in progress", count(q.batches.in_hand)),
    ...fact("Refreshes waiting", count(q.refreshes.waiting)), ...fact("Refreshes in progress", count(q.refreshes.in_hand)),
    ...fact("Dead letters", dead));
}

/**
 * The tweets that were looked up last. Events have no texts; they are read for the lines
 * that are shown.
 * @param {import("../app.js").Visit} v
 */
function latest(v) {
  /** @type {Map<string, string>} */
  const texts = new Map();
  /** @type {any[]} */
  let lines = [];
  /** @param {any[]} tweets the latest first */
  const put = (tweets) => {
    lines = [...tweets, ...lines.filter((l) => !tweets.some((t) => t.id === l.id))].slice(0, feedLines);
    for (const id of texts.keys()) if (!lines.some((l) => l.id === id)) texts.delete(id);
    for (const l of lines) l.text = texts.get(l.id) ?? l.text;
  };
  let begun = false;
  return {
    get lines() { return lines; },
    /** @param {any} batch */
    add(batch) {
      const zone = v.me.zones.find((z) => z.id === batch.zone_id)?.name ?? "";
      put(batch.tweets.slice(-feedLines).reverse().map((/** @type {any} */ t) => ({ ...t, zone })));
    },
    async read() {
      const missing = lines.filter((l) => l.text === undefined).map((l) => l.id);
      if (begun && missing.length === 0) return;
      const ask = lines.length === 0 ? `by=updated&limit=${feedLines}` : `limit=${feedLines}&ids=${missing.join(",")}`;
      const { data } = await call(`/api/twitter/tweets?${ask}`, { signal: v.ended });
      begun = true;
      for (const id of missing) texts.set(id, ""); // of a tweet that is gone there is none
      for (const t of data) texts.set(t.id, t.text);
      put(lines.length > 0 ? [] : data.filter((/** @type {any} */ t) => t.last_updated).map((/** @type {any} */ t) => ({ ...t, zone: t.zone_name })));
    },
  };
}

/**
 * @param {HTMLElement} el
 * @param {any[]} tweets
 */
function drawFeed(el, tweets) {
  if (tweets.length === 0) return void fill(el, h("li", { class: "muted" }, "Nothing yet. Tweets appear here as they are looked up."));
  fill(el, ...tweets.map((t) => h("li", {},
    said(t.text?.trim() || `Tweet ${t.tweet_id}`, { href: `#/tweets/${t.id}`, class: "feed-text" }), h("span", { class: "muted one-line" }, t.zone),
    h("span", { class: `tier ${t.tier}` }, tierName(t.tier)),
    h("span", {}, plural(t.metrics.total_engagement, "engagement")),
    t.engagement_velocity === null ? null : h("span", { class: "muted" }, `${change(Math.round(t.engagement_velocity))} an hour`),
    ago(t.last_updated))));
}
