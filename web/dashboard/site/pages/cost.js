// What it costs.

import { call, explain } from "../api.js";
import { fill, h, write } from "../dom.js";
import { compact, percent } from "../format.js";

const money = new Intl.NumberFormat(undefined, { style: "currency", currency: "USD", maximumFractionDigits: 2 });

/** @param {number | null | undefined} n */
const dollars = (n) => (n === null || n === undefined ? "–" : money.format(n));

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
          fill(bought, h("h2", {}, "What the adaptive schedule would buy"), h("span", { class: "block" }, line("At its price now", p.now)),
            h("span", { class: "block" }, line("Half the looks", p.half)), h("span", { class: "block" }, line("Double", p.double)));
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
