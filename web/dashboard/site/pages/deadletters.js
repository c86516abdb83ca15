// Messages that could not be handled: why, what was in them, and what to do, one by one or
// many at once.

import { call, explain, hasRoute } from "../api.js";
import { ago } from "../clock.js";
import { button, drawPager, send } from "../controls.js";
import { empty, fill, h, toast } from "../dom.js";
import { count } from "../format.js";
import { keepFresh } from "../fresh.js";

const readEvery = 15_000;
const pageSize = 100;
const path = "/api/twitter/dead-letters";

/** @param {import("../app.js").Visit} v */
export async function showDeadLetters(v) {
  const asked = new URLSearchParams(v.query);
  const list = h("div", {});
  const bulk = h("div", { class: "bulk", hidden: true });
  const pager = h("nav", { class: "pager", "aria-label": "Pages of the list" });
  const head = [h("h1", {}, "Dead letters"),
    h("p", { class: "muted" }, "Messages that could not be handled. Their tweets fall due again anyway; a retry looks them up sooner.")];
  if (!hasRoute(path)) {
    fill(v.root, ...head, list);
    fill(list, h("div", { class: "card" }, empty("Not available", "This server does not show dead letters. Use “gorgone dlq”.")));
    return;
  }
  /** @type {Set<number>} */
  const picked = new Set();
  const boxes = () => /** @type {HTMLInputElement[]} */ ([...list.querySelectorAll("input[data-pick]")]);
  const all = h("input", {
    type: "checkbox", "data-pick-all": true, onchange: () => {
      for (const box of boxes()) {
        box.checked = all.checked;
        box.dispatchEvent(new Event("change"));
      }
    },
  });
  const chosen = h("span", { class: "muted", role: "status" });
  const say = () => {
    chosen.textContent = picked.size ? `${count(picked.size)} chosen` : "";
    for (const b of bulk.querySelectorAll("button")) b.disabled = picked.size === 0;
  };
  /**
   * Nothing is redrawn while someone is using it.
   */
  const inUse = () => picked.size > 0 || list.contains(document.activeElement) || list.querySelector("details[open]") !== null;
  const read = async () => {
    const query = new URLSearchParams(asked);
    query.set("limit", String(pageSize));
    const answer = await call(`${path}?${query}`, { signal: v.ended });
    if (v.ended.aborted) return;
    picked.clear();
    all.checked = false;
    bulk.hidden = answer.data.length < 2;
    if (answer.data.length === 0) fill(list, h("div", { class: "card" }, empty("None", "Every message was handled.")));
    else fill(list, ...answer.data.map((/** @type {any} */ d) => letter(d, async () => { picked.clear(); await fresh.again(); }, v.ended, picked, say)));
    drawPager(pager, "#/dead-letters", asked, pageSize, answer.total);
    say();
  };
  const fresh = keepFresh(v, read, { every: readEvery, unless: inUse });
  /**
   * @param {string} what
   * @param {string} done
   */
  const act = async (what, done) => {
    const { data } = await send(`${path}/${what}`, { seqs: [...picked] });
    const failed = data.filter((/** @type {any} */ r) => r.error);
    await read();
    if (failed.length) toast(`${count(failed.length)} of ${count(data.length)} failed: #${failed[0].seq}: ${failed[0].error}`, "bad");
    else return `${done} ${count(data.length)}.`;
  };
  fill(bulk, h("label", {}, all, "All on this page"), button("Retry", () => act("retry", "Retried"), { name: "retry-all" }),
    button("Drop", () => act("drop", "Dropped"), { name: "drop-all", sure: "Drop them for good?" }), chosen);
  fill(v.root, ...head, fresh.banner, bulk, list, pager);
  await fresh.start();
}

/**
 * @param {any} d
 * @param {() => Promise<void>} read
 * @param {AbortSignal} ended
 * @param {Set<number>} picked
 * @param {() => void} say
 */
function letter(d, read, ended, picked, say) {
  const own = `${path}/${d.seq}`;
  const payload = h("pre", { class: "payload", tabindex: "0" }, "…");
  /**
   * @param {string} what
   * @param {string} done
   */
  const act = async (what, done) => {
    for (const b of buttons.querySelectorAll("button")) b.disabled = true;
    try {
      await call(`${own}/${what}`, { method: "POST" });
      toast(done, "good");
    } catch (err) {
      toast(explain(err), "bad");
    }
    /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
    details.open = false;
    picked.delete(d.seq);
    await read();
  };
  const drop = h("button", {
    type: "button", class: "button danger", onclick: () => {
      if (drop.dataset.sure) return act("drop", "Dropped.");
      drop.dataset.sure = "yes";
      drop.textContent = "Drop it for good?";
      setTimeout(() => { delete drop.dataset.sure; drop.textContent = "Drop"; }, 4000);
    },
  }, "Drop");
  const buttons = h("div", { class: "actions" },
    d.retriable === false ? null : h("button", { type: "button", class: "button", onclick: () => act("retry", "Retried.") }, "Retry"), drop);
  const pick = h("input", {
    type: "checkbox", "data-pick": d.seq, "aria-label": `Choose #${d.seq}`, onchange: () => {
      if (pick.checked) picked.add(d.seq);
      else picked.delete(d.seq);
      say();
    },
  });
  const details = h("details", {}, h("summary", {}, "Message"), payload);
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    try {
      const { data } = await call(own, { signal: ended });
      payload.textContent = data.body ? pretty(data.body) : "The message itself was not kept; this is the server’s notice of it.";
    } catch (err) {
      payload.textContent = explain(err);
    }
  });
  return h("section", { class: "card letter", "data-letter": d.seq },
    h("div", { class: "letter-head" },
      h("div", { class: "letter-pick" }, pick, h("div", {}, h("h2", {}, d.reason || "No reason given"),
        h("p", { class: "muted" }, h("span", { class: "chip" }, d.lane), ` #${d.seq} · given up `, ago(d.at, { real: true }),
          d.deliveries ? ` after ${count(d.deliveries)} deliver${d.deliveries === 1 ? "y" : "ies"}` : "",
          d.first_seen ? " · first seen " : "", d.first_seen ? ago(d.first_seen, { real: true }) : null))),
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
