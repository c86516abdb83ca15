// Where alerts are posted: webhooks made, tested, edited, switched off, removed.

import { call } from "../api.js";
import { button, field, form, select, send, zoneOptions } from "../controls.js";
import { empty, fill, h, toast } from "../dom.js";

const path = "/api/twitter/alerts/webhooks";

/** @param {import("../app.js").Visit} v */
export function webhooksCard(v) {
  const body = h("div", {});
  const editor = h("div", {});
  const read = async () => {
    const { data } = await call(path, { signal: v.ended });
    if (v.ended.aborted) return;
    if (data.length === 0) return void fill(body, empty("No webhooks", "Alerts are shown here and in live events only."));
    fill(body, h("table", { class: "rows" },
      h("thead", {}, h("tr", {}, ...["To", "Format", "Zone", "State", ""].map((n) => h("th", { scope: "col" }, n)))),
      h("tbody", {}, ...data.map(line))));
  };
  /** @param {any} w */
  const line = (w) => h("tr", { "data-webhook": w.id },
    h("td", { "data-label": "To" }, h("span", { class: "said" }, w.to)), h("td", { "data-label": "Format" }, w.format),
    h("td", { "data-label": "Zone" }, v.me.zones.find((z) => z.id === w.zone_id)?.name ?? (w.zone_id ? "another" : "all")),
    h("td", { "data-label": "State" }, w.enabled ? "On" : `Off: ${w.disabled}`),
    h("td", {}, h("div", { class: "actions" },
      button("Test", async () => {
        const { data } = await send(`${path}/${w.id}/test`);
        if (!data.delivered) return void toast(`Not delivered: ${data.error}`, "bad");
        return "The test was delivered.";
      }, { class: "small" }),
      button("Edit", async () => edit(w), { class: "small" }),
      button(w.enabled ? "Switch off" : "Switch on", async () => {
        await send(`${path}/${w.id}`, { zone_id: w.zone_id, format: w.format, enabled: !w.enabled });
        await read();
      }, { class: "small", name: "switch" }),
      button("Remove", async () => {
        await send(`${path}/${w.id}/remove`);
        await read();
        return "Removed.";
      }, { class: "small danger", sure: "Remove it?" }))));

  /** @param {any} w null: a new one */
  const edit = (w) => {
    const url = h("input", { name: "url", type: "url", required: !w, placeholder: w ? `${w.to} (unchanged)` : "https://example.com/alerts" });
    const format = select("format", [["json", "JSON, signed"], ["slack", "Slack"]], w?.format ?? "json");
    const zone = select("zone", zoneOptions(v.me), w?.zone_id ?? "");
    const submit = async () => {
      const { data } = await send(w ? `${path}/${w.id}` : path, { url: url.value.trim(), format: format.value, zone_id: zone.value || null, enabled: w?.enabled ?? true });
      if (data.secret) {
        fill(editor, h("div", { class: "banner", role: "status" }, "The secret that signs the messages, shown only now: ", h("code", { class: "secret" }, data.secret)));
      } else {
        fill(editor);
        toast("Changed.", "good");
      }
      await read();
    };
    fill(editor, form("webhook", [field("Address", url), field("Format", format), field("Alerts of", zone)], w ? "Change" : "Add", submit, () => fill(editor)));
    url.focus();
  };
  return {
    root: h("section", { class: "card", "data-card": "webhooks" },
      h("div", { class: "card-head" }, h("h2", {}, "Webhooks"), button("Add a webhook", async () => edit(null), { class: "small", name: "add-webhook" })), editor, body),
    read,
  };
}
