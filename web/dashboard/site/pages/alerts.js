// Alerts, and for operators the rules that raise them and the webhooks that receive them.

import { call, hasRoute } from "../api.js";
import { ago } from "../clock.js";
import { choice, drawPager, zoneOptions } from "../controls.js";
import { empty, fill, h, said } from "../dom.js";
import { count } from "../format.js";
import { keepFresh } from "../fresh.js";
import { savedFilters } from "../saved.js";
import { kinds, rulesCard } from "./alertrules.js";
import { webhooksCard } from "./webhooks.js";

const readEvery = 15_000;
const pageSize = 50;
const page = "#/alerts";

/** @param {import("../app.js").Visit} v */
export async function showAlerts(v) {
  const list = h("div", { class: "card flush" });
  if (!hasRoute("/api/twitter/alerts")) {
    fill(v.root, h("h1", {}, "Alerts"), list);
    fill(list, empty("No alerts", "This server does not raise alerts."));
    return;
  }
  const asked = new URLSearchParams(v.query);
  const found = h("p", { class: "muted", role: "status" });
  const pager = h("nav", { class: "pager", "aria-label": "Pages of the list" });
  const fresh = keepFresh(v, async () => {
    const query = new URLSearchParams(asked);
    query.set("limit", String(pageSize));
    const answer = await call(`/api/twitter/alerts?${query}`, { signal: v.ended });
    if (v.ended.aborted) return;
    const narrowed = ["kind", "zone", "active", "rule", "offset"].some((n) => asked.get(n));
    draw(list, answer.data ?? [], v.me.zones, narrowed);
    found.textContent = answer.total ? `${count(answer.total)} ${answer.total === 1 ? "alert" : "alerts"}` : "";
    drawPager(pager, page, asked, pageSize, answer.total);
  }, { every: readEvery, on: ["alert"] });
  const filters = h("div", { class: "filters" },
    choice(page, asked, "active", "State", [["", "All"], ["true", "Active"]]),
    choice(page, asked, "kind", "Kind", [["", "All kinds"], ...Object.entries(kinds)]),
    choice(page, asked, "zone", "Zone", zoneOptions(v.me)));
  const manage = v.me.may.operate && hasRoute("/api/twitter/alerts/rules") ? [rulesCard(v), webhooksCard(v)] : [];
  fill(v.root, h("h1", {}, "Alerts"), fresh.banner, filters, savedFilters(v.me, page, asked), h("div", { class: "list-head" }, found), list, pager, ...manage.map((c) => c.root));
  await Promise.all([fresh.start(), ...manage.map((c) => c.read())]);
}

/**
 * @param {HTMLElement} el
 * @param {any[]} alerts
 * @param {{id: string, name: string}[]} zones
 * @param {boolean} narrowed
 */
function draw(el, alerts, zones, narrowed) {
  if (alerts.length === 0) {
    return void fill(el, narrowed ? empty("No alerts match", "Try other kinds, zones or states.") : empty("No alerts yet", "Alerts appear here when a zone’s rule matches."));
  }
  fill(el, h("div", {}, h("table", { class: "rows" },
    h("thead", {}, h("tr", {}, ...["State", "Why", "Tweet", "Rule", "Raised", "Cleared"].map((n) => h("th", { scope: "col" }, n)))),
    h("tbody", {}, ...alerts.map((a) => h("tr", { "data-alert": a.id },
      h("td", {}, h("span", { class: `state ${a.cleared_at ? "over" : "on"}` }, a.cleared_at ? "✓ Cleared" : "▲ Active")),
      h("td", { class: "cell-why", "data-label": "Why" }, why(a)),
      h("td", { class: "cell-text" }, a.row_id ? said(a.text || `Tweet ${a.tweet_id}`, { href: `#/tweets/${a.row_id}` }) : said("–")),
      h("td", { "data-label": "Rule" }, kinds[a.kind] ?? a.kind, h("span", { class: "muted small said" }, [a.rule, zones.find((z) => z.id === a.zone_id)?.name].filter(Boolean).join(" · "))),
      h("td", { "data-label": "Raised" }, ago(a.raised_at)), h("td", { "data-label": "Cleared" }, a.cleared_at ? ago(a.cleared_at) : "–")))))));
}

/**
 * Why an alert was raised; the tweet stands beside it.
 * @param {any} a
 */
function why(a) {
  const text = a.tweet_id ? String(a.message).replace(`Tweet ${a.tweet_id}`, "").replace(/^:? +/, "") : a.message;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
