// Controls that pages share: filters and pages in the address, headers that sort, forms.

import { call, explain } from "./api.js";
import { fill, h, toast } from "./dom.js";
import { count } from "./format.js";

/**
 * The address of a page with something asked for differently, from its beginning.
 * @param {string} page such as "#/alerts"
 * @param {URLSearchParams} asked
 * @param {Record<string, string>} changes
 */
export function address(page, asked, changes) {
  const query = new URLSearchParams(asked);
  query.delete("offset");
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  return text ? `${page}?${text}` : page;
}

/**
 * A choice that is kept in the address.
 * @param {string} page
 * @param {URLSearchParams} asked
 * @param {string} name
 * @param {string} label
 * @param {[string, string][]} options the first is what holds without a choice
 */
export const choice = (page, asked, name, label, options) => h("label", {}, h("span", {}, label),
  h("select", { name, onchange: (/** @type {any} */ e) => (location.hash = address(page, asked, { [name]: e.target.value })) },
    ...options.map(([value, text]) => h("option", { value, selected: (asked.get(name) ?? options[0][0]) === value }, text))));

/**
 * The zones to choose from; "" is all.
 * @param {import("./app.js").Me} me
 * @returns {[string, string][]}
 */
export const zoneOptions = (me) => [["", "All zones"], ...me.zones.map((z) => /** @type {[string, string]} */ ([z.id, z.name]))];

/**
 * Links to the other pages of a list.
 * @param {HTMLElement} el
 * @param {string} page
 * @param {URLSearchParams} asked
 * @param {number} size of a page
 * @param {number} total
 */
export function drawPager(el, page, asked, size, total) {
  const offset = Number(asked.get("offset") ?? 0);
  const last = Math.max(Math.floor((total - 1) / size) * size, 0);
  if (last === 0 && offset === 0) return void fill(el);
  const link = (/** @type {string} */ text, /** @type {number} */ n, /** @type {boolean} */ usable) => (usable
    ? h("a", { class: "button", href: address(page, asked, { offset: n ? String(n) : "" }) }, text)
    : h("span", { class: "button off", "aria-disabled": "true" }, text));
  fill(el, link("First", 0, offset > 0), link("Previous", Math.max(offset - size, 0), offset > 0),
    h("span", { class: "muted" }, `Page ${count(Math.floor(offset / size) + 1)} of ${count(last / size + 1)}`),
    link("Next", offset + size, offset < last), link("Last", last, offset < last));
}

/**
 * A labelled control of a form.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {string} [hint]
 */
export const field = (label, control, hint) => h("label", {}, h("span", {}, label), control, hint ? h("span", { class: "muted small" }, hint) : null);

/**
 * @param {string} name
 * @param {[string, string][]} options
 * @param {string} value
 * @param {(e: any) => void} [onchange]
 */
export const select = (name, options, value, onchange) => h("select", { name, onchange }, ...options.map(([v, text]) => h("option", { value: v, selected: v === value }, text)));

/**
 * A button that does something, is out of use meanwhile, and says what came of it.
 * @param {string} text
 * @param {() => Promise<string | void>} act returns what to say
 * @param {{class?: string, sure?: string, name?: string}} [o] sure: asked before it is done
 */
export function button(text, act, o = {}) {
  const el = h("button", { type: "button", class: `button ${o.class ?? ""}`, "data-do": o.name ?? text.toLowerCase() }, text);
  el.addEventListener("click", async () => {
    if (o.sure && !el.dataset.sure) {
      el.dataset.sure = "yes";
      el.textContent = o.sure;
      setTimeout(() => { delete el.dataset.sure; el.textContent = text; }, 4000);
      return;
    }
    el.disabled = true;
    try {
      const said = await act();
      if (said) toast(said, "good");
    } catch (err) {
      toast(explain(err), "bad");
    } finally {
      el.disabled = false;
    }
  });
  return el;
}

/**
 * Sends something to a route.
 * @param {string} path
 * @param {any} [body]
 */
export const send = (path, body) => call(path, { method: "POST", body: body ?? {} });

/**
 * A form that sends what it holds.
 * @param {string} name
 * @param {HTMLElement[]} fields
 * @param {string} text of the button
 * @param {() => Promise<void>} submit
 * @param {() => void} cancel
 */
export function form(name, fields, text, submit, cancel) {
  const fault = h("p", { class: "fault", role: "alert" });
  const go = h("button", { type: "submit", class: "button primary" }, text);
  return h("form", {
    class: "edit", "data-form": name, onsubmit: async (/** @type {Event} */ e) => {
      e.preventDefault();
      go.disabled = true;
      fault.textContent = "";
      try {
        await submit();
      } catch (err) {
        fault.textContent = explain(err);
      } finally {
        go.disabled = false;
      }
    },
  }, h("div", { class: "fields" }, ...fields), fault, h("div", { class: "actions" }, go, h("button", { type: "button", class: "button", onclick: cancel }, "Cancel")));
}
