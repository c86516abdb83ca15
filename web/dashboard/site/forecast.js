// Forecasts, as they are sent with a tweet.

/**
 * @typedef {{mean: number, low: number, high: number}} Range
 * @typedef {{at: number, counts: Record<string, Range>}} Ahead a moment to come, in seconds since 1970
 */

/** A forecast takes at most this share of what is shown: it must not squeeze what is known into a corner. */
const fairShare = 1 / 3;

/**
 * Reads the forecast of a tweet: nothing when there is none, or when it is older than
 * the last look-up.
 * @param {any} data
 * @param {number} last when it was last looked up
 * @returns {Ahead[]} the earliest first
 */
export function aheadOf(data, last) {
  const steps = data.predictions?.horizons;
  if (!Array.isArray(steps)) return [];
  return steps.map((step) => ({ at: Date.parse(step.at) / 1000, counts: step.counts ?? {} }))
    .filter((a) => a.at > last)
    .sort((a, b) => a.at - b.at);
}

/**
 * What of a forecast is shown after a stretch of time: as much as is fair, cut off between
 * two of its moments if need be.
 * @param {Ahead[]} ahead
 * @param {[number, number]} span
 * @param {Record<string, number | null>} latest counts at its end, by counter
 * @returns {Ahead[]}
 */
export function fairly(ahead, [from, to], latest) {
  const end = to + ((to - from) * fairShare) / (1 - fairShare);
  const next = ahead.findIndex((a) => a.at > end);
  if (next < 0) return ahead;
  const before = next > 0 ? ahead[next - 1] : null;
  const [start, length] = [before?.at ?? to, ahead[next].at - (before?.at ?? to)];
  /** @type {Ahead["counts"]} */
  const counts = {};
  for (const [name, there] of Object.entries(ahead[next].counts)) {
    const now = latest[name] ?? null;
    const here = before?.counts[name] ?? (now === null ? there : { mean: now, low: now, high: now });
    const at = (/** @type {"mean" | "low" | "high"} */ which) => here[which] + ((there[which] - here[which]) * (end - start)) / length;
    counts[name] = { mean: at("mean"), low: at("low"), high: at("high") };
  }
  return [...ahead.slice(0, next), { at: end, counts }];
}
