// What a page shows is read again and again. When that fails, what was read last stays,
// with its age.

import { explain } from "./api.js";
import { ago } from "./clock.js";
import { fill, h } from "./dom.js";
import { live } from "./live.js";

/**
 * Reads once, and then again every so often and with each live event of some kinds, until
 * the visit is over.
 * @param {import("./app.js").Visit} v
 * @param {() => Promise<void>} read
 * @param {{every: number, on?: string[], unless?: () => boolean}} o unless: it is left as it is
 */
export function keepFresh(v, read, o) {
  const banner = h("div", { class: "banner quiet", role: "status", "data-stale": true, hidden: true });
  let last = 0;
  let reading = false;
  const once = async () => {
    await read();
    last = Date.now();
    banner.hidden = true;
  };
  const again = async () => {
    if (document.hidden || reading || v.ended.aborted || o.unless?.()) return;
    reading = true;
    try {
      await once();
    } catch (err) {
      const e = /** @type {any} */ (err);
      if (v.ended.aborted || e.status === 401) return;
      banner.hidden = false;
      fill(banner, explain(e), " What is shown was read ", ago(new Date(last).toISOString(), { real: true }), ".");
    } finally {
      reading = false;
    }
  };
  return {
    banner,
    again,
    async start() {
      await once();
      const timer = setInterval(again, o.every);
      const offs = [...(o.on ?? []), "reset"].map((kind) => live.on(kind, again));
      document.addEventListener("visibilitychange", again);
      v.ended.addEventListener("abort", () => {
        clearInterval(timer);
        document.removeEventListener("visibilitychange", again);
        offs.forEach((off) => off());
      });
    },
  };
}
