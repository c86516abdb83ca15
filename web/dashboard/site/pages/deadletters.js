// Messages that could not be handled: why, what was in them, and what to do.

import { call, explain, hasRoute } from "../api.js";
import { ago } from "../clock.js";
import { empty, fill, h, toast } from "../dom.js";
import { count } from "../format.js";

const readEvery = 15_000;

/** @param {import("../app.js").Visit} v */
export async function showDeadLetters(v) {
  const list = h("div", {});
  fill(v.root, h("h1", {}, "Dead letters"),
    h("p", { class: "muted" }, "Messages that could not be handled. The tweets in them fall due again by themselves; a retry only looks at them sooner."), list);
  if (!hasRoute("/api/twitter/dead-letters")) {
    fill(list, h("div", { class: "card" }, empty("Not here", "This server does not show dead letters; “gorgone dlq” does.")));
    return;
  }
  const read = async () => {
    const answer = await call("/api/twitter/dead-letters", { signal: v.ended });
    if (v.ended.aborted) return;
    if (answer.data.length === 0) fill(list, h("div", { class: "card" }, empty("None", "Every message was handled.")));
    else fill(list, ...answer.data.map((/** @type {any} */ d) => letter(d, read, v.ended)));
  };
  await read();
  // Nothing is drawn anew under somebody's hands.
  const timer = setInterval(() => {
    if (!document.hidden && !list.contains(document.activeElement) && !list.querySelector("details[open]")) read().catch(() => {});
  }, readEvery);
  v.ended.addEventListener("abort", () => clearInterval(timer));
}

/**
 * @param {any} d
 * @param {() => Promise<void>} read
 * @param {AbortSignal} ended
 */
function letter(d, read, ended) {
  const path = `/api/twitter/dead-letters/${d.seq}`;
  const payload = h("pre", { class: "payload", tabindex: "0" }, "…");
  /**
   * @param {string} what
   * @param {string} done
   */
  const act = async (what, done) => {
    for (const b of buttons.querySelectorAll("button")) b.disabled = true;
    try {
      await call(`${path}/${what}`, { method: "POST" });
      toast(done, "good");
    } catch (err) {
      toast(explain(err), "bad");
    }
    await read().catch((err) => toast(explain(err), "bad"));
  };
  const drop = h("button", {
    type: "button", class: "button danger", onclick: () => {
      if (drop.dataset.sure) return act("drop", "Dropped.");
      drop.dataset.sure = "yes";
      drop.textContent = "Really drop it?";
      setTimeout(() => { delete drop.dataset.sure; drop.textContent = "Drop"; }, 4000);
    },
  }, "Drop");
  const buttons = h("div", { class: "actions" },
    d.retriable === false ? null : h("button", { type: "button", class: "button", onclick: () => act("retry", "Sent again.") }, "Retry"), drop);
  const details = h("details", {}, h("summary", {}, "Message"), payload);
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    try {
      const { data } = await call(path, { signal: ended });
      payload.textContent = data.body ? pretty(data.body) : "The message itself is not there: this is the server’s notice of it.";
    } catch (err) {
      payload.textContent = explain(err);
    }
  });
  return h("section", { class: "card letter", "data-letter": d.seq },
    h("div", { class: "letter-head" },
      h("div", {}, h("h2", {}, d.reason || "No reason given"),
        h("p", { class: "muted" }, h("span", { class: "chip" }, d.lane), ` #${d.seq} · given up `, ago(d.at, { real: true }),
          d.deliveries ? ` after ${count(d.deliveries)} deliver${d.deliveries === 1 ? "y" : "ies"}` : "",
          d.first_seen ? " · first seen " : "", d.first_seen ? ago(d.first_seen, { real: true }) : null)),
      buttons),
    details);
}

/** @param {string} text */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
