// The charts of a tweet and their table: a range of time, zoom, ways to compare the
// counts, the forecast, and what is shown as a file.

import { Chart } from "../chart.js";
import { clockSpeed } from "../clock.js";
import { empty, fill, h, toast } from "../dom.js";
import { download, picture } from "../download.js";
import { aheadOf, fairly } from "../forecast.js";
import { change, compact, count, decimal, plural, when } from "../format.js";
import { csvOf, metrics, seriesOf, within } from "../series.js";

/** @type {[string, string, number][]} name in the address, name on the button, seconds */
const ranges = [["1h", "1 h", 3600], ["6h", "6 h", 6 * 3600], ["24h", "24 h", 86400], ["7d", "7 d", 7 * 86400], ["all", "All", Infinity]];

/** @type {[string, string, string][]} with what a button does */
const views = [
  ["separate", "Separate", "Each count on an axis of its own"],
  ["indexed", "Indexed", "All counts on one axis, as shares of their latest values"],
  ["log", "Logarithmic", "All counts on one logarithmic axis"],
];

const shownPoints = 50; // in the table, at first
const group = "tweet"; // of charts with one pointer

/** @typedef {import("../series.js").Point} Point */

export class Analysis {
  /** @type {Point[]} */ #points = [];
  /** @type {import("../forecast.js").Ahead[]} */ #ahead = [];
  /** @type {[number, number] | null} */ #zoom = null;
  #uncalibrated = false;
  #allRows = false;
  #range = "all";
  #view = "separate";
  #forecast = true;

