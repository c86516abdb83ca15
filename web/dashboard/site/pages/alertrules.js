// The rules that raise alerts: made, edited, switched off, removed.

import { call } from "../api.js";
import { button, field, form, select, send, zoneOptions } from "../controls.js";
import { empty, fill, h, toast } from "../dom.js";

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
export function rulesCard(v) {
  const body = h("div", {});
  const editor = h("div", {});
  const read = async () => {
    const { data } = await call(path, { signal: v.ended });
    if (v.ended.aborted) return;
    if (data.length === 0) return void fill(body, empty("No rules", "Without a rule nothing raises an alert."));
    fill(body, h("table", { class: "rows" },
      h("thead", {}, h("tr", {}, ...["Rule", "Kind", "Zone", "State", ""].map((n) => h("th", { scope: "col" }, n)))),
      h("tbody", {}, ...data.map(line))));
  };
  /** @param {any} r */
  const line = (r) => h("tr", { "data-rule": r.id },
    h("td", { "data-label": "Rule" }, h("span", { class: "said" }, r.name)), h("td", { "data-label": "Kind" }, kinds[r.kind] ?? r.kind),
    h("td", { "data-label": "Zone" }, v.me.zones.find((z) => z.id === r.zone_id)?.name ?? (r.zone_id ? "another" : "all")),
    h("td", { "data-label": "State" }, r.enabled ? "On" : "Off"),
    h("td", {}, h("div", { class: "actions" },
      button("Edit", async () => edit(r), { class: "small" }),
      button(r.enabled ? "Switch off" : "Switch on", async () => {
        await send(`${path}/${r.id}`, { ...sendable(r), enabled: !r.enabled });
        await read();
      }, { class: "small", name: "switch" }),
      button("Remove", async () => {
        await send(`${path}/${r.id}/remove`);
        await read();
        return "Removed.";
      }, { class: "small danger", sure: "Remove it?" }))));

  /** @param {any} r null: a new one */
  const edit = (r) => {
    let kind = r?.kind ?? "";
    const draw = () => {
      const wants = needs[/** @type {keyof needs} */ (kind)] ?? [];
      const input = (/** @type {string} */ name, /** @type {any} */ value, /** @type {any} */ more = {}) => h("input", { name, value, ...more });
      const name = input("name", r?.name ?? "", { maxlength: 200, placeholder: "a description is made" });
      const zone = select("zone", zoneOptions(v.me), r?.zone_id ?? "");
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
        await read();
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
  };
  return {
    root: h("section", { class: "card", "data-card": "rules" },
      h("div", { class: "card-head" }, h("h2", {}, "Rules"), button("Add a rule", async () => edit(null), { class: "small", name: "add-rule" })), editor, body),
    read,
  };
}

/** @param {any} r */
function sendable(r) {
  const { id, ...rest } = r;
  return rest;
}
