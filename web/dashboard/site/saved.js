// Filters that a reader has named. They are kept in the browser; what they hold is the
// query of the page's address.

import { address } from "./controls.js";
import { fill, h } from "./dom.js";

const most = 20; // of a page

/**
 * @typedef {{name: string, query: string}} Saved
 */

/**
 * Chips that lead to the saved filters of a page, and a form that saves the present one.
 * @param {import("./app.js").Me} me whoever is signed in: others have filters of their own
 * @param {string} page such as "#/tweets"
 * @param {URLSearchParams} asked
 */
export function savedFilters(me, page, asked) {
  const key = `gorgone.filters.${me.kind}.${me.name}.${page}`;
  const now = sorted(asked);
  const root = h("nav", { class: "saved", "aria-label": "Saved filters" });
  /** @param {Saved[]} list */
  const keep = (list) => {
    try {
      localStorage.setItem(key, JSON.stringify(list));
    } catch {
      // The browser keeps nothing: the address still has the filter.
    }
    draw();
  };
  const draw = (saving = false) => {
    const list = read(key);
    const name = h("input", { name: "filter", maxlength: 40, required: true, placeholder: "Name", "aria-label": "Name of the filter" });
    const known = list.some((f) => f.query === now);
    fill(root, ...list.map((f) => h("span", { class: "chip saved-filter" },
      h("a", { href: `${page}?${f.query}`, "aria-current": f.query === now ? "true" : undefined }, f.name),
      h("button", { type: "button", "aria-label": `Forget the filter ${f.name}`, title: "Forget", onclick: () => keep(list.filter((o) => o !== f)) }, "×"))),
    saving ? h("form", {
      class: "saved-form", "data-form": "filter", onsubmit: (/** @type {Event} */ e) => {
        e.preventDefault();
        const called = name.value.trim();
        if (called) keep([...list.filter((f) => f.name !== called), { name: called, query: now }].slice(-most));
      },
    }, name, h("button", { type: "submit", class: "button small" }, "Save"), h("button", { type: "button", class: "button small", onclick: () => draw() }, "Cancel")) : null,
    !saving && now && !known ? h("button", { type: "button", class: "button small", "data-do": "save-filter", onclick: () => draw(true) }, "Save this filter") : null);
    root.hidden = root.childElementCount === 0;
    if (saving) name.focus();
  };
  draw();
  return root;
}

/**
 * What is kept, as far as it can be read.
 * @param {string} key
 * @returns {Saved[]}
 */
function read(key) {
  try {
    const list = JSON.parse(localStorage.getItem(key) ?? "[]");
    return list.filter((/** @type {any} */ f) => typeof f?.name === "string" && typeof f?.query === "string");
  } catch {
    return [];
  }
}

/**
 * The query without the place in the list, in an order that does not depend on how it came about.
 * @param {URLSearchParams} asked
 */
function sorted(asked) {
  const query = new URLSearchParams(address("", asked, {}).slice(1));
  query.sort();
  return query.toString();
}
