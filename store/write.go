package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// The writes of a transaction are a few statements over arrays, whatever the number of
// rows: writeObserved for nearly all of a batch, and the other three for rows that it does
// not fit, such as misses. COPY was measured too: it needs a round trip
// of its own and is no faster at the size of a batch.
const (
	// A count that is not known never replaces one that is.
	updateTweets = `
		update public.twitter_tweets w set
			retweet_count  = coalesce(u.c1, w.retweet_count),
			reply_count    = coalesce(u.c2, w.reply_count),
			like_count     = coalesce(u.c3, w.like_count),
			quote_count    = coalesce(u.c4, w.quote_count),
			view_count     = coalesce(u.c5, w.view_count),
			bookmark_count = coalesce(u.c6, w.bookmark_count),
			updated_at     = $8::timestamptz
		from unnest($1::uuid[], $2::int4[], $3::int4[], $4::int4[], $5::int4[], $6::int4[], $7::int4[])
			u (id, c1, c2, c3, c4, c5, c6)
		where w.id = u.id`

	insertHistory = `
		insert into public.twitter_engagement_history (
			id, tweet_id, snapshot_at, engagement_velocity,
			retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count,
			delta_retweets, delta_replies, delta_likes, delta_quotes, delta_views, created_at, provider, provider_changed, pushed)
		select u.id, u.tweet_id, u.at, u.velocity::numeric,
			u.c1, u.c2, u.c3, u.c4, u.c5, u.c6, u.d1, u.d2, u.d3, u.d4, u.d5, $16::timestamptz,
			nullif(u.provider, ''), u.changed, u.pushed
		from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::float8[],
			$5::int4[], $6::int4[], $7::int4[], $8::int4[], $9::int4[], $10::int4[],
			$11::int4[], $12::int4[], $13::int4[], $14::int4[], $15::int4[], $17::text[], $18::bool[], $19::bool[])
			u (id, tweet_id, at, velocity, c1, c2, c3, c4, c5, c6, d1, d2, d3, d4, d5, provider, changed, pushed)`

	updateTracking = `
		update public.twitter_engagement_tracking k set
			tier = u.tier, last_updated_at = u.observed, next_update_at = u.next, update_count = u.updates,
			retry_at = u.retry, attempts = u.attempts, misses = u.misses, last_missed_at = u.missed,
			-- Compared before it is set: only a new snapshot brings a new velocity.
			snapshot_velocity = case when u.at is distinct from k.snapshot_at then u.velocity else k.snapshot_velocity end,
			doubts = u.doubts, gone_reason = nullif(u.gone, ''),
			snapshot_at = u.at,
			snapshot_retweets = u.c1, snapshot_replies = u.c2, snapshot_likes = u.c3,
			snapshot_quotes = u.c4, snapshot_views = u.c5, snapshot_bookmarks = u.c6,
			snapshot_provider = nullif(u.provider, ''),
			activity = null, activity_state = u.activity,
			unrecorded_at = case when u.unrecorded then u.at end, gap = u.gap::jsonb,
			claim_id      = case when u.unclaim then null else k.claim_id end,
			claimed_until = case when u.unclaim then null else k.claimed_until end
		from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::int4[],
			$6::timestamptz[], $7::int4[], $8::int4[], $9::timestamptz[], $10::timestamptz[],
			$11::int4[], $12::int4[], $13::int4[], $14::int4[], $15::int4[], $16::int4[], $17::bool[], $18::float8[], $19::text[], $20::bytea[],
			$21::int4[], $22::text[], $23::bool[], $24::text[])
			u (id, tier, observed, next, updates, retry, attempts, misses, missed, at, c1, c2, c3, c4, c5, c6, unclaim, velocity, provider, activity, doubts, gone, unrecorded, gap)
		where k.tweet_db_id = u.id`
)

// write is a row to be written.
type write struct {
	outcome *AppliedRow
	unclaim bool // clear the row's claim
}

// queueWrites adds the statements that store the outcomes to a group.
func queueWrites(b *pgx.Batch, writes []write, required map[string]bool, now time.Time) error {
	var (
		observed = make(observedBy)
		repeated repeated
		tweets   tweetArrays
		history  historyArrays
		tracking trackingArrays
	)
	if err := queueEnds(b, writes, required, now); err != nil {
		return err
	}
	for i, w := range writes {
		if w.unclaim && plain(w.outcome) {
			if repeats(w.outcome) {
				repeated.add(w.outcome)
				continue
			}
			observed.add(w.outcome, required, len(writes)-i)
			continue
		}
		tracking.add(w.outcome.Row, w.outcome.After, w.outcome.Snapshot, w.unclaim)
		if w.outcome.Outcome == engagement.RowApplied && w.outcome.After.Metrics != w.outcome.Before.Metrics {
			tweets.add(w.outcome.Row, w.outcome.After.Metrics)
		}
		if recorded(w.outcome) {
			if err := history.add(w.outcome.Row, w.outcome.Snapshot, required); err != nil {
				return err
			}
		}
	}
	if err := observed.queue(b, required, now); err != nil {
		return err
	}
	repeated.queue(b)
	tweets.queue(b, now)
	history.queue(b, now)
	tracking.queue(b)
	return nil
}

