// Curves over time: uPlot, in the colours of the page, with a legend of our own
// that switches lines, shows what stands under the pointer, and needs no mouse.

import uPlotLibrary from "./vendor/uPlot.js";
import { fill, h, svg } from "./dom.js";
import { timeLabels, timeSteps, valueLabels, wholeSteps } from "./axis.js";
import { compact, when } from "./format.js";

/** The library is plain JavaScript. */
const uPlot = /** @type {any} */ (uPlotLibrary);

/**
 * @typedef {object} Line
 * @property {string} key
 * @property {string} label
 * @property {number} colour of the page's palette, from 1; each has a dash pattern too
 * @property {(number | null)[]} values
 * @property {boolean} [area] filled down to 0
 * @property {boolean} [off] not shown at first
 * @property {(number | null)[]} [ahead] a forecast, with
 * @property {(number | null)[]} [low] its lower and
 * @property {(number | null)[]} [high] upper end
 * @property {(n: number | null) => string} [format]
 */

/** Lines are told apart by these as well as by colour. */
const dashes = [[], [10, 4], [2, 3], [10, 3, 2, 3], [16, 5], [5, 3]];

/** @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Chart {
  /** @type {any} */ #plot = null;
  /** @type {number[]} */ #times = [];
  /** @type {Line[]} */ #lines = [];
  /** @type {Set<string>} */ #off = new Set();
  #known = new Set();
  #log = false;
  /** @type {[number, number] | null} */ #span = null;
  #box = h("div", { class: "chart-box" });
  #legend = h("div", { class: "legend", role: "group", "aria-label": "Lines" });
  #said = h("p", { class: "visually-hidden", "aria-live": "polite" });
  #stamp = h("span", { class: "legend-time" });
  #resize = new ResizeObserver(() => this.#fit());
  #restyle = () => this.#draw();

  /**
   * @param {object} o
   * @param {number} o.height
   * @param {string} o.label
   * @param {boolean} [o.legend] false: none
   * @param {boolean} [o.tight] the axis need not begin at 0
   * @param {boolean} [o.whole] only whole numbers are on the axis
   * @param {string} [o.unit] of the axis, such as "%"
   * @param {string} [o.group] whose charts have one pointer
   * @param {(span: [number, number] | null) => void} [o.onZoom] when a part is drawn over, or all of it is asked for
   */
  constructor(o) {
    this.height = o.height;
    this.o = o;
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
    if (on === this.#log) return;
    this.#log = on;
    this.#draw();
  }

  /**
   * The part of time that is shown.
   * @param {[number, number] | null} span seconds since 1970; null: all
   */
  setSpan(span) {
    this.#span = span;
    if (this.#plot) this.#plot.setData(this.#data());
  }

  /** What is drawn, and its lines, for a picture; null before it is. */
  drawn() {
    return this.#plot && { canvas: /** @type {HTMLCanvasElement} */ (this.#plot.ctx.canvas), lines: this.#lines.filter((l) => !this.#off.has(l.key)), label: this.o.label };
  }

  /**
   * The ends of the time axis. A single moment has some minutes around it.
   * @param {any} _u
   * @param {number | null} first
   * @param {number | null} last
   */
  #ends = (_u, first, last) => {
    const [from, to] = this.#span ?? [first ?? 0, last ?? 0];
    const missing = Math.max(600 - (to - from), 0) / 2;
    return [from - missing, to + missing];
  };

  /**
   * The ends of the axis of values.
   * @param {any} _u
   * @param {number | null} min
   * @param {number | null} max
   */
  #reach = (_u, min, max) => {
    if (min === null || max === null || max <= 0) return [0, 1];
    if (!this.o.tight || min < 0.3 * max) return [0, max * 1.06];
    const edge = Math.max((max - min) * 0.08, max * 0.0005, this.o.whole ? 1 : 0);
    return [min - edge, max + edge];
  };

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
      const scale = "y";
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
    const log = this.#log;
    const axis = { stroke: ink, grid, ticks: { show: false }, font: `12px ${colour("--font")}` };
    const { group, onZoom, unit } = this.o;
    this.#plot = new uPlot({
      width: Math.max(this.#box.clientWidth, 120), height: this.height, series, bands,
      legend: { show: false }, padding: [10, 22, 0, 0],
      scales: { x: { time: true, range: this.#ends }, y: log ? { distr: 4 } : { range: this.#reach } },
      axes: [
        { ...axis, values: timeLabels, incrs: timeSteps, size: 40, space: 70 },
        { ...axis, values: valueLabels(log, unit ?? ""), size: 52, ...(this.o.whole && !log ? { incrs: wholeSteps } : {}) },
      ],
      cursor: {
        drag: { x: true, y: false, setScale: !onZoom }, points: { size: 8 }, sync: group ? { key: group, setSeries: false } : undefined,
        bind: onZoom ? { dblclick: () => () => void onZoom(null) } : {},
      },
      hooks: {
        setCursor: [(/** @type {any} */ u) => this.#tell(u.cursor.idx)],
        setSelect: [(/** @type {any} */ u) => this.#selected(u)],
      },
    }, this.#data(), this.#box);
    this.#drawLegend();
  }

  #fit() {
    if (!this.#plot) this.#draw();
    else if (this.#box.clientWidth > 0) this.#plot.setSize({ width: this.#box.clientWidth, height: this.height });
  }

  /** @param {any} u */
  #selected(u) {
    const { left, width } = u.select;
    if (!this.o.onZoom || width < 6) return;
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.o.onZoom([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
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
