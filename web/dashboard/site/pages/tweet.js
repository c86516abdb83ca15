// One tweet: its charts, its velocity, and a button that looks it up now.

import { ApiError, call, explain } from "../api.js";
import { ago, ahead } from "../clock.js";
import { clip, empty, fill, h, toast, write } from "../dom.js";
import { change, count, decimal, plural, tierName } from "../format.js";
import { live } from "../live.js";
import { growth, metrics } from "../series.js";
import { Analysis } from "./analysis.js";

const mostPoints = 10_000; // as many as the server sends at once
const waitAtMost = 60_000; // ms for a refresh

/** @param {import("../app.js").Visit} v */
export async function showTweet(v) {
  const path = `/api/twitter/engagement/${v.id}?limit=${mostPoints}`;
  let data;
  try {
    data = (await call(path, { signal: v.ended })).data;
  } catch (err) {
    if (!(err instanceof ApiError) || err.status !== 404) throw err;
    fill(v.root, h("h1", {}, "Tweet"), h("div", { class: "card" }, empty("Tweet not found", "It does not exist, or you do not have access to its zone.", h("a", { class: "button", href: "#/tweets" }, "All tweets"))));
    return;
  }
  if (v.ended.aborted) return;
  /** Reads what is new. @returns {Promise<any>} */
  const get = async () => {
    const known = data.snapshots;
    const since = known[known.length - 1]?.snapshot_at;
    const now = (await call(since ? `${path}&from=${encodeURIComponent(since)}` : path, { signal: v.ended })).data;
    return { ...now, snapshots: [...known.filter((/** @type {any} */ p) => Date.parse(p.snapshot_at) < Date.parse(since)), ...now.snapshots] };
  };

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
      const seen = batch.tweets.find((/** @type {any} */ t) => t.id === data.id);
      if (!seen) return;
      show({ ...data, metrics: seen.metrics, tier: seen.tier, last_updated: seen.last_updated, next_update_at: seen.next_update_at });
      readSoon();
    }),
    live.on("failure", (batch) => {
      const seen = batch.tweets.find((/** @type {any} */ t) => t.id === data.id);
      if (seen) toast(seen.outcome === "missing" ? "The provider did not return this tweet. It may be deleted." : `The last look-up failed: ${seen.reason || "no usable answer"}.`, "bad");
    }),
    live.on("reset", readSoon),
  ];
  v.ended.addEventListener("abort", () => {
    clearTimeout(soon);
    view.charts.destroy();
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
  const tier = h("span", {});
  const velocity = h("strong", { class: "number-inline" });
  const perHour = h("span", { class: "muted" });
  const updated = h("span", {});
  const next = h("span", {});
  const lookups = h("span", {});
  const counts = metrics.map((m) => {
    const value = h("p", { class: "number" });
    const delta = h("p", { class: "note" });
    return { ...m, value, delta, root: h("section", { class: `card figure slim edge-${m.colour}`, "data-figure": m.key }, h("h2", {}, m.label), value, delta) };
  });
  const charts = new Analysis(v, {
    name: `tweet-${first.tweet_id}`,
    // The numbers are the last ones of the curves.
    onSpan(points, span, since) {
      for (const c of counts) {
        const grown = growth(points, span, c.key);
        write(c.value, count(points[points.length - 1]?.counts[c.key]));
        c.delta.textContent = grown === null ? "no change known yet" : `${change(grown)} ${since}`;
      }
    },
  });
  const label = h("span", {}, "Refresh");
  const button = h("button", { type: "button", class: "button primary refresh", hidden: !v.me.may.refresh }, h("span", { class: "spinner", "aria-hidden": "true" }), label);

  fill(v.root,
    h("p", { class: "crumbs" }, h("a", { href: "#/tweets" }, "Tweets"), " / ", h("a", { href: `#/tweets?zone=${first.zone_id}`, "data-zone": first.zone_id }, first.zone_name)),
    h("section", { class: "card tweet-head" },
      h("div", {},
        ...byline(first), ...headline(first.text.trim() || `Tweet ${first.tweet_id}`),
        h("p", { class: "muted" }, "Posted ", ago(first.twitter_created_at), " · ", h("a", { href: first.url, rel: "noopener noreferrer", target: "_blank" }, `Open ${first.tweet_id} on X`))),
      h("div", { class: "tweet-state" },
        h("p", {}, tier, " ", velocity, perHour),
        h("p", { class: "muted", "data-figure": "updated" }, "Updated ", updated, " · next look-up ", next, " · ", lookups),
        button)),
    h("div", { class: "cards six" }, ...counts.map((c) => c.root)),
    charts.root);

  return {
    charts,
    /** @param {any} data */
    show(data) {
      tier.className = `tier ${data.tier}`;
      tier.textContent = tierName(data.tier);
      fill(updated, ago(data.last_updated, { never: "not yet" }));
      fill(next, data.next_update_at ? ahead(data.next_update_at, { past: "due now" }) : h("span", {}, "never: it is too old"));
      const current = data.snapshots.findLast((/** @type {any} */ p) => p.engagement_velocity !== null)?.engagement_velocity ?? null;
      write(velocity, current === null ? "–" : decimal(current, current < 10 ? 1 : 0));
      perHour.textContent = current === 1 ? " engagement an hour" : " engagements an hour";
      lookups.textContent = plural(data.update_count, "look-up");
      charts.show(data);
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
 * Who wrote a tweet, where that is known.
 * @param {any} t
 */
function byline(t) {
  const { name, username } = t.author ?? {};
  if (!name && !username) return [];
  return [h("p", { class: "byline" }, name ? h("strong", { class: "said", dir: "auto" }, clip(name, 100)) : null,
    username ? h("a", { href: `https://x.com/${encodeURIComponent(username)}`, rel: "noopener noreferrer", target: "_blank" }, `@${username}`) : null)];
}

const headLetters = 1000; // of a text that are shown at first

/**
 * The text of a tweet: some lines of it, and all of it on demand.
 * @param {string} text
 */
function headline(text) {
  const line = h("h1", { class: "tweet-text said", dir: "auto" }, clip(text, headLetters));
  const more = h("button", {
    type: "button", class: "button small", hidden: true, "aria-expanded": "false", onclick: () => {
      const whole = line.classList.toggle("whole");
      line.textContent = whole ? text : clip(text, headLetters);
      more.textContent = whole ? "Show less" : "Show all";
      more.setAttribute("aria-expanded", String(whole));
    },
  }, "Show all");
  // Whether it is cut depends on the width.
  new ResizeObserver(() => (more.hidden = !line.classList.contains("whole") && text.length <= headLetters && line.scrollHeight <= line.clientHeight + 2)).observe(line);
  return [line, more];
}
