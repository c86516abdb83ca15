package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// writeObserved stores look-ups that added a snapshot, as most do, in all three tables:
// what the tables share is sent and decoded once. It returns how many rows it wrote in
// each. Such a look-up ends the claim, and failures and misses counted so far.
//
// The counts of a tweet that gained nothing are not written, so updated_at keeps telling
// when they last changed. A count that is not known never replaces one that is. Adopted
// tables of the history may refuse null: $20 to $26 are put in its place, or are null.
//
// The ids of the snapshots are $2, which lacks the last eight digits, and those counted
// from $30 on.
const writeObserved = `
	with u as materialized (
		select * from unnest($1::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[],
			$6::int4[], $7::int4[], $8::int4[], $9::int4[], $10::int4[], $11::int4[],
			$12::int4[], $13::int4[], $14::int4[], $15::int4[], $16::int4[],
			$17::float8[], $18::bytea[]) with ordinality
			u (id, tier, at, next, c1, c2, c3, c4, c5, c6, d1, d2, d3, d4, d5, velocity, activity, n)
	), tweets as (
		update public.twitter_tweets w set
			retweet_count  = coalesce(u.c1, w.retweet_count),
			reply_count    = coalesce(u.c2, w.reply_count),
			like_count     = coalesce(u.c3, w.like_count),
			quote_count    = coalesce(u.c4, w.quote_count),
			view_count     = coalesce(u.c5, w.view_count),
			bookmark_count = coalesce(u.c6, w.bookmark_count),
			updated_at     = $29::timestamptz
		from u where w.id = u.id and $27::bool
		returning 1
	), tracking as (
		update public.twitter_engagement_tracking k set
			tier = u.tier, last_updated_at = u.at, next_update_at = u.next, update_count = coalesce(k.update_count, 0) + 1,
			retry_at = null, attempts = 0, misses = 0, last_missed_at = null, doubts = 0, gone_reason = null,
			snapshot_at = u.at, unrecorded_at = null, snapshot_velocity = u.velocity,
			snapshot_retweets = u.c1, snapshot_replies = u.c2, snapshot_likes = u.c3,
			snapshot_quotes = u.c4, snapshot_views = u.c5, snapshot_bookmarks = u.c6,
			snapshot_provider = nullif($19::text, ''),
			activity = null, activity_state = u.activity,
			claim_id = null, claimed_until = null
		from u where k.tweet_db_id = u.id
		returning 1
	), history as (
		insert into public.twitter_engagement_history (
			id, tweet_id, snapshot_at, engagement_velocity,
			retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count,
			delta_retweets, delta_replies, delta_likes, delta_quotes, delta_views, created_at, provider, provider_changed, pushed)
		select ($2::text || lpad(to_hex(($30::int8 + u.n) & 4294967295), 8, '0'))::uuid, u.id, u.at, coalesce(u.velocity, $26::float8)::numeric,
			coalesce(u.c1, $20::int4), coalesce(u.c2, $21::int4), coalesce(u.c3, $22::int4),
			coalesce(u.c4, $23::int4), coalesce(u.c5, $24::int4), coalesce(u.c6, $25::int4),
			u.d1, u.d2, u.d3, u.d4, u.d5, $29::timestamptz, nullif($19::text, ''), $28::bool, $31::bool
		from u
		returning 1
	)
	select (select count(*) from tweets), (select count(*) from tracking), (select count(*) from history)`

// plain reports whether an outcome is what writeObserved or writeRepeated writes: a snapshot of the counts,
// observed at its time, once more than before, and nothing left of failures and misses. Gaps,
// which are rare, are written with what else is.
func plain(out *AppliedRow) bool {
	t := out.After
	return out.Snapshot != nil && (!t.Unrecorded || repeats(out)) && t.ObservedAt.Equal(out.Snapshot.At) && t.SnapshotAt.Equal(out.Snapshot.At) &&
		t.Snapshot == t.Metrics && t.Gap == out.Before.Gap && t.UpdateCount == out.Before.UpdateCount+1 &&
		t.Attempts == 0 && t.Misses == 0 && t.Doubts == 0 && !t.Gone() && t.RetryAt.IsZero() && t.LastMissedAt.IsZero()
}

// observed are look-ups for one writeObserved.
type observed struct {
	ids        []uuid.UUID
	tiers      []string
	at         []time.Time
	next       []*time.Time
	counts     [6][]pgtype.Int4
	deltas     [5][]pgtype.Int4
	velocity   []*float64
	activities [][]byte
}

