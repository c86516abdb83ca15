// A card with a list that operators keep, such as alert rules: each of it is edited,
// switched off and removed where it stands, and new ones are added.

import { call } from "./api.js";
import { button, send } from "./controls.js";
import { empty, fill, h } from "./dom.js";

/**
 * @typedef {object} Kept
 * @property {string} name of one, such as "rule"
 * @property {string} title
 * @property {string} path of its routes
 * @property {[string, string]} none what is said when there is none
 * @property {[string, (x: any) => import("./dom.js").Child][]} columns before those of zone and state
 * @property {(x: any) => string} off says that one is switched off, and why
 * @property {(x: any) => any} sendable what is sent of one that is switched on or off
 * @property {(x: any) => HTMLElement[]} [actions] beside those that all have
 * @property {(x: any, editor: HTMLElement, done: () => Promise<void>) => void} edit draws the form; null: for a new one
 */

/**
 * @param {import("./app.js").Visit} v
 * @param {Kept} o
 */
export function keptCard(v, o) {
  const body = h("div", {});
  const editor = h("div", {});
  const read = async () => {
    const { data } = await call(o.path, { signal: v.ended });
    if (v.ended.aborted) return;
    if (data.length === 0) return void fill(body, empty(...o.none));
    fill(body, h("table", { class: "rows" },
      h("thead", {}, h("tr", {}, ...[...o.columns.map(([name]) => name), "Zone", "State", ""].map((n) => h("th", { scope: "col" }, n)))),
      h("tbody", {}, ...data.map(line))));
  };
  const edit = (/** @type {any} */ x) => o.edit(x, editor, read);
  /** @param {any} x */
  const line = (x) => h("tr", { [`data-${o.name}`]: x.id },
    ...o.columns.map(([name, show]) => h("td", { "data-label": name }, show(x))),
    h("td", { "data-label": "Zone" }, v.me.zones.find((z) => z.id === x.zone_id)?.name ?? (x.zone_id ? "another" : "all")),
    h("td", { "data-label": "State" }, x.enabled ? "On" : o.off(x)),
    h("td", {}, h("div", { class: "actions" },
      ...(o.actions?.(x) ?? []),
      button("Edit", async () => edit(x), { class: "small" }),
      button(x.enabled ? "Switch off" : "Switch on", async () => {
        await send(`${o.path}/${x.id}`, { ...o.sendable(x), enabled: !x.enabled });
        await read();
      }, { class: "small", name: "switch" }),
      button("Remove", async () => {
        await send(`${o.path}/${x.id}/remove`);
        await read();
        return "Removed.";
      }, { class: "small danger", sure: "Remove it?" }))));
  return {
    root: h("section", { class: "card", "data-card": `${o.name}s` },
      h("div", { class: "card-head" }, h("h2", {}, o.title), button(`Add a ${o.name}`, async () => edit(null), { class: "small", name: `add-${o.name}` })), editor, body),
    read,
  };
}
