// Pauses: look-ups stopped everywhere, with a reason, and resumed.

import { button, field, form, send } from "../controls.js";
import { ahead } from "../clock.js";
import { fill, h, toast } from "../dom.js";

/** @type {[string, string][]} */
const lanes = [["batches", "Scheduled look-ups"], ["refreshes", "Refreshes"]];

/**
 * A card of the overview, for operators.
 * @param {() => Promise<void>} read shows what changed
 */
export function pauseCard(read) {
  const body = h("div", {});
  const editor = h("div", {});
  let shown = "";
  /**
   * @param {string} lane
   * @param {string} name
   */
  const ask = (lane, name) => {
    const reason = h("input", { name: "reason", maxlength: 300, required: true });
    const minutes = h("input", { name: "minutes", type: "number", min: 1, max: 43200, placeholder: "until it is resumed" });
    fill(editor, form("pause", [field(`Why are ${name.toLowerCase()} paused?`, reason), field("For how many minutes", minutes)], "Pause", async () => {
      await send("/api/twitter/pauses", { lane, reason: reason.value.trim(), seconds: Number(minutes.value) * 60 });
      fill(editor);
      toast(`${name} are paused.`, "good");
      await read();
    }, () => fill(editor)));
    reason.focus();
  };
  return {
    root: h("section", { class: "card", "data-card": "pauses" }, h("h2", {}, "Look-ups"), editor, body),
    /** @param {any} t the state of the schedule */
    show(t) {
      const now = JSON.stringify(t.pauses);
      if (now === shown) return;
      shown = now;
      fill(body, h("dl", { class: "facts" }, ...lanes.flatMap(([lane, name]) => {
        const p = t.pauses.find((/** @type {any} */ x) => x.lane === lane);
        const resume = async () => {
          await send("/api/twitter/pauses/resume", { lane });
          await read();
          return `${name} go on.`;
        };
        return [h("dt", {}, name, p ? h("span", { class: "muted small block" }, p.until ? "paused, goes on " : "paused until it is resumed", p.until ? ahead(p.until) : null) : h("span", { class: "muted small block" }, "running")),
          h("dd", {}, p ? button("Resume", resume, { class: "small", name: `resume-${lane}` }) : button("Pause", async () => ask(lane, name), { class: "small", name: `pause-${lane}` }))];
      })));
    },
  };
}
