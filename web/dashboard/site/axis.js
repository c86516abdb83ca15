// What stands beside the axes of charts: one unit an axis, and no finer times than
// are told apart.

import { decimal } from "./format.js";

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** Steps of time, in seconds. Those below a minute are only for the shortest stretches. */
const times = [1, 5, 15, 30, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour,
  day, 2 * day, 7 * day, 14 * day, 30 * day, 91 * day, 182 * day, 365 * day, 730 * day, 3650 * day];

/**
 * @param {any} _u
 * @param {number} _axis
 * @param {number} from
 * @param {number} to
 */
export const timeSteps = (_u, _axis, from, to) => (to - from > 5 * minute ? times.filter((s) => s >= minute) : times);

/** Steps of whole numbers. */
export const wholeSteps = Array.from({ length: 16 }, (_, e) => [1, 2, 5].map((n) => n * 10 ** e)).flat();

const yearFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const minuteFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const secondFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/**
 * @param {any} _u
 * @param {number[]} splits seconds since 1970
 * @param {number} _axis
 * @param {number} _space
 * @param {number} step
 */
export function timeLabels(_u, splits, _axis, _space, step) {
  const years = splits.length > 1 && new Date(splits[0] * 1000).getFullYear() !== new Date(splits[splits.length - 1] * 1000).getFullYear();
  let shown = "";
  return splits.map((s) => {
    const at = new Date(s * 1000);
    const date = (years && step >= day ? yearFormat : dayFormat).format(at);
    if (step >= day) return date;
    const text = (step < minute ? secondFormat : minuteFormat).format(at);
    const label = date !== shown ? `${text}\n${date}` : text;
    shown = date;
    return label;
  });
}

/** @type {[number, string][]} */
const units = [[1e9, "B"], [1e6, "M"], [1e3, "K"], [1, ""]];

/** @param {number} n */
const unitOf = (n) => units.find(([size]) => n >= (size === 1e3 ? 1e4 : size)) ?? [1, ""];

/**
 * Labels of values, all in the unit of the largest; on a logarithmic axis, which spans
 * several, each in its own.
 * @param {boolean} log
 * @param {string} suffix
 */
export const valueLabels = (log, suffix) => (/** @type {any} */ _u, /** @type {number[]} */ splits) => {
  const largest = Math.max(...splits.map(Math.abs));
  const [one, name] = unitOf(largest);
  const step = splits.length > 1 ? Math.abs(splits[1] - splits[0]) / one : 1;
  const digits = Math.min(Math.max(Math.ceil(-Math.log10(step) - 1e-9), 0), 3);
  return splits.map((n) => {
    if (n === null) return null; // too close to others
    if (n === 0) return `0${suffix}`;
    if (!log) return `${decimal(n / one, digits)}${name}${suffix}`;
    const [own, its] = unitOf(Math.abs(n));
    return `${decimal(n / own, 1)}${its}${suffix}`;
  });
};
