// What it costs.

import { call, explain } from "../api.js";
import { ahead } from "../clock.js";
import { fill, h, write } from "../dom.js";
import { compact, percent, when } from "../format.js";

const money = new Intl.NumberFormat(undefined, { style: "currency", currency: "USD", maximumFractionDigits: 2 });

/** @param {number | null | undefined} n */
export const dollars = (n) => (n === null || n === undefined ? "–" : money.format(n));

/** @type {Record<string, [string, string]>} a budget's name, and what it pays for */
const budgets = { day: ["Today’s budget", "Scheduled look-ups"], month: ["This month’s budget", "Scheduled look-ups"], refresh_day: ["Today’s budget of refreshes", "Refreshes"] };

/**
 * The budgets that are used up.
 * @param {any} t the state of the schedule
 * @returns {any[]}
 */
export const usedUp = (t) => (t.budgets ?? []).filter((/** @type {any} */ b) => b.used_up);

/**
 * Says which budgets are used up, and when it goes on.
 * @param {any} t the state of the schedule
 */
export const budgetNotices = (t) => usedUp(t).map((b) => h("p", { "data-budget": b.period }, h("strong", {}, `${budgets[b.period][0]} is used up`),
  b.dollars === undefined ? ". " : ` (${dollars(b.spent)} of ${dollars(b.dollars)}). `, `${budgets[b.period][1]} go on `, ahead(b.next), `, at ${when(b.next)}.`));

/** A card of the overview. */
export function costCard() {
  const value = h("p", { class: "number" });
  const note = h("p", { class: "note" });
  const mark = h("p", { class: "mark", hidden: true });
  const bought = h("div", { class: "note", hidden: true });
  return {
    root: h("section", { class: "card figure cost", "data-figure": "Cost" }, h("div", {}, h("h2", {}, "Cost today"), value, note, mark), bought),
    /** @param {AbortSignal} ended */
    async read(ended) {
      try {
        const { data } = await call("/api/twitter/cost", { signal: ended });
        write(value, dollars(data.today?.cost));
        fill(note, `${dollars(data.month?.cost)} this month`, data.credits_left == null ? "" : `, ${compact(data.credits_left)} credits left`);
        const p = data.purchases;
        bought.hidden = !p?.now?.looks_per_hour;
        if (p?.now?.looks_per_hour) {
          const line = (/** @type {string} */ name, /** @type {any} */ b) =>
            `${name}: ${dollars(b.dollars_per_day)} a day, an engagement seen after ${Math.round(b.delay_seconds / 60)} min`;
          // The sample does not always tell what other money would get.
          const told = [["At today’s price", p.now], ["Half the money", p.half], ["Double", p.double]].filter(([, b]) => b.looks_per_hour > 0);
          fill(bought, h("h2", {}, "What the adaptive schedule would get"), ...told.map(([name, b]) => h("span", { class: "block" }, line(name, b))));
        }
        const budget = data.budget?.month;
        mark.hidden = !budget;
        if (budget) {
          const used = (data.month?.cost ?? 0) / budget;
          mark.className = `mark ${used < 0.8 ? "good" : "bad"}`;
          fill(mark, h("span", { "aria-hidden": "true" }, used < 0.8 ? "✓" : "▲"), h("span", {}, `${percent(used)} of ${dollars(budget)}`));
        }
      } catch (err) {
        if (!ended.aborted) fill(note, explain(err));
      }
    },
  };
}