// transactRows runs f in a transaction with the columns that refuse null, once more when
// the product has made another column one of them.
func (s *Store) transactRows(ctx context.Context, doing string, f func(context.Context, *postgres.Tx, map[string]bool) error) error {
	if err := s.clock.Agrees(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	for again := false; ; again = true {
		required, err := s.db.RequiredColumns(ctx)
		if err != nil {
			return err
		}
		err = s.transactInTime(ctx, doing, func(ctx context.Context, t *postgres.Tx) error { return f(ctx, t, required) })
		if again || !postgres.HasCode(err, postgres.CodeNotNullViolation) {
			return err
		}
	}
}

// transactInTime runs f in a transaction that goes by the time, and commits it only if clocks
// agree when f has ended: one that was read since the transaction began may be wrong. A time
// from the future would make the row's later observations stale, and a live tweet too old for
// any tier.
func (s *Store) transactInTime(ctx context.Context, doing string, f func(context.Context, *postgres.Tx) error) error {
	return s.db.Transact(ctx, doing, func(ctx context.Context, t *postgres.Tx) error {
		if err := f(ctx, t); err != nil {
			return err
		}
		return s.clock.Agrees()
	})
}

// tweetArrays are the columns of updateTweets.
type tweetArrays struct {
	ids    []uuid.UUID
	counts [6][]pgtype.Int4
}

func (a *tweetArrays) add(id uuid.UUID, m engagement.Metrics) {
	a.ids = append(a.ids, id)
	for i, c := range postgres.CountsOf(m) {
		a.counts[i] = append(a.counts[i], c)
	}
}

func (a *tweetArrays) queue(b *pgx.Batch, now time.Time) {
	if n := len(a.ids); n > 0 {
		c := &a.counts
		b.Queue(updateTweets, a.ids, c[0], c[1], c[2], c[3], c[4], c[5], now).Exec(postgres.Wrote(n, "tweets"))
	}
}

// historyArrays are the columns of insertHistory.
type historyArrays struct {
	ids, tweets []uuid.UUID
	at          []time.Time
	velocity    []*float64
	counts      [6][]pgtype.Int4
	deltas      [5][]pgtype.Int4
	providers   []string
	changed     []bool
	pushed      []*bool
}

func (a *historyArrays) add(tweet uuid.UUID, s *engagement.Snapshot, required map[string]bool) error {
	// Version 7 begins with the time: new points lie together in the index.
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	a.ids = append(a.ids, id)
	a.tweets = append(a.tweets, tweet)
	a.at = append(a.at, s.At)
	a.velocity = append(a.velocity, velocityOrZero(s.Velocity, required))
	for i, c := range postgres.CountsOf(s.Metrics) {
		a.counts[i] = append(a.counts[i], postgres.OrZero(c, postgres.HistoryTable+"."+postgres.CountColumns[i], required))
	}
	a.providers, a.changed = append(a.providers, s.Provider), append(a.changed, s.ProviderChanged)
	a.pushed = append(a.pushed, pushedOrNull(s.Pushed))
	for i, c := range deltasOf(s, required) {
		a.deltas[i] = append(a.deltas[i], c)
	}
	return nil
}

func (a *historyArrays) queue(b *pgx.Batch, now time.Time) {
	if n := len(a.ids); n > 0 {
		c, d := &a.counts, &a.deltas
		b.Queue(insertHistory, a.ids, a.tweets, a.at, a.velocity,
			c[0], c[1], c[2], c[3], c[4], c[5], d[0], d[1], d[2], d[3], d[4], now, a.providers, a.changed, a.pushed).Exec(postgres.Wrote(n, "snapshots"))
	}
}

// trackingArrays are the columns of updateTracking.
type trackingArrays struct {
	ids                               []uuid.UUID
	tiers, gone                       []string
	observed, next, retry, missed, at []*time.Time
	updates, attempts, misses, doubts []int32
	counts                            [6][]pgtype.Int4
	unclaim, unrecorded               []bool
	velocity                          []*float64
	providers                         []string  // of the last snapshots
	activities                        [][]byte  // nil for none
	gaps                              []*string // nil for none
}

func (a *trackingArrays) add(id uuid.UUID, t engagement.Tracking, s *engagement.Snapshot, unclaim bool) {
	a.ids = append(a.ids, id)
	a.tiers = append(a.tiers, string(t.Tier))
	a.observed = append(a.observed, postgres.NullTime(t.ObservedAt))
	a.next = append(a.next, postgres.NullTime(t.NextUpdateAt))
	a.retry = append(a.retry, postgres.NullTime(t.RetryAt))
	a.missed = append(a.missed, postgres.NullTime(t.LastMissedAt))
	a.at = append(a.at, postgres.NullTime(t.SnapshotAt))
	a.updates = append(a.updates, int32(t.UpdateCount)) // #nosec G115 -- one a look
	a.attempts = append(a.attempts, int32(t.Attempts))  // #nosec G115 -- likewise
	a.misses = append(a.misses, int32(t.Misses))        // #nosec G115 -- likewise
	a.doubts = append(a.doubts, int32(t.Doubts))        // #nosec G115 -- likewise
	a.gone = append(a.gone, storable(t.GoneReason))
	for i, c := range postgres.CountsOf(t.Snapshot) {
		a.counts[i] = append(a.counts[i], c)
	}
	a.unclaim, a.unrecorded = append(a.unclaim, unclaim), append(a.unrecorded, t.Unrecorded)
	var velocity *float64
	if s != nil {
		velocity = s.Velocity
	}
	a.velocity = append(a.velocity, velocity)
	a.providers = append(a.providers, t.Provider)
	a.activities = append(a.activities, postgres.PackActivity(t.Activity))
	a.gaps = append(a.gaps, postgres.GapText(t.Gap))
}

func (a *trackingArrays) queue(b *pgx.Batch) {
	if n := len(a.ids); n > 0 {
		c := &a.counts
		b.Queue(updateTracking, a.ids, a.tiers, a.observed, a.next, a.updates, a.retry, a.attempts, a.misses, a.missed,
			a.at, c[0], c[1], c[2], c[3], c[4], c[5], a.unclaim, a.velocity, a.providers, a.activities, a.doubts, a.gone, a.unrecorded, a.gaps).Exec(postgres.Wrote(n, "tracking rows"))
	}
}
