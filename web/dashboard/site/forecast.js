// Forecasts, as they are stored with a tweet.

/**
 * @typedef {{mean: number, low: number, high: number}} Range
 * @typedef {{at: number, counts: Record<string, Range>}} Ahead a moment to come, in seconds since 1970
 */

const shortest = 3.1 * 3600; // seconds of a forecast that are shown always

/**
 * Reads the forecast of a tweet: nothing when there is none, or when it is older
 * than the last look.
 * @param {any} data
 * @returns {Ahead[]} the earliest first
 */
export function aheadOf(data) {
  const p = data.predictions;
  if (!p || !Array.isArray(p.horizons)) return [];
  /** @type {Ahead[]} */
  const ahead = [];
  for (const step of p.horizons) {
    const at = Date.parse(step.at) / 1000;
    if (!Number.isFinite(at)) continue;
    ahead.push({ at, counts: step.counts ?? {} });
  }
  const last = data.snapshots[data.snapshots.length - 1];
  const now = last ? Date.parse(last.snapshot_at) / 1000 : 0;
  // What is known would be squeezed into a corner by a forecast much longer than it.
  const first = data.snapshots.length ? Date.parse(data.snapshots[0].snapshot_at) / 1000 : 0;
  const furthest = now + Math.max(now - first, shortest);
  return ahead.filter((a) => a.at > now && a.at <= furthest).sort((a, b) => a.at - b.at);
}
