// Where alerts are posted: webhooks made, tested, edited, switched off, removed.

import { button, field, form, select, send, zoneOptions } from "../controls.js";
import { fill, h, toast } from "../dom.js";
import { keptCard } from "../kept.js";

const path = "/api/twitter/alerts/webhooks";

/** @param {import("../app.js").Visit} v */
export const webhooksCard = (v) => keptCard(v, {
  name: "webhook", title: "Webhooks", path, none: ["No webhooks", "Alerts are shown here and in live events only."],
  columns: [["To", (w) => h("span", { class: "said" }, w.to)], ["Format", (w) => w.format]],
  off: (w) => `Off: ${w.disabled}`,
  sendable: (w) => ({ zone_id: w.zone_id, format: w.format }),
  actions: (w) => [button("Test", async () => {
    const { data } = await send(`${path}/${w.id}/test`);
    if (!data.delivered) return void toast(`Not delivered: ${data.error}`, "bad");
    return "The test was delivered.";
  }, { class: "small" })],
  edit: (w, editor, done) => edit(v.me, w, editor, done),
});

/**
 * @param {import("../app.js").Me} me
 * @param {any} w null: a new one
 * @param {HTMLElement} editor
 * @param {() => Promise<void>} done
 */
function edit(me, w, editor, done) {
  const url = h("input", { name: "url", type: "url", required: !w, placeholder: w ? `${w.to} (unchanged)` : "https://example.com/alerts" });
  const format = select("format", [["json", "JSON, signed"], ["slack", "Slack"]], w?.format ?? "json");
  const zone = select("zone", zoneOptions(me), w?.zone_id ?? "");
  const submit = async () => {
    const { data } = await send(w ? `${path}/${w.id}` : path, { url: url.value.trim(), format: format.value, zone_id: zone.value || null, enabled: w?.enabled ?? true });
    if (data.secret) {
      fill(editor, h("div", { class: "banner", role: "status" }, "The secret that signs the messages, shown only now: ", h("code", { class: "secret" }, data.secret)));
    } else {
      fill(editor);
      toast("Changed.", "good");
    }
    await done();
  };
  fill(editor, form("webhook", [field("Address", url), field("Format", format), field("Alerts of", zone)], w ? "Change" : "Add", submit, () => fill(editor)));
  url.focus();
}
