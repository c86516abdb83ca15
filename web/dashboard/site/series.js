// The counts of a tweet over time: the one source of what its page shows. Cards, charts,
// table and file are all drawn from it, so that they cannot differ.

/** The six counts, by the names of the product's columns. */
export const metrics = [
  { key: "like_count", counter: "likes", label: "Likes", colour: 1 },
  { key: "retweet_count", counter: "retweets", label: "Retweets", colour: 2 },
  { key: "reply_count", counter: "replies", label: "Replies", colour: 3 },
  { key: "quote_count", counter: "quotes", label: "Quotes", colour: 4 },
  { key: "bookmark_count", counter: "bookmarks", label: "Bookmarks", colour: 5 },
  { key: "view_count", counter: "views", label: "Views", colour: 6 },
];

/**
 * @typedef {object} Point
 * @property {number} at seconds since 1970
 * @property {string} time the same, as it was sent
 * @property {Record<string, number | null>} counts by key; null: not known
 * @property {Record<string, number | null>} changes since the last known count
 * @property {number | null} velocity
 * @property {string} provider
 * @property {boolean} changed the snapshot before is another provider's
 * @property {boolean} stored false for the last look-up, when it came too soon for a snapshot
 */

/**
 * The snapshots of a tweet, and its last look-up where that is newer than all of them.
 * @param {any} data as the server sends it
 * @returns {Point[]} the oldest first
 */
export function seriesOf(data) {
  const seen = [...data.snapshots];
  const last = seen[seen.length - 1];
  const newer = data.last_updated && (!last || Date.parse(data.last_updated) > Date.parse(last.snapshot_at));
  if (newer) seen.push({ ...data.metrics, snapshot_at: data.last_updated, engagement_velocity: null, provider: "", unstored: true });
  /** @type {Record<string, number | null>} */
  const before = {};
  return seen.map((s) => {
    /** @type {Point} */
    const p = { at: Date.parse(s.snapshot_at) / 1000, time: s.snapshot_at, counts: {}, changes: {}, velocity: s.engagement_velocity, provider: s.provider ?? "", changed: s.provider_changed ?? false, stored: !s.unstored };
    for (const { key } of metrics) {
      const n = s[key] ?? null;
      p.counts[key] = n;
      p.changes[key] = n === null || before[key] == null ? null : n - before[key];
      before[key] = n ?? before[key] ?? null;
    }
    return p;
  });
}

/**
 * The points of a stretch of time.
 * @param {Point[]} points
 * @param {[number, number]} span
 */
export const within = (points, [from, to]) => points.filter((p) => p.at >= from && p.at <= to);

/**
 * How much a count has grown in a stretch of time; null: not known.
 * @param {Point[]} points
 * @param {[number, number]} span
 * @param {string} key
 */
export function growth(points, [from, to], key) {
  const known = points.filter((p) => p.counts[key] !== null && p.at <= to);
  const last = known[known.length - 1];
  const first = known.findLast((p) => p.at <= from) ?? known[0];
  return !last || first === last ? null : /** @type {number} */ (last.counts[key]) - /** @type {number} */ (first.counts[key]);
}

const columns = ["snapshot_at", ...["retweet", "reply", "like", "quote", "view", "bookmark"].map((n) => `${n}_count`), "total_engagement",
  "delta_retweets", "delta_replies", "delta_likes", "delta_quotes", "delta_views", "engagement_velocity", "provider", "provider_changed"];

/**
 * A table as the server's CSV has it. An unknown count is empty.
 * @param {Point[]} points
 */
export function csvOf(points) {
  const cell = (/** @type {any} */ v) => (v === null || v === undefined ? "" : String(v));
  const [views, rest] = [["view_count"], ["retweet_count", "reply_count", "like_count", "quote_count"]];
  const lines = points.map((p) => [
    p.time, ...columns.slice(1, 7).map((key) => p.counts[key]), rest.reduce((sum, key) => sum + (p.counts[key] ?? 0), 0),
    ...[...rest, ...views].map((key) => p.changes[key]), p.velocity, p.provider, p.changed,
  ].map(cell).join(","));
  return [columns.join(","), ...lines, ""].join("\n");
}