  /**
   * @param {import("../app.js").Visit} v
   * @param {{name: string, onSpan: (points: Point[], span: [number, number], since: string) => void}} o name: of files
   */
  constructor(v, o) {
    this.v = v;
    this.o = o;
    this.#range = ranges.find(([key]) => key === v.query.get("range"))?.[0] ?? "all";
    this.#view = views.find(([key]) => key === v.query.get("view"))?.[0] ?? "separate";
    this.#forecast = v.query.get("forecast") !== "off";
    const onZoom = (/** @type {[number, number] | null} */ span) => this.#setZoom(span);
    this.small = metrics.map((m) => new Chart({ height: 150, label: m.label, legend: false, tight: true, whole: true, group, onZoom }));
    this.one = new Chart({ height: 320, label: "The six counts", group, onZoom });
    this.indexed = new Chart({ height: 320, label: "The six counts, each as a share of its latest value", unit: "%", group, onZoom });
    this.speed = new Chart({ height: 140, label: "Engagements per hour", legend: false, group, onZoom });
    this.one.setLog(true);
    this.body = h("div", {});
    this.note = h("p", { class: "muted small", "data-forecast-note": "", hidden: true });
    this.range = choice("Range", ranges, (key) => this.#choose({ range: key }));
    this.views = choice("View", views, (key) => this.#choose({ view: key }));
    this.ahead = h("button", { type: "button", class: "button small", title: "Show the forecast", onclick: () => this.#choose({ forecast: !this.#forecast }) }, "Forecast");
    this.table = h("div", { class: "scroll" });
    const button = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ onclick) => h("button", { type: "button", class: "button small", title, "aria-label": title, onclick }, text);
    this.reset = button("Whole range", "Show the whole range", () => this.#setZoom(null));
    this.root = h("div", { class: "page" },
      h("section", { class: "card" },
        h("div", { class: "card-head tools" }, h("h2", {}, "Counts"), this.range.root, this.views.root, this.ahead,
          h("div", { class: "group" }, button("+", "Zoom in", () => this.#scale(0.5)), button("−", "Zoom out", () => this.#scale(2)), this.reset),
          h("div", { class: "group end" }, button("CSV", "Save what is shown as a table", () => this.#saveTable()), button("PNG", "Save what is shown as a picture", () => this.#savePicture()))),
        this.body, this.note),
      h("section", { class: "card" }, h("h2", {}, "Velocity"), h("p", { class: "muted" }, "Retweets, replies, likes and quotes per hour, between snapshots"), this.speed.root),
      h("section", { class: "card" }, h("h2", {}, "Snapshots"), this.table));
  }

  destroy() {
    for (const c of [...this.small, this.one, this.indexed, this.speed]) c.destroy();
  }

  /** @param {any} data as the server sends it */
  show(data) {
    this.#points = seriesOf(data);
    this.#ahead = aheadOf(data, this.#points[this.#points.length - 1]?.at ?? 0);
    this.#uncalibrated = data.predictions?.uncalibrated ?? false;
    this.#draw();
  }

  /** @param {{range?: string, view?: string, forecast?: boolean}} chosen */
  #choose(chosen) {
    if (chosen.range) this.#zoom = null;
    this.#range = chosen.range ?? this.#range;
    this.#view = chosen.view ?? this.#view;
    this.#forecast = chosen.forecast ?? this.#forecast;
    const query = new URLSearchParams();
    if (this.#range !== "all") query.set("range", this.#range);
    if (this.#view !== "separate") query.set("view", this.#view);
    if (!this.#forecast) query.set("forecast", "off");
    history.replaceState(history.state, "", `#/tweets/${this.v.id}${query.size ? `?${query}` : ""}`);
    this.#draw();
  }

  /** The stretch of time that the range names: it ends with the last look-up. @returns {[number, number]} */
  #whole() {
    const last = this.#points[this.#points.length - 1]?.at ?? 0;
    const seconds = ranges.find(([key]) => key === this.#range)?.[2] ?? Infinity;
    return [Math.max(this.#points[0]?.at ?? 0, last - seconds), last];
  }

  /** @param {[number, number] | null} span */
  #setZoom(span) {
    this.#zoom = span && span[1] - span[0] >= 60 ? span : null;
    this.#draw();
  }

  /** @param {number} factor of the time that is shown */
  #scale(factor) {
    const [from, to] = this.#zoom ?? this.#whole();
    const [first, last] = [this.#points[0]?.at ?? 0, this.#points[this.#points.length - 1]?.at ?? 0];
    const [middle, half] = [(from + to) / 2, Math.max(((to - from) * factor) / 2, 60)];
    const span = /** @type {[number, number]} */ ([Math.max(middle - half, first), Math.min(middle + half, last)]);
    this.#setZoom(span[0] <= first && span[1] >= last ? null : span);
  }

  #draw() {
    this.range.mark(this.#range);
    this.views.mark(this.#view);
    this.ahead.setAttribute("aria-pressed", String(this.#forecast));
    this.ahead.hidden = this.#ahead.length === 0;
    this.reset.disabled = this.#zoom === null;
    const span = this.#zoom ?? this.#whole();
    const latest = this.#points[this.#points.length - 1]?.counts ?? {};
    const ahead = this.#forecast && !this.#zoom ? fairly(this.#ahead, span, Object.fromEntries(metrics.map((m) => [m.counter, latest[m.key] ?? null]))) : [];
    const ends = /** @type {[number, number]} */ ([span[0], ahead[ahead.length - 1]?.at ?? span[1]]);
    const shown = this.#view === "separate" ? this.small : [this.#view === "log" ? this.one : this.indexed];
    // Charts are drawn once they are in the page.
    if (this.body.dataset.view !== this.#view) {
      this.body.dataset.view = this.#view;
      fill(this.body, this.#view === "separate" ? h("div", { class: "multiples" }, ...shown.map((c, i) => h("div", {}, h("h3", {}, metrics[i].label), c.root))) : shown[0].root);
    }
    const times = [...this.#points.map((p) => p.at), ...ahead.map((a) => a.at)];
    const lines = metrics.map((m) => lineOf(m, this.#points, ahead, this.#view === "indexed"));
    this.#charts().forEach((c) => c.setSpan(ends));
    if (this.#view === "separate") shown.forEach((c, i) => c.set(times, [lines[i]]));
    else shown[0].set(times, lines);
    const moving = this.#points.filter((p) => p.velocity !== null);
    this.speed.set(moving.map((p) => p.at), [{ key: "velocity", label: "An hour", colour: 1, values: moving.map((p) => p.velocity), area: true }]);
    this.note.hidden = ahead.length === 0;
    this.note.textContent = this.#uncalibrated
      ? "Dotted: forecast with its range, which is uncalibrated: it was not learnt on tweets of this zone, and may hold far less than 80% of what comes."
      : "Dotted: forecast with its 80% range.";
    this.#drawTable(span);
    this.o.onSpan(this.#points, span, this.#zoom ? "in what is shown" : this.#range === "all" ? "since the first look-up" : `in ${ranges.find(([key]) => key === this.#range)?.[1]}`);
  }

  /** The charts that are shown. */
  #charts() {
    return [...(this.#view === "separate" ? this.small : [this.#view === "log" ? this.one : this.indexed]), this.speed];
  }

  /** @param {[number, number]} span */
  #drawTable(span) {
    const points = within(this.#points, span).reverse();
    if (this.#points.length === 0) return void fill(this.table, empty("No snapshot yet", clockSpeed() === 1 ? "The first one comes soon." : "The first one comes in a moment."));
    if (points.length === 0) return void fill(this.table, empty("No look-up in this time", "Show a longer range."));
    const rows = this.#allRows ? points : points.slice(0, shownPoints);
    const cell = (/** @type {Point} */ p, /** @type {string} */ key) => h("td", { class: "right" }, count(p.counts[key]),
      p.changes[key] ? h("span", { class: "delta" }, ` ${change(p.changes[key])}`) : null);
    fill(this.table, h("table", { class: "pinned" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), ...metrics.map((m) => h("th", { scope: "col", class: "right" }, m.label)), h("th", { scope: "col", class: "right" }, "Per hour"))),
      h("tbody", {}, ...rows.map((p) => h("tr", {}, h("td", {}, when(p.time), p.stored ? null : h("span", { class: "muted small block" }, "too soon for a snapshot")),
        ...metrics.map((m) => cell(p, m.key)), h("td", { class: "right" }, decimal(p.velocity)))))),
    rows.length === points.length ? null : h("button", { type: "button", class: "button small", onclick: () => { this.#allRows = true; this.#drawTable(span); } }, `Show all ${plural(points.length, "look-up")}`));
  }

  #saveTable() {
    const points = within(this.#points, this.#zoom ?? this.#whole());
    download(`${this.o.name}.csv`, new Blob([csvOf(points)], { type: "text/csv" }));
  }

  #savePicture() {
    const [from, to] = this.#zoom ?? this.#whole();
    picture(`${this.o.name}, ${when(from * 1000)} to ${when(to * 1000)}`, this.#charts())
      .then((blob) => download(`${this.o.name}.png`, blob))
      .catch((err) => toast(err.message, "bad"));
  }
}

/**
 * A row of buttons of which one is pressed.
 * @param {string} label
 * @param {[string, string, ...any[]][]} options
 * @param {(key: string) => void} choose
 */
function choice(label, options, choose) {
  const buttons = options.map(([key, text, title]) => h("button", { type: "button", class: "button small", "data-key": key, title: typeof title === "string" ? title : null, onclick: () => choose(key) }, text));
  return {
    root: h("div", { class: "group", role: "group", "aria-label": label }, ...buttons),
    /** @param {string} chosen */
    mark: (chosen) => buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.key === chosen))),
  };
}

/**
 * The line of a count, and its forecast where there is one.
 * @param {typeof metrics[number]} m
 * @param {Point[]} points
 * @param {import("../forecast.js").Ahead[]} ahead
 * @param {boolean} indexed
 * @returns {import("../chart.js").Line}
 */
function lineOf(m, points, ahead, indexed) {
  const known = points.map((p) => p.counts[m.key]);
  const latest = known[known.length - 1] ?? null;
  const value = (/** @type {number | null} */ n) => (n === null ? null : !indexed ? n : latest ? (n / latest) * 100 : null);
  const whole = (/** @type {number | null} */ n) => (n !== null && Math.abs(n) >= 1e7 ? compact(n) : count(n === null ? null : Math.round(n)));
  const line = {
    key: m.key, label: m.label, colour: m.colour, values: [...known.map(value), ...ahead.map(() => null)],
    format: (/** @type {number | null} */ n) => (indexed ? (n === null ? "–" : `${decimal(n, 1)}%`) : whole(n)),
  };
  if (latest === null || !ahead.some((a) => a.counts[m.counter])) return line;
  // The forecast begins where the curve ends.
  const begin = [...known.slice(0, -1).map(() => null), value(latest)];
  /** @param {"mean" | "low" | "high"} which */
  const part = (which) => [...begin, ...ahead.map((a) => value(a.counts[m.counter]?.[which] ?? null))];
  return { ...line, ahead: part("mean"), low: part("low"), high: part("high") };
}
