// What somebody was to be told of.

import { call, explain, hasRoute } from "../api.js";
import { ago } from "../clock.js";
import { empty, fill, h } from "../dom.js";
import { compact } from "../format.js";
import { live } from "../live.js";

const readEvery = 15_000;

/** @type {Record<string, string>} */
const kinds = { velocity: "Velocity", count: "Count", tier: "Tier change", deleted: "Deleted", stalled: "Tracking stalled", forecast: "Forecast" };

/** @param {import("../app.js").Visit} v */
export async function showAlerts(v) {
  const list = h("div", { class: "card flush" });
  fill(v.root, h("h1", {}, "Alerts"), list);
  if (!hasRoute("/api/twitter/alerts")) {
    fill(list, empty("No alerts here", "This server does not raise alerts."));
    return;
  }
  const read = async () => {
    const answer = await call("/api/twitter/alerts", { signal: v.ended });
    if (!v.ended.aborted) draw(list, answer.data ?? [], v.me.zones);
  };
  await read();
  const again = () => (document.hidden ? undefined : read().catch((err) => (v.ended.aborted ? undefined : fill(list, empty("The alerts can not be read", explain(err))))));
  const timer = setInterval(again, readEvery);
  const offs = [live.on("alert", again), live.on("reset", again)];
  v.ended.addEventListener("abort", () => {
    clearInterval(timer);
    offs.forEach((off) => off());
  });
}

/**
 * @param {HTMLElement} el
 * @param {any[]} alerts
 * @param {{id: string, name: string}[]} zones
 */
function draw(el, alerts, zones) {
  if (alerts.length === 0) return void fill(el, empty("Nothing to tell", "Alerts appear here when a rule of a zone is met."));
  fill(el, h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, ...["State", "Rule", "Tweet", "Value", "Raised", "Cleared"].map((n) => h("th", { scope: "col" }, n)))),
    h("tbody", {}, ...alerts.map((a) => h("tr", {},
      h("td", {}, h("span", { class: `state ${a.cleared_at ? "over" : "on"}` }, a.cleared_at ? "✓ Cleared" : "▲ Active")),
      h("td", {}, kinds[a.kind] ?? a.kind, h("span", { class: "muted small block" }, [a.rule, zones.find((z) => z.id === a.zone_id)?.name].filter(Boolean).join(" · "))),
      h("td", { class: "cell-text", dir: "auto" }, a.tweet_id ? h("a", { href: `#/tweets/${a.tweet_id}` }, a.text || `Tweet ${a.twitter_tweet_id}`) : a.text || "–"),
      h("td", {}, compact(a.value), a.threshold === null || a.threshold === undefined ? null : h("span", { class: "muted" }, ` of ${compact(a.threshold)}`)),
      h("td", {}, ago(a.raised_at)), h("td", {}, a.cleared_at ? ago(a.cleared_at) : "–")))))));
}
