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
  return {
    root: h("section", { class: "card figure", "data-figure": "Cost" }, h("h2", {}, "Cost today"), value, note, mark),
    /** @param {AbortSignal} ended */
    async read(ended) {
      try {
        const { data } = await call("/api/twitter/cost", { signal: ended });
        write(value, dollars(data.today?.cost));
        fill(note, `${dollars(data.month?.cost)} this month`, data.credits_left == null ? "" : `, ${compact(data.credits_left)} credits left`);
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
