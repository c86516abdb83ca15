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
 * A header that sorts when it is followed.
 * @param {{key: string, href: string, name: string, order: "asc" | "desc" | null, class?: string, before?: string}} o
 *   order: in which the rows are, by this column; before: what stands in the header beside the link
 */
export const heading = (o) => h("th", { scope: "col", class: o.class, "aria-sort": o.order ? (o.order === "desc" ? "descending" : "ascending") : undefined },
  o.before ? `${o.before} ` : null,
  h("a", { href: o.href, "data-sort": o.key }, o.name, o.order ? h("span", { "aria-hidden": "true" }, o.order === "desc" ? " ▾" : " ▴") : null));

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
    return heading({ key: c.key, href: `${page}?${query}`, name: c.name, order: c !== by ? null : down ? "desc" : "asc", class: c.class });
  };
  return h("table", { class: "rows" }, h("thead", {}, h("tr", {}, ...columns.map((c) => (c.name ? head(c) : h("th", { scope: "col" }))))),
    h("tbody", {}, ...order.map((r) => h("tr", props(r), ...columns.map((c) => h("td", { class: c.class, "data-label": c.name || undefined }, ...[c.show(r)].flat()))))));
}
