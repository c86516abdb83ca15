// Tables whose headers sort them; the order is kept in the address.

import { h } from "./dom.js";

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} name
 * @property {(row: any) => any} value by which it is sorted; null comes last
 * @property {(row: any) => import("./dom.js").Child | import("./dom.js").Child[]} show
 * @property {string} [class]
 */

/**
 * @param {string} page such as "#/zones"
 * @param {URLSearchParams} asked
 * @param {Column[]} columns
 * @param {any[]} rows
 * @param {(row: any) => Record<string, any>} props of a row's element
 */
export function sortedTable(page, asked, columns, rows, props) {
  const by = columns.find((c) => c.key === asked.get("sort")) ?? columns[0];
  const down = asked.get("down") === "1";
  const order = [...rows].sort((a, b) => {
    const [x, y] = [by.value(a), by.value(b)];
    if (x === null || y === null) return (x === null ? 1 : 0) - (y === null ? 1 : 0);
    const n = typeof x === "string" ? x.localeCompare(y) : x - y;
    return down ? -n : n;
  });
  /** @param {Column} c */
  const head = (c) => {
    const query = new URLSearchParams(asked);
    query.set("sort", c.key);
    if (c === by ? !down : typeof c.value(rows[0]) !== "string") query.set("down", "1");
    else query.delete("down");
    return h("th", { scope: "col", class: c.class, "aria-sort": c === by ? (down ? "descending" : "ascending") : undefined },
      h("a", { href: `${page}?${query}`, "data-sort": c.key }, c.name, c === by ? h("span", { "aria-hidden": "true" }, down ? " ▾" : " ▴") : null));
  };
  return h("table", { class: "rows" }, h("thead", {}, h("tr", {}, ...columns.map((c) => (c.name ? head(c) : h("th", { scope: "col" }))))),
    h("tbody", {}, ...order.map((r) => h("tr", props(r), ...columns.map((c) => h("td", { class: c.class, "data-label": c.name || undefined }, ...[c.show(r)].flat()))))));
}
