// Elements are made here, and only from text: no page ever makes markup from what
// it was sent.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Makes an element. Properties that begin with "on" are listeners; href leads only
 * to this page or to https.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  assign(el, props);
  el.append(...nodes(children));
  return el;
}

/**
 * Makes an SVG element.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Child | Child[])} children
 */
export function svg(tag, props = {}, ...children) {
  const el = document.createElementNS("http://www.w3.org/2000/svg", tag);
  assign(el, props);
  el.append(...nodes(children));
  return el;
}

/**
 * @param {Element} el
 * @param {Record<string, any>} props
 */
function assign(el, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) {
      el.addEventListener(name.slice(2), value);
    } else if (name === "value" && "value" in el) {
      el.value = value;
    } else {
      if (name === "href" && !/^(#|\/(?!\/)|https:\/\/)/.test(String(value))) throw new Error("link leads elsewhere");
      el.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return children.flat().filter((c) => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : String(c)));
}

/**
 * Puts children in place of what an element holds.
 * @param {Element} el
 * @param {...(Child | Child[])} children
 */
export function fill(el, ...children) {
  el.replaceChildren(...nodes(children));
  return el;
}

/**
 * Writes a text, and marks the element for a moment when that changed it.
 * @param {HTMLElement} el
 * @param {string} text
 */
export function write(el, text) {
  if (el.textContent === text) return;
  const first = el.textContent === "";
  if (el.classList.contains("number")) el.style.setProperty("--chars", String(text.length)); // it shrinks to fit
  el.textContent = text;
  if (first) return;
  el.classList.remove("changed");
  void el.offsetWidth; // restarts the animation
  el.classList.add("changed");
}

const mostToasts = 3; // at once

/**
 * Says something at the edge of the page for a while, to screen readers too. What is
 * said again is counted, and the oldest gives way.
 * @param {string} text
 * @param {"info" | "good" | "bad"} [kind]
 */
export function toast(text, kind = "info") {
  const place = document.getElementById("toasts");
  if (!place) return;
  const shown = /** @type {HTMLElement[]} */ ([...place.children]);
  const same = shown.find((t) => t.dataset.text === text && t.classList.contains(kind));
  const times = Number(same?.dataset.times ?? 0) + 1;
  const el = h("div", { class: `toast ${kind}`, "data-text": text, "data-times": times }, clip(text, 300), times > 1 ? ` (${times} times)` : null);
  if (same) same.replaceWith(el);
  else place.append(el);
  while (place.children.length > mostToasts) place.firstElementChild?.remove();
  setTimeout(() => el.remove(), kind === "bad" ? 9000 : 5000);
}

/**
 * The beginning of a text, with an ellipsis when that is not all of it.
 * @param {string} text
 * @param {number} most characters
 */
export function clip(text, most) {
  if (text.length <= most) return text;
  const letters = Array.from(text.slice(0, 2 * most)); // whole code points
  return letters.length <= most ? letters.join("") : `${letters.slice(0, most - 1).join("")}…`;
}

/**
 * What a person wrote, as a link or not: a few lines of it.
 * @param {string} text
 * @param {{href?: string, class?: string}} [o]
 */
export function said(text, o = {}) {
  return h(o.href ? "a" : "span", { ...o, class: `said ${o.class ?? ""}`.trim(), dir: "auto" }, clip(text.trim(), 400));
}

/**
 * @param {string} title
 * @param {Child | Child[]} text
 * @param {...Child} more
 */
export function empty(title, text, ...more) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, ...[text].flat()), ...more);
}
