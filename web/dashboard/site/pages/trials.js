// Trials of the adaptive schedule beside the tiers.

import { call, explain } from "../api.js";
import { ago, ahead } from "../clock.js";
import { empty, fill, h } from "../dom.js";
import { count } from "../format.js";

/** @typedef {{value: number, low: number, high: number} | null | undefined} Estimate */

/** The rows of the comparison: key of the figure, what it is, its unit. */
const rows = [
  ["lookups", "Look-ups a tweet", ""],
  ["dollars", "Cost of a thousand tweets", "$"],
  ["delay_minutes_12h", "Until an engagement is seen, first 12 h", "min"],
  ["delay_minutes_48h", "Until an engagement is seen, first 48 h", "min"],
  ["staleness_12h", "Engagements not known yet, first 12 h", "share"],
  ["staleness_48h", "Engagements not known yet, first 48 h", "share"],
  ["take_off_minutes", "Until a take-off is seen", "min"],
];

/** A part of the overview: empty while there was no trial. */
export function trialCards() {
  const root = h("div", { hidden: true });
  return {
    root,
    /** @param {AbortSignal} ended */
    async read(ended) {
      try {
        const { data } = await call("/api/twitter/schedule/trials", { signal: ended });
        root.hidden = data.length === 0;
        fill(root, ...data.map(card));
      } catch (err) {
        if (!ended.aborted && !root.hidden) fill(root, empty("The trials cannot be read", explain(err)));
      }
    },
  };
}

/** @param {any} t */
function card(t) {
  const r = t.report;
  const state = t.running ? ["running, ends ", ahead(t.ends_at)] : [t.stopped ? "stopped " : "ended ", ago(t.ends_at)];
  return h("section", { class: "card", "data-trial": t.zone_id },
    h("h2", {}, `Trial of the adaptive schedule in ${t.zone_name}`),
    h("p", { class: "muted" }, "A random half of the tweets goes by it, for as many look-ups as the tiers make; ", ...state,
      t.forced ? ". It was started without a gain in the zone’s history." : "."),
    r ? comparison(r) : empty("Nothing is measured yet", "The first figures come when tweets of the trial are 48 hours old."));
}

/** @param {any} r */
function comparison(r) {
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, ...["", "Tiers", "Adaptive", "Adaptive over tiers"].map((n, i) => h("th", { scope: "col", class: i ? "right" : "" }, n)))),
    h("tbody", {},
      h("tr", {}, h("th", { scope: "row" }, "Tweets measured"), ...[r.tiers, r.adaptive].map((f) => h("td", { class: "right" }, count(f.tweets ?? 0))), h("td", {})),
      ...rows.map(([key, name, unit]) => h("tr", { "data-figure": key }, h("th", { scope: "row" }, name),
        ...[r.tiers[key], r.adaptive[key]].map((e) => h("td", { class: "right" }, figure(e, unit))),
        h("td", { class: "right" }, figure(r.adaptive_over_tiers[key], "")))))));
}

/**
 * A figure with its 95% interval.
 * @param {Estimate} e
 * @param {string} unit
 */
function figure(e, unit) {
  if (!e) return "–";
  const text = (/** @type {number} */ n) => (unit === "share" ? `${short(100 * n)}%` : unit === "$" ? `$${short(n)}` : short(n));
  return [h("span", {}, unit === "min" ? `${text(e.value)} min` : text(e.value)), h("span", { class: "muted small block" }, `${text(e.low)} to ${text(e.high)}`)];
}

/** @param {number} n */
const short = (n) => String(Number(n.toPrecision(3)));
