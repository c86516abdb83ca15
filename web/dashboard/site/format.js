// Numbers and times as people read them: in their own language and zone.

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const zoneName = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" });

/** @param {number | null | undefined} n */
export const count = (n) => (n === null || n === undefined ? "–" : whole.format(n));

/**
 * A number of things, in the singular when it is one.
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 */
export const plural = (n, one, many = `${one}s`) => `${whole.format(n)} ${n === 1 ? one : many}`;

/** @param {number | null | undefined} n */
export const compact = (n) => (n === null || n === undefined ? "–" : Math.abs(n) < 10_000 ? whole.format(Math.round(n)) : short.format(n));

/**
 * A number of up to so many digits after the point.
 * @param {number | null | undefined} n
 * @param {number} [digits]
 */
export function decimal(n, digits = 1) {
  if (n === null || n === undefined) return "–";
  return new Intl.NumberFormat(undefined, { maximumFractionDigits: digits }).format(n);
}

/**
 * A change, with its sign.
 * @param {number | null | undefined} n
 */
export function change(n) {
  if (n === null || n === undefined) return "–";
  return n > 0 ? `+${whole.format(n)}` : whole.format(n);
}

/**
 * A share as a percentage. It never rounds to 0 or to 100 what is neither.
 * @param {number | null | undefined} share
 */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  let p = share * 100;
  if (p > 99.99 && p < 100) p = 99.99;
  if (p < 0.01 && p > 0) p = 0.01;
  return `${decimal(p, p > 99 || p < 1 ? 2 : 1)}%`;
}

/**
 * A duration in its largest units.
 * @param {number} s seconds
 */
export function duration(s) {
  if (s < 0.95) return `${decimal(s, 1)} s`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min`;
  if (s < 36 * 3600) return `${decimal(s / 3600, 1)} h`;
  return `${decimal(s / 86400, 1)} days`;
}

/** @param {string | number | Date} at */
export const when = (at) => moment.format(new Date(at));

/** The viewer's time zone, such as "CET". */
export const zone = () => zoneName.formatToParts(new Date()).find((p) => p.type === "timeZoneName")?.value ?? "local time";

/**
 * The name of a tier for people.
 * @param {string} tier
 */
export const tierName = (tier) => ({ ultra_hot: "Ultra hot", hot: "Hot", warm: "Warm", cold: "Cold" })[tier] ?? tier;
