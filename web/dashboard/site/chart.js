// Curves over time: uPlot, in the colours of the page, with a legend of our own
// that switches lines, shows what stands under the pointer, and needs no mouse.

import uPlotLibrary from "./vendor/uPlot.js";
import { fill, h, svg } from "./dom.js";
import { compact, decimal, when } from "./format.js";

/** The library is plain JavaScript. */
const uPlot = /** @type {any} */ (uPlotLibrary);

/**
 * @typedef {object} Line
 * @property {string} key
 * @property {string} label
 * @property {number} colour of the page's palette, from 1; each has a dash pattern too
 * @property {(number | null)[]} values
 * @property {boolean} [right] on the axis to the right
 * @property {boolean} [area] filled down to 0
 * @property {boolean} [off] not shown at first
 * @property {(number | null)[]} [ahead] a forecast, with
 * @property {(number | null)[]} [low] its lower and
 * @property {(number | null)[]} [high] upper end
 * @property {(n: number | null) => string} [format]
 */

/** Lines are told apart by these as well as by colour. */
const dashes = [[], [10, 4], [2, 3], [10, 3, 2, 3], [16, 5], [5, 3]];

const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const hourFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const secondFormat = new Intl.DateTimeFormat(undefined, { minute: "2-digit", second: "2-digit" });

/**
 * @param {any} _u
 * @param {number[]} splits seconds since 1970
 * @param {number} _axis
 * @param {number} _space
 * @param {number} step
 */
function timeLabels(_u, splits, _axis, _space, step) {
  let day = "";
  return splits.map((s) => {
    const at = new Date(s * 1000);
    const today = dayFormat.format(at);
    if (step >= 86400) return today;
    const text = step < 60 ? secondFormat.format(at) : hourFormat.format(at);
    const label = step >= 60 && today !== day ? `${text}\n${today}` : text;
    day = today;
    return label;
  });
}

