// Small curves.

import { svg } from "./dom.js";
import { count } from "./format.js";

const width = 120;
const height = 32;
const edge = 3;

/**
 * A curve of how a number went, with a dot where it stands now.
 * @param {{at: string, total: number}[]} points the oldest first
 */
export function sparkline(points) {
  const label = points.length < 2 ? "no curve yet" : `from ${count(points[0].total)} to ${count(points[points.length - 1].total)} in ${points.length} snapshots`;
  const box = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, preserveAspectRatio: "none" });
  if (points.length < 2) {
    box.append(svg("line", { class: "spark-none", x1: edge, x2: width - edge, y1: height / 2, y2: height / 2 }));
    return box;
  }
  const times = points.map((p) => Date.parse(p.at));
  const totals = points.map((p) => p.total);
  const [t0, t1] = [times[0], times[times.length - 1]];
  const [low, high] = [Math.min(...totals), Math.max(...totals)];
  const x = (/** @type {number} */ t) => edge + ((t - t0) / Math.max(t1 - t0, 1)) * (width - 2 * edge);
  const y = (/** @type {number} */ n) => (high === low ? height / 2 : height - edge - ((n - low) / (high - low)) * (height - 2 * edge));
  const path = points.map((p, i) => `${i ? "L" : "M"}${x(times[i]).toFixed(1)} ${y(p.total).toFixed(1)}`).join("");
  box.append(
    svg("path", { class: "spark-area", d: `${path}L${x(t1).toFixed(1)} ${height}L${x(t0).toFixed(1)} ${height}Z` }),
    svg("path", { class: "spark-line", d: path }),
    svg("circle", { class: "spark-dot", cx: x(t1).toFixed(1), cy: y(totals[totals.length - 1]).toFixed(1), r: 2.2 }),
  );
  return box;
}
