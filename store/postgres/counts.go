package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
)

// Counts are six nullable columns, in the order of the tables: retweets, replies,
// likes, quotes, views, bookmarks.
type Counts [6]pgtype.Int4

// CountColumns and DeltaColumns name the columns of counts and of deltas, in the
// order of the tables. They may refuse null.
var (
	CountColumns = [6]string{"retweet_count", "reply_count", "like_count", "quote_count", "view_count", "bookmark_count"}
	DeltaColumns = [5]string{"delta_retweets", "delta_replies", "delta_likes", "delta_quotes", "delta_views"}
)

// HistoryTable holds the snapshots.
const HistoryTable = "twitter_engagement_history"

// HistoryPartitions lists the partitions of the history that are the engine's, but for the
// default one: name, and the time from first until past, which is a day or a month (UTC).
const HistoryPartitions = partitionsBefore + "public.twitter_engagement_history" + partitionsAfter

// PartitionsOf is HistoryPartitions for a table that is partitioned like the history.
func PartitionsOf(table string) string { return partitionsBefore + table + partitionsAfter }

const (
	partitionsBefore = `
	select c.relname::text as name, d.first at time zone 'UTC' as first,
		(d.first + case when c.relname ~ '_\d{2}_\d{2}$' then interval '1 day' else interval '1 month' end) at time zone 'UTC' as past
	from pg_inherits i join pg_class c on c.oid = i.inhrelid
	cross join lateral (
		select case when c.relname ~ '^history_\d{4}_\d{2}' then to_date(substr(c.relname, 9), 'YYYY_MM_DD')::timestamp end as first) d
	where i.inhparent = to_regclass('`
	partitionsAfter = `')
	and c.relnamespace = to_regnamespace('gorgone') and c.relname ~ '^history_\d{4}_\d{2}(_\d{2})?$'`
)

// Curve is a subquery for all snapshots: the points of the history, and of each row the
// last snapshot where that is not recorded because it repeats the point before. Its total
// is what total_engagement is; id is null for the latter.
const Curve = `(
	select h.tweet_id, h.snapshot_at, h.id, h.engagement_velocity::float8 as velocity, h.provider, h.provider_changed, h.pushed, h.total_engagement as total,
		h.retweet_count, h.reply_count, h.like_count, h.quote_count, h.view_count, h.bookmark_count,
		h.delta_retweets, h.delta_replies, h.delta_likes, h.delta_quotes, h.delta_views
	from public.twitter_engagement_history h
	union all
	select k.tweet_db_id, k.snapshot_at, null::uuid, k.snapshot_velocity, k.snapshot_provider, false, null::boolean,
		coalesce(k.snapshot_retweets, 0) + coalesce(k.snapshot_replies, 0) + coalesce(k.snapshot_likes, 0) + coalesce(k.snapshot_quotes, 0),
		k.snapshot_retweets, k.snapshot_replies, k.snapshot_likes, k.snapshot_quotes, k.snapshot_views, k.snapshot_bookmarks,
		k.snapshot_retweets - k.snapshot_retweets, k.snapshot_replies - k.snapshot_replies, k.snapshot_likes - k.snapshot_likes,
		k.snapshot_quotes - k.snapshot_quotes, k.snapshot_views - k.snapshot_views
	from public.twitter_engagement_tracking k where k.unrecorded_at = k.snapshot_at
)`

// Dest returns the destinations of the six columns.
func (c *Counts) Dest() []any {
	return []any{&c[0], &c[1], &c[2], &c[3], &c[4], &c[5]}
}

// Metrics returns the counts; those that are null are unknown.
func (c *Counts) Metrics() engagement.Metrics {
	return engagement.Metrics{
		Retweets: Known(c[0]), Replies: Known(c[1]), Likes: Known(c[2]),
		Quotes: Known(c[3]), Views: Known(c[4]), Bookmarks: Known(c[5]),
	}
}

// CountsOf returns metrics as columns.
func CountsOf(m engagement.Metrics) Counts {
	return Counts{
		Nullable(m.Retweets), Nullable(m.Replies), Nullable(m.Likes),
		Nullable(m.Quotes), Nullable(m.Views), Nullable(m.Bookmarks),
	}
}

// Known returns the count in a nullable column.
func Known(n pgtype.Int4) engagement.Count {
	if !n.Valid {
		return engagement.Count{}
	}
	return engagement.Known(int64(n.Int32))
}

// Nullable converts a count that was range-checked.
func Nullable(c engagement.Count) pgtype.Int4 {
	n, ok := c.Get()
	return pgtype.Int4{Int32: int32(n), Valid: ok} // #nosec G115 -- checked by engagement
}

// TimeOf is the time in a nullable column; null is the zero time.
func TimeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// NullTime is the reverse of TimeOf.
func NullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
