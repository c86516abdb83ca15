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
  el.textContent = text;
  if (first) return;
  el.classList.remove("changed");
  void el.offsetWidth; // begins the animation anew
  el.classList.add("changed");
}

/**
 * Says something at the edge of the page for a while, to screen readers too.
 * @param {string} text
 * @param {"info" | "good" | "bad"} [kind]
 */
export function toast(text, kind = "info") {
  const el = h("div", { class: `toast ${kind}` }, text);
  document.getElementById("toasts")?.append(el);
  setTimeout(() => el.remove(), kind === "bad" ? 9000 : 5000);
}

/**
 * @param {string} title
 * @param {Child | Child[]} text
 * @param {...Child} more
 */
export function empty(title, text, ...more) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, ...[text].flat()), ...more);
}
