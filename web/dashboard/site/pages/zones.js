// The zones: how many tweets each tracks, what they cost, how fresh they are; and for
// operators their schedule.

import { call, hasRoute } from "../api.js";
import { setClock } from "../clock.js";
import { button, field, form, select, send } from "../controls.js";
import { empty, fill, h, toast } from "../dom.js";
import { count, duration } from "../format.js";
import { keepFresh } from "../fresh.js";
import { sortedTable } from "../sorted.js";
import { dollars } from "./cost.js";

const path = "/api/twitter/zones";
/** @type {[string, string][]} */
const schedules = [["", "As all zones"], ["tiers", "Tiers, by age"], ["adaptive", "Adaptive, by worth"]];

/** @param {import("../app.js").Visit} v */
export async function showZones(v) {
  const asked = new URLSearchParams(v.query);
  const list = h("div", { class: "card flush" });
  const editor = h("div", {});
  const fresh = keepFresh(v, async () => {
    const answer = await call(path, { signal: v.ended });
    if (v.ended.aborted) return;
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
  const may = v.me.may.operate;
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
      { key: "edit", name: "", value: () => 0, show: (/** @type {any} */ z) => button("Edit", async () => edit(z), { class: "small" }) },
    ] : []),
  ];
  fill(v.root, h("h1", {}, "Zones"), fresh.banner, editor, list);
  if (!hasRoute(path)) return void fill(list, empty("Not available", "This server does not show zones."));
  await fresh.start();
}