// alike is what the look-ups of one writeObserved have in common. Those of a batch differ
// in it only while one provider stands in for another, and once a day.
type alike struct {
	provider string
	changed  bool // the snapshot before is another provider's
	pushed   bool // no look-up was made for it
	moved    bool // the counts are others than before
}

// observedBy are the look-ups by what they have in common.
type observedBy map[alike]*observed

// add adds an outcome that has a snapshot. room is how many may follow.
func (o observedBy) add(out *AppliedRow, required map[string]bool, room int) {
	t, s := out.After, out.Snapshot
	key := alike{provider: t.Provider, changed: s.ProviderChanged, pushed: s.Pushed, moved: t.Metrics != out.Before.Metrics}
	a := o[key]
	if a == nil {
		a = &observed{}
		a.grow(room)
		o[key] = a
	}
	a.ids = append(a.ids, out.Row)
	a.tiers = append(a.tiers, string(t.Tier))
	a.at, a.next = append(a.at, s.At), append(a.next, postgres.NullTime(t.NextUpdateAt))
	for i, c := range postgres.CountsOf(t.Metrics) {
		a.counts[i] = append(a.counts[i], c)
	}
	for i, c := range deltasOf(s, required) {
		a.deltas[i] = append(a.deltas[i], c)
	}
	a.velocity, a.activities = append(a.velocity, s.Velocity), append(a.activities, postgres.PackActivity(t.Activity))
}

func (a *observed) grow(n int) {
	a.ids = make([]uuid.UUID, 0, n)
	a.tiers, a.at, a.next = make([]string, 0, n), make([]time.Time, 0, n), make([]*time.Time, 0, n)
	for i := range a.counts {
		a.counts[i] = make([]pgtype.Int4, 0, n)
	}
	for i := range a.deltas {
		a.deltas[i] = make([]pgtype.Int4, 0, n)
	}
	a.velocity, a.activities = make([]*float64, 0, n), make([][]byte, 0, n)
}

// queue adds the statements.
func (o observedBy) queue(b *pgx.Batch, required map[string]bool, now time.Time) error {
	var zeros [6]pgtype.Int4
	for i := range zeros {
		zeros[i] = postgres.OrZero(zeros[i], postgres.HistoryTable+"."+postgres.CountColumns[i], required)
	}
	for key, a := range o {
		// Version 7 begins with the time: new points lie together in the index.
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an id: %w", err)
		}
		base, from := id.String()[:28], int64(binary.BigEndian.Uint32(id[12:]))
		moved := 0
		if key.moved {
			moved = len(a.ids)
		}
		c, d := &a.counts, &a.deltas
		b.Queue(writeObserved, a.ids, base, a.tiers, a.at, a.next,
			c[0], c[1], c[2], c[3], c[4], c[5], d[0], d[1], d[2], d[3], d[4], a.velocity, a.activities, key.provider,
			zeros[0], zeros[1], zeros[2], zeros[3], zeros[4], zeros[5], velocityOrZero(nil, required), key.moved, key.changed, now, from, pushedOrNull(key.pushed),
		).QueryRow(func(r pgx.Row) error {
			var tweets, tracking, history int
			if err := r.Scan(&tweets, &tracking, &history); err != nil {
				return err
			}
			return errors.Join(postgres.WroteRows(tweets, moved, "tweets"),
				postgres.WroteRows(tracking, len(a.ids), "tracking rows"), postgres.WroteRows(history, len(a.ids), "snapshots"))
		})
	}
	return nil
}

// deltasOf returns the columns of the deltas.
func deltasOf(s *engagement.Snapshot, required map[string]bool) [5]pgtype.Int4 {
	var columns [5]pgtype.Int4
	for i, c := range [5]engagement.Count{s.Deltas.Retweets, s.Deltas.Replies, s.Deltas.Likes, s.Deltas.Quotes, s.Deltas.Views} {
		columns[i] = postgres.OrZero(postgres.Nullable(c), postgres.HistoryTable+"."+postgres.DeltaColumns[i], required)
	}
	return columns
}

// pushedOrNull is the column of a mark that nearly no snapshot has.
func pushedOrNull(pushed bool) *bool {
	if !pushed {
		return nil
	}
	return &pushed
}

// velocityOrZero replaces no velocity by 0 where the history refuses null.
func velocityOrZero(v *float64, required map[string]bool) *float64 {
	if v == nil && required[postgres.HistoryTable+".engagement_velocity"] {
		return new(float64)
	}
	return v
}
