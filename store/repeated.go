package store

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// A look-up that finds the counts as they were writes the tracking row only. Its snapshot
// is there: time, counts and velocity, marked as not recorded. The last of such a stretch
// is recorded when the stretch ends, so that the history has both ends of it, and its
// deltas and velocities are those between neighbours as ever.
const (
	// writeRepeated stores look-ups that repeat the last snapshot. What else such a look-up
	// ends is as in writeObserved. The velocity is 0 where a count that it is made of is known.
	writeRepeated = `
		update public.twitter_engagement_tracking k set
			tier = u.tier, last_updated_at = u.at, next_update_at = u.next, update_count = coalesce(k.update_count, 0) + 1,
			retry_at = null, attempts = 0, misses = 0, last_missed_at = null, doubts = 0, gone_reason = null,
			snapshot_at = u.at, unrecorded_at = u.at,
			snapshot_velocity = case when coalesce(k.snapshot_retweets, k.snapshot_replies, k.snapshot_likes, k.snapshot_quotes) is not null then 0 end,
			activity = null, activity_state = u.activity,
			claim_id = null, claimed_until = null
		from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bytea[]) u (id, tier, at, next, activity)
		where k.tweet_db_id = u.id`

	// recordRepeated records the last snapshots of rows, $2, that are not in the history, and
	// stands before the statement that replaces them. $4 to $15 are put where an adopted
	// history refuses null, or are null.
	recordRepeated = `
		insert into public.twitter_engagement_history (
			id, tweet_id, snapshot_at, created_at, provider, provider_changed, engagement_velocity,
			retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count,
			delta_retweets, delta_replies, delta_likes, delta_quotes, delta_views)
		select u.id, k.tweet_db_id, k.snapshot_at, $3::timestamptz, k.snapshot_provider, false, coalesce(k.snapshot_velocity, $4::float8)::numeric,
			coalesce(k.snapshot_retweets, $5::int4), coalesce(k.snapshot_replies, $6::int4), coalesce(k.snapshot_likes, $7::int4),
			coalesce(k.snapshot_quotes, $8::int4), coalesce(k.snapshot_views, $9::int4), coalesce(k.snapshot_bookmarks, $10::int4),
			case when k.snapshot_retweets is null then $11::int4 else 0 end, case when k.snapshot_replies is null then $12::int4 else 0 end,
			case when k.snapshot_likes is null then $13::int4 else 0 end, case when k.snapshot_quotes is null then $14::int4 else 0 end,
			case when k.snapshot_views is null then $15::int4 else 0 end
		from unnest($1::uuid[], $2::uuid[]) u (id, row)
		join public.twitter_engagement_tracking k on k.tweet_db_id = u.row
		where k.unrecorded_at = k.snapshot_at`
)

// repeated are the look-ups for writeRepeated.
type repeated struct {
	ids        []uuid.UUID
	tiers      []string
	at, next   []*time.Time
	activities [][]byte
}

// repeats reports whether an outcome, of which plain is true, is what writeRepeated writes.
func repeats(out *AppliedRow) bool {
	return out.After.Unrecorded && out.After.Metrics == out.Before.Metrics
}

func (a *repeated) add(out *AppliedRow) {
	t := &out.After
	a.ids, a.tiers = append(a.ids, out.Row), append(a.tiers, string(t.Tier))
	a.at, a.next = append(a.at, &t.SnapshotAt), append(a.next, postgres.NullTime(t.NextUpdateAt))
	a.activities = append(a.activities, postgres.PackActivity(t.Activity))
}

func (a *repeated) queue(b *pgx.Batch) {
	if n := len(a.ids); n > 0 {
		b.Queue(writeRepeated, a.ids, a.tiers, a.at, a.next, a.activities).Exec(postgres.Wrote(n, "tracking rows"))
	}
}

// queueEnds adds the statement that records the ends of stretches without change, where
// outcomes end them.
func queueEnds(b *pgx.Batch, writes []write, required map[string]bool, now time.Time) error {
	var ids, rows []uuid.UUID
	for _, w := range writes {
		if out := w.outcome; out.Before.Unrecorded && recorded(out) {
			id, err := uuid.NewV7()
			if err != nil {
				return fmt.Errorf("make an id: %w", err)
			}
			ids, rows = append(ids, id), append(rows, out.Row)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	args := []any{ids, rows, now, velocityOrZero(nil, required)}
	for _, column := range postgres.CountColumns {
		args = append(args, postgres.OrZero(pgtype.Int4{}, postgres.HistoryTable+"."+column, required))
	}
	for _, d := range deltasOf(&engagement.Snapshot{}, required) {
		args = append(args, d)
	}
	b.Queue(recordRepeated, args...).Exec(postgres.Wrote(len(ids), "ends of stretches without change"))
	return nil
}

// recorded reports whether the outcome's snapshot is to be in the history.
func recorded(out *AppliedRow) bool { return out.Snapshot != nil && !out.After.Unrecorded }
