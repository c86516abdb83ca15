// The zones: how many tweets each tracks, what they cost, how fresh they are; and for
// operators their schedule and what they may spend.

import { call, hasRoute } from "../api.js";
import { setClock } from "../clock.js";
import { button, field, form, select, send } from "../controls.js";
import { empty, fill, h, toast } from "../dom.js";
import { count, duration } from "../format.js";
import { keepFresh } from "../fresh.js";
import { sortedTable } from "../sorted.js";
import { dollars } from "./cost.js";

const path = "/api/twitter/zones";
const budgetsPath = "/api/twitter/budgets";
/** @type {[string, string][]} */
const schedules = [["", "As all zones"], ["tiers", "Tiers, by age"], ["adaptive", "Adaptive, by worth"]];

/** @param {import("../app.js").Visit} v */
export async function showZones(v) {
  const asked = new URLSearchParams(v.query);
  const list = h("div", { class: "card flush" });
  const editor = h("div", {});
  /** @type {Map<string, any>} */
  const budgets = new Map();
  const fresh = keepFresh(v, async () => {
    const [answer, caps] = await Promise.all([call(path, { signal: v.ended }), may ? call(budgetsPath, { signal: v.ended }) : null]);
    if (v.ended.aborted) return;
    budgets.clear();
    for (const b of caps?.data ?? []) if (b.kind === "zone") budgets.set(b.id, b);
    setClock(answer.clock);
    if (answer.data.length === 0) return void fill(list, empty("No zones", "Tweets are collected for zones."));
    fill(list, sortedTable("#/zones", asked, columns, answer.data, (z) => ({ "data-zone": z.id })));
  }, { every: 15_000, unless: () => list.contains(document.activeElement) });
  /** @param {any} z */
  const edit = (z) => {
    const schedule = select("schedule", schedules, z.schedule);
    const least = h("input", { name: "least", type: "number", min: 0, max: 1_000_000_000, value: z.min_engagement, required: true });
    fill(editor, form("zone", [field(`Schedule of ${z.name}`, schedule), field("Look up tweets from this much engagement on", least, "0: all")], "Change", async () => {
      await send(`${path}/${z.id}`, { schedule: schedule.value, min_engagement: Number(least.value) });
      fill(editor);
      toast("Changed. It is in force within half a minute.", "good");
      await fresh.again();
    }, () => fill(editor)));
    schedule.focus();
  };
  const may = v.me.may.operate && hasRoute(budgetsPath);
  /** @param {any} z */
  const editBudget = (z) => {
    const set = budgets.get(z.id)?.budget ?? {};
    /** @param {string} key */
    const amount = (key) => h("input", { name: key, type: "number", min: 0, max: 1_000_000, step: "any", value: set[key] ?? "", placeholder: "none" });
    const day = amount("day"), month = amount("month"), softDay = amount("soft_day"), softMonth = amount("soft_month");
    const weight = h("input", { name: "weight", type: "number", min: 0, max: 100, step: "any", value: set.weight ?? "", placeholder: "1" });
    fill(editor, form("budget", [
      field(`Dollars a day for ${z.name}, at most`, day, "UTC; empty: no cap"), field("Dollars a month, at most", month),
      field("Served after others from, a day", softDay), field("Served after others from, a month", softMonth),
      field("Weight", weight, "for how many zones it counts when not all that is due can be looked up"),
    ], "Set", async () => {
      const sent = { day, month, soft_day: softDay, soft_month: softMonth, weight };
      await send(`${path}/${z.id}/budget`, Object.fromEntries(Object.entries(sent).map(([key, input]) => [key, Number(input.value)])));
      fill(editor);
      toast("Set. It is in force within a minute.", "good");
      await fresh.again();
    }, () => fill(editor)));
    day.focus();
  };
  /** @param {any} z */
  const capWords = (z) => {
    const b = budgets.get(z.id);
    if (!b) return "–";
    const words = [["day", "a day"], ["month", "a month"]].filter(([key]) => b.budget[key]).map(([key, of]) => `${dollars(b.budget[key])} ${of}`);
    return [words.join(", ") || "–", b.fault ? h("span", { class: "chip bad" }, "unreadable") : b.used_up.length ? h("span", { class: "chip bad" }, "used up") : b.soft.length ? h("span", { class: "chip" }, "soft cap passed") : null];
  };
  /** @type {import("../sorted.js").Column[]} */
  const columns = [
    { key: "name", name: "Zone", value: (z) => z.name, show: (z) => [h("a", { href: `#/tweets?zone=${z.id}`, class: "said" }, z.name), z.active ? null : h("span", { class: "chip" }, "inactive")] },
    { key: "live", name: "Tracked", class: "right", value: (z) => z.live, show: (z) => [count(z.live), h("span", { class: "muted small block" }, `${count(z.cold)} cold`)] },
    { key: "due", name: "Due", class: "right", value: (z) => z.due, show: (z) => [count(z.due), z.due ? h("span", { class: "muted small block" }, `for ${duration(z.lateness_seconds)}`) : null] },
    { key: "age", name: "Last look-up", class: "right", value: (z) => z.age_seconds, show: (z) => (z.age_seconds === null ? "–" : `${duration(z.age_seconds)} ago`) },
    ...(may ? [
      { key: "today", name: "Cost today", class: "right", value: (/** @type {any} */ z) => z.cost_today, show: (/** @type {any} */ z) => dollars(z.cost_today) },
      { key: "month", name: "This month", class: "right", value: (/** @type {any} */ z) => z.cost_month, show: (/** @type {any} */ z) => dollars(z.cost_month) },
      { key: "schedule", name: "Schedule", value: (/** @type {any} */ z) => z.schedule, show: (/** @type {any} */ z) => [schedules.find(([s]) => s === z.schedule)?.[1], z.min_engagement ? h("span", { class: "muted small block" }, `from ${count(z.min_engagement)} engagements on`) : null] },
      { key: "caps", name: "Caps", value: (/** @type {any} */ z) => budgets.get(z.id)?.budget.month ?? 0, show: capWords },
      { key: "budget", name: "", value: () => 0, show: (/** @type {any} */ z) => button("Budget", async () => editBudget(z), { class: "small" }) },
      { key: "edit", name: "", value: () => 0, show: (/** @type {any} */ z) => button("Edit", async () => edit(z), { class: "small" }) },
    ] : []),
  ];
  fill(v.root, h("h1", {}, "Zones"), fresh.banner, editor, list);
  if (!hasRoute(path)) return void fill(list, empty("Not available", "This server does not show zones."));
  await fresh.start();
}
