// Rows are written in engine time. It is real time, but for a demonstration, whose
// clock may run faster; the server tells how it stands.

import { h } from "./dom.js";
import { duration, when } from "./format.js";

let engine = Date.now();
let at = performance.now();
let speed = 1;

/** @param {{now: string, speed: number}} c as the server tells it */
export function setClock(c) {
  engine = Date.parse(c.now);
  at = performance.now();
  speed = c.speed;
}

export const engineNow = () => engine + (performance.now() - at) * speed;
export const clockSpeed = () => speed;

/**
 * How long ago a time was, or how long it is still to come.
 * @param {number} ms since 1970
 * @param {number} now
 */
export function relative(ms, now) {
  const s = (now - ms) / 1000;
  if (s < -1) return `in ${duration(-s)}`;
  if (s < 2) return "just now";
  return `${duration(s)} ago`;
}

/**
 * An element that says how long ago something was, and goes on saying it.
 * @param {string | null | undefined} iso
 * @param {{never?: string, real?: boolean}} [o] real: the time is of a real clock
 */
export function ago(iso, o = {}) {
  if (!iso) return h("span", { class: "muted" }, o.never ?? "never");
  const el = h("time", { class: "ago", datetime: iso, title: when(iso), "data-real": o.real });
  tick(el);
  return el;
}

/**
 * An element that says how long it is until something, and once that has come, what is
 * to be said then.
 * @param {string} iso
 * @param {{past?: string, real?: boolean}} [o] real: the time is of a real clock
 */
export function ahead(iso, o = {}) {
  const el = h("time", { class: "ago", datetime: iso, title: when(iso), "data-real": o.real, "data-past": o.past ?? "now" });
  tick(el);
  return el;
}

/** @param {HTMLElement} el */
function tick(el) {
  const at = Date.parse(el.getAttribute("datetime") ?? "");
  const now = el.hasAttribute("data-real") ? Date.now() : engineNow();
  const text = el.dataset.past !== undefined && at <= now + 1000 ? el.dataset.past : relative(at, now);
  if (el.textContent !== text) el.textContent = text;
}

setInterval(() => {
  for (const el of document.querySelectorAll("time.ago")) tick(/** @type {HTMLElement} */ (el));
}, 1000);