/** @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Chart {
  /** @type {any} */ #plot = null;
  /** @type {number[]} */ #times = [];
  /** @type {Line[]} */ #lines = [];
  /** @type {Set<string>} */ #off = new Set();
  #known = new Set();
  #log = false;
  #box = h("div", { class: "chart-box" });
  #legend = h("div", { class: "legend", role: "group", "aria-label": "Lines" });
  #said = h("p", { class: "visually-hidden", "aria-live": "polite" });
  #stamp = h("span", { class: "legend-time" });
  #resize = new ResizeObserver(() => this.#fit());
  #restyle = () => this.#draw();

  /**
   * @param {{height: number, label: string, legend?: boolean}} o
   */
  constructor(o) {
    this.height = o.height;
    const figure = h("div", {
      class: "chart", tabindex: "0", role: "img", "aria-label": `${o.label}. Arrow keys read it out.`,
      onkeydown: (/** @type {KeyboardEvent} */ e) => this.#key(e),
    }, this.#box);
    this.root = h("div", { class: "chart-wrap" }, o.legend === false ? null : this.#legend, figure, this.#said);
    this.#resize.observe(this.#box);
    window.addEventListener("themechange", this.#restyle);
  }

  destroy() {
    this.#resize.disconnect();
    window.removeEventListener("themechange", this.#restyle);
    this.#plot?.destroy();
  }

  /**
   * Shows lines. Those that were switched off stay so.
   * @param {number[]} times seconds since 1970, ascending
   * @param {Line[]} lines
   */
  set(times, lines) {
    for (const l of lines) {
      if (l.off && !this.#known.has(l.key)) this.#off.add(l.key);
      this.#known.add(l.key);
    }
    const same = this.#plot && lines.length === this.#lines.length && lines.every((l, i) => l.key === this.#lines[i].key && !l.ahead === !this.#lines[i].ahead);
    this.#times = times;
    this.#lines = lines;
    if (same) this.#plot.setData(this.#data());
    else this.#draw();
    this.#tell(null);
  }

  /** @param {boolean} on */
  setLog(on) {
    this.#log = on;
    this.#draw();
  }

  #data() {
    /** @type {any[]} */
    const data = [this.#times];
    for (const l of this.#lines) {
      data.push(l.values);
      if (l.ahead) data.push(l.ahead, l.low, l.high);
    }
    return data;
  }

  #draw() {
    this.#plot?.destroy();
    this.#plot = null;
    if (!this.#box.isConnected || this.#lines.length === 0) return;
    const ink = colour("--muted");
    const grid = { stroke: colour("--grid"), width: 1 };
    /** @type {any[]} */
    const series = [{}];
    /** @type {any[]} */
    const bands = [];
    for (const l of this.#lines) {
      const show = !this.#off.has(l.key);
      const stroke = colour(`--c${l.colour}`);
      const scale = l.right ? "right" : "y";
      series.push({
        show, scale, stroke, width: 2, dash: dashes[(l.colour - 1) % dashes.length], spanGaps: true,
        fill: l.area ? `${stroke}26` : undefined,
        points: { show: this.#times.length < 25, size: 5, fill: stroke, stroke },
      });
      if (l.ahead) {
        const at = series.length;
        series.push(
          { show, scale, stroke, width: 1.5, dash: [3, 4], spanGaps: true, points: { show: true, size: 6, fill: colour("--card"), stroke } },
          { show, scale, width: 0, stroke: "transparent", points: { show: false }, spanGaps: true },
          { show, scale, width: 0, stroke: "transparent", points: { show: false }, spanGaps: true },
        );
        bands.push({ series: [at + 2, at + 1], fill: `${stroke}2e` });
      }
    }
    const upTo = (/** @type {any} */ _u, /** @type {number} */ _min, /** @type {number} */ max) => [0, max > 0 ? max * 1.06 : 1];
    const y = { distr: this.#log ? 4 : 1, range: this.#log ? undefined : upTo };
    const axis = { stroke: ink, grid, ticks: { show: false }, font: `12px ${colour("--font")}`, values: (/** @type {any} */ _u, /** @type {number[]} */ v) => v.map((n) => (Math.abs(n) < 10 ? decimal(n, 1) : compact(n))), size: 52 };
    this.#plot = new uPlot({
      width: Math.max(this.#box.clientWidth, 120), height: this.height, series, bands,
      legend: { show: false }, padding: [10, 4, 0, 0],
      scales: { x: { time: true }, y, right: y },
      axes: [
        { ...axis, values: timeLabels, size: 40, space: 70 },
        axis,
        ...(this.#lines.some((l) => l.right && !this.#off.has(l.key)) ? [{ ...axis, scale: "right", side: 1, grid: { show: false } }] : []),
      ],
      cursor: { drag: { x: true, y: false }, points: { size: 8 } },
      hooks: { setCursor: [(/** @type {any} */ u) => this.#tell(u.cursor.idx)] },
    }, this.#data(), this.#box);
    this.#drawLegend();
  }

  #fit() {
    if (!this.#plot) this.#draw();
    else if (this.#box.clientWidth > 0) this.#plot.setSize({ width: this.#box.clientWidth, height: this.height });
  }

  #drawLegend() {
    const buttons = this.#lines.map((l) => {
      const swatch = svg("svg", { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" },
        svg("line", { class: `line-${l.colour}`, x1: 0, y1: 5, x2: 28, y2: 5, "stroke-dasharray": dashes[(l.colour - 1) % dashes.length].join(" ") }));
      return h("button", {
        type: "button", class: "legend-item", "aria-pressed": String(!this.#off.has(l.key)), "data-line": l.key,
        onclick: () => this.#toggle(l.key),
      }, swatch, h("span", { class: "legend-label" }, l.label), h("span", { class: "legend-value" }));
    });
    fill(this.#legend, ...buttons, this.#stamp);
  }

  /** @param {string} key */
  #toggle(key) {
    if (!this.#off.delete(key)) this.#off.add(key);
    this.#draw();
    this.#tell(null);
    /** @type {HTMLElement | null} */ (this.#legend.querySelector(`[data-line="${key}"]`))?.focus();
  }

  /**
   * Shows the values at a place, or the last ones.
   * @param {number | null | undefined} place
   */
  #tell(place) {
    const at = place ?? this.#lastKnown();
    this.#lines.forEach((l, i) => {
      const cell = this.#legend.children[i]?.querySelector(".legend-value");
      const value = l.values[at] ?? l.ahead?.[at] ?? null;
      const span = l.values[at] === null && l.low?.[at] != null ? ` (${compact(l.low[at])} to ${compact(l.high?.[at])})` : "";
      if (cell) cell.textContent = (l.format ?? compact)(value) + span;
    });
    const time = this.#times[at];
    this.#stamp.textContent = time === undefined ? "" : (place === null || place === undefined ? "latest, " : "") + when(time * 1000);
  }

  /** The last place with a value that is no forecast. */
  #lastKnown() {
    for (let i = this.#times.length - 1; i >= 0; i--) {
      if (this.#lines.some((l) => l.values[i] !== null && l.values[i] !== undefined)) return i;
    }
    return this.#times.length - 1;
  }

  /** @param {KeyboardEvent} e */
  #key(e) {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[e.key];
    if (step === undefined || !this.#plot || this.#times.length === 0) return;
    e.preventDefault();
    const last = this.#times.length - 1;
    const place = Math.min(Math.max((this.#plot.cursor.idx ?? this.#lastKnown()) + step, 0), last);
    this.#plot.setCursor({ left: this.#plot.valToPos(this.#times[place], "x"), top: this.#plot.bbox.height / 2 / devicePixelRatio });
    const values = this.#lines.filter((l) => !this.#off.has(l.key)).map((l) => `${l.label} ${(l.format ?? compact)(l.values[place] ?? l.ahead?.[place] ?? null)}`);
    this.#said.textContent = `${when(this.#times[place] * 1000)}: ${values.join(", ")}`;
  }
}
