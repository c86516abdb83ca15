// The rules that raise alerts: made, edited, switched off, removed.

import { field, form, select, send, zoneOptions } from "../controls.js";
import { fill, h, toast } from "../dom.js";
import { keptCard } from "../kept.js";

/** @type {Record<string, string>} */
export const kinds = {
  burst: "Burst", velocity: "Velocity", count: "Count", forecast: "Forecast", tier: "Tier change", deleted: "Deleted",
  stalled: "Tracking stalled", held: "Deletions held", budget: "Budget",
};

/** What a kind of rules asks for, beside zone, name and cooldown. */
const needs = {
  burst: ["threshold"], velocity: ["threshold", "window"], count: ["threshold", "metric"], forecast: ["threshold", "metric", "horizon"],
  tier: ["tier"], deleted: [], stalled: ["window"], held: [], budget: ["threshold"],
};
/** @type {Record<string, [string, number]>} what the threshold is, and a usual one */
const thresholds = {
  burst: ["Digits: 6 is a chance of 1 in 10⁶ of so much by itself", 6], velocity: ["Engagements an hour", 500], count: ["Count that is passed", 10000],
  forecast: ["Count that will be passed", 10000], budget: ["Per cent of a budget", 80],
};
/** @type {[string, string][]} */
const metrics = [["total_engagement", "Total engagement"], ["likes", "Likes"], ["retweets", "Retweets"], ["replies", "Replies"], ["quotes", "Quotes"], ["views", "Views"], ["bookmarks", "Bookmarks"]];
/** @type {[string, string][]} */
const tiers = [["", "Any"], ["ultra_hot", "Ultra hot"], ["hot", "Hot"], ["warm", "Warm"], ["cold", "Cold"]];
const path = "/api/twitter/alerts/rules";

/** @param {import("../app.js").Visit} v */
export const rulesCard = (v) => keptCard(v, {
  name: "rule", title: "Rules", path, none: ["No rules", "Without a rule nothing raises an alert."],
  columns: [["Rule", (r) => h("span", { class: "said" }, r.name)], ["Kind", (r) => kinds[r.kind] ?? r.kind]],
  off: () => "Off",
  sendable: ({ id, ...rest }) => rest,
  edit: (r, editor, done) => edit(v.me, r, editor, done),
});

/**
 * @param {import("../app.js").Me} me
 * @param {any} r null: a new one
 * @param {HTMLElement} editor
 * @param {() => Promise<void>} done
 */
function edit(me, r, editor, done) {
  let kind = r?.kind ?? "";
  const draw = () => {
    const wants = needs[/** @type {keyof needs} */ (kind)] ?? [];
    const input = (/** @type {string} */ name, /** @type {any} */ value, /** @type {any} */ more = {}) => h("input", { name, value, ...more });
    const name = input("name", r?.name ?? "", { maxlength: 200, placeholder: "a description is made" });
    const zone = select("zone", zoneOptions(me), r?.zone_id ?? "");
    const same = r?.kind === kind;
    const threshold = input("threshold", same ? r.threshold : thresholds[kind]?.[1] ?? "", { type: "number", min: 1, step: "any", required: true });
    const metric = select("metric", metrics, same ? r.metric : "total_engagement");
    const tier = select("tier", tiers, same ? r.tier : "");
    const window = input("window", same ? r.window_seconds / 60 : kind === "stalled" ? 30 : 10, { type: "number", min: 10, max: 1440, required: true });
    const horizon = select("horizon", [["3600", "1 hour"], ["10800", "3 hours"], ["86400", "24 hours"]], String(same ? r.window_seconds : 10800));
    const cooldown = input("cooldown", r ? (r.cooldown_seconds ?? 3600) / 60 : 60, { type: "number", min: 0, max: 43200, required: true });
    const what = select("kind", [["", "Choose what it detects"], ...Object.entries(kinds)], kind, (e) => { kind = e.target.value; draw(); });
    const submit = async () => {
      const sent = {
        kind, name: name.value.trim() === (r?.name ?? "") && !same ? "" : name.value.trim(), zone_id: zone.value || null, enabled: r?.enabled ?? true,
        cooldown_seconds: Number(cooldown.value) * 60,
        threshold: wants.includes("threshold") ? Number(threshold.value) : 0,
        metric: wants.includes("metric") ? metric.value : "", tier: wants.includes("tier") ? tier.value : "",
        window_seconds: wants.includes("window") ? Number(window.value) * 60 : wants.includes("horizon") ? Number(horizon.value) : 0,
      };
      await send(r ? `${path}/${r.id}` : path, sent);
      fill(editor);
      await done();
      toast(r ? "Changed." : "Added. It is in force everywhere within half a minute.", "good");
    };
    fill(editor, form("rule", [
      field("Kind", what), ...(kind ? [field("Zone", zone)] : []),
      ...(wants.includes("threshold") ? [field(thresholds[kind][0], threshold)] : []),
      ...(wants.includes("metric") ? [field("Of", metric)] : []), ...(wants.includes("tier") ? [field("To tier", tier)] : []),
      ...(wants.includes("window") ? [field(kind === "stalled" ? "Overdue by, minutes" : "Measured over, minutes", window)] : []),
      ...(wants.includes("horizon") ? [field("Within", horizon)] : []),
      ...(kind ? [field("Cooldown, minutes", cooldown), field("Name", name)] : []),
    ], r ? "Change" : "Add", submit, () => fill(editor)));
  };
  draw();
  editor.querySelector("select")?.focus();
}
