// What look-ups cost: by day, client, zone and kind, and what is left of the budgets.

import { call } from "../api.js";
import { ahead } from "../clock.js";
import { choice, zoneOptions } from "../controls.js";
import { fill, h } from "../dom.js";
import { compact, count, percent } from "../format.js";
import { keepFresh } from "../fresh.js";
import { sortedTable } from "../sorted.js";
import { budgetNotices, dollars } from "./cost.js";

/** @type {Record<string, string>} */
const names = { day: "Today’s budget", month: "This month’s budget", refresh_day: "Today’s budget of refreshes" };
/** @type {Record<string, string>} */
const kinds = { schedule: "Schedule", refresh: "Refreshes", control: "Controls of answers", retry: "Retries" };
const noZone = "00000000-0000-0000-0000-000000000000";

/**
 * A table of what 31 days cost, the dearest first.
 * @param {string} name
 * @param {any[]} parts
 * @param {(part: any) => string} nameOf
 * @param {(part: any) => Record<string, string>} marks
 */
function plainTable(name, parts, nameOf, marks) {
  if (parts.length === 0) return null;
  const sorted = [...parts].sort((a, b) => b.cost - a.cost);
  const columns = [["31 days", "right"], [name, ""], ["Calls", "right"], ["Tweets billed", "right"]];
  return h("table", { class: "rows" }, h("thead", {}, h("tr", {}, ...columns.map(([text, side]) => h("th", { scope: "col", class: side }, text)))),
    h("tbody", {}, ...sorted.map((p) => h("tr", marks(p),
      h("td", { class: "right", "data-label": "31 days" }, dollars(p.cost)), h("td", { "data-label": name }, nameOf(p)),
      h("td", { class: "right", "data-label": "Calls" }, count(Math.round(p.calls))), h("td", { class: "right", "data-label": "Tweets billed" }, count(Math.round(p.tweets)))))));
}

/** @param {import("../app.js").Visit} v */
export async function showCosts(v) {
  const asked = new URLSearchParams(v.query);
  const zone = asked.get("zone") ?? "";
  const notice = h("div", { class: "banner", role: "alert", hidden: true });
  const cards = h("div", { class: "cards" });
  const days = h("div", {});
  const zones = h("div", {});
  const clients = h("div", {});
  const byKind = h("div", {});
  const nameOf = (/** @type {string} */ id) => (id === noZone ? "No zone: calls that failed" : v.me.zones.find((z) => z.id === id)?.name ?? "Another zone");
  const fresh = keepFresh(v, async () => {
    const { data } = await call("/api/twitter/cost", { signal: v.ended });
    if (v.ended.aborted) return;
    const notices = budgetNotices({ budgets: data.limits });
    fill(notice, ...notices);
    notice.hidden = notices.length === 0;
    const figure = (/** @type {string} */ name, /** @type {string} */ value, /** @type {any} */ note, /** @type {any} */ more = null) =>
      h("section", { class: "card figure", "data-figure": name }, h("h2", {}, name), h("p", { class: "number" }, value), h("p", { class: "note" }, note), more);
    fill(cards, figure("Today", dollars(data.today.cost), `${compact(data.today.tweets)} tweets billed`), figure("This month", dollars(data.month.cost), `about ${dollars(data.month_end)} by its end`),
      ...data.limits.map((/** @type {any} */ l) => figure(names[l.period], percent(l.spent / l.dollars), [`${dollars(l.spent)} of ${dollars(l.dollars)}; the next begins `, ahead(l.next)],
        h("meter", { min: 0, max: l.dollars, high: l.dollars * 0.8, value: Math.min(l.spent, l.dollars), "aria-label": names[l.period] }))));
    const shown = data.days.map((/** @type {any} */ d) => ({ day: d.day, cost: zone ? d.zones[zone] ?? 0 : d.cost })).reverse();
    const most = Math.max(...shown.map((/** @type {any} */ d) => d.cost), 1e-9);
    fill(days, h("ol", { class: "day-bars" }, ...shown.map((/** @type {any} */ d) => {
      const bar = h("span", { class: "day-bar" });
      bar.style.width = `${(100 * d.cost) / most}%`;
      return h("li", { "data-day": d.day }, h("span", { class: "muted" }, d.day), h("span", { class: "day-track" }, bar), h("span", { class: "right" }, dollars(d.cost)));
    })));
    fill(zones, data.zones.length === 0 ? h("p", { class: "muted" }, "Nothing was spent in 31 days.") : sortedTable("#/cost", asked, [
      { key: "cost", name: "31 days", class: "right", value: (z) => z.cost, show: (z) => dollars(z.cost) },
      { key: "zone", name: "Zone", value: (z) => nameOf(z.id), show: (z) => h("a", { class: "said", href: `#/cost?zone=${z.id}` }, nameOf(z.id)) },
      { key: "today", name: "Today", class: "right", value: (z) => z.today, show: (z) => dollars(z.today) },
      { key: "tweets", name: "Tweets billed", class: "right", value: (z) => z.tweets, show: (z) => count(Math.round(z.tweets)) },
    ], data.zones, (z) => ({ "data-zone": z.id })));
    fill(clients, plainTable("Client", data.clients, (c) => (c.id === noZone ? "None: calls that failed" : c.name || c.id), (c) => ({ "data-client": c.id })));
    fill(byKind, plainTable("Provider and kind", data.kinds, (k) => `${k.provider}: ${kinds[k.kind] ?? k.kind}`, (k) => ({ "data-kind": `${k.provider} ${k.kind}` })));
  }, { every: 15_000, unless: () => zones.contains(document.activeElement) });
  fill(v.root, h("h1", {}, "Cost"), fresh.banner, notice, cards,
    h("div", { class: "filters" }, choice("#/cost", asked, "zone", "Zone", zoneOptions(v.me))),
    h("section", { class: "card" }, h("h2", {}, "By day (UTC)"), days), h("section", { class: "card flush" }, zones),
    h("section", { class: "card flush" }, clients), h("section", { class: "card flush" }, byKind));
  await fresh.start();
}
