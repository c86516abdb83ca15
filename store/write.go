package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
)

// The writes of a transaction are three statements over arrays, whatever the
// number of rows. COPY was measured too: it needs a round trip of its own and
// is no faster at the size of a batch.
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
			predictions    = coalesce(nullif(u.predictions, '')::jsonb, w.predictions),
			updated_at     = case when u.changed then $8::timestamptz else w.updated_at end
		from unnest($1::uuid[], $2::int4[], $3::int4[], $4::int4[], $5::int4[], $6::int4[], $7::int4[], $9::bool[], $10::text[])
			u (id, c1, c2, c3, c4, c5, c6, changed, predictions)
		where w.id = u.id`

	insertHistory = `
		insert into public.twitter_engagement_history (
			id, tweet_id, snapshot_at, engagement_velocity,
			retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count,
			delta_retweets, delta_replies, delta_likes, delta_quotes, delta_views, created_at, provider, provider_changed)
		select u.id, u.tweet_id, u.at, u.velocity::numeric,
			u.c1, u.c2, u.c3, u.c4, u.c5, u.c6, u.d1, u.d2, u.d3, u.d4, u.d5, $16::timestamptz,
			nullif(u.provider, ''), u.changed
		from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::float8[],
			$5::int4[], $6::int4[], $7::int4[], $8::int4[], $9::int4[], $10::int4[],
			$11::int4[], $12::int4[], $13::int4[], $14::int4[], $15::int4[], $17::text[], $18::bool[])
			u (id, tweet_id, at, velocity, c1, c2, c3, c4, c5, c6, d1, d2, d3, d4, d5, provider, changed)`

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
			activity = nullif(u.activity, '')::jsonb,
			claim_id      = case when u.unclaim then null else k.claim_id end,
			claimed_until = case when u.unclaim then null else k.claimed_until end
		from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::int4[],
			$6::timestamptz[], $7::int4[], $8::int4[], $9::timestamptz[], $10::timestamptz[],
			$11::int4[], $12::int4[], $13::int4[], $14::int4[], $15::int4[], $16::int4[], $17::bool[], $18::float8[], $19::text[], $20::text[],
			$21::int4[], $22::text[])
			u (id, tier, observed, next, updates, retry, attempts, misses, missed, at, c1, c2, c3, c4, c5, c6, unclaim, velocity, provider, activity, doubts, gone)
		where k.tweet_db_id = u.id`
)

// write is a row to be written.
type write struct {
	outcome *RowOutcome
	unclaim bool // clear the row's claim
}

// queueWrites adds the statements that store the outcomes to a group.
func queueWrites(b *pgx.Batch, writes []write, required map[string]bool, now time.Time) error {
	var (
		tweets   tweetArrays
		history  historyArrays
		tracking trackingArrays
	)
	tweets.grow(len(writes))
	history.grow(len(writes))
	tracking.grow(len(writes))
	for _, w := range writes {
		tracking.add(w.outcome.Row, w.outcome.After, w.outcome.Snapshot, w.unclaim)
		if w.outcome.Outcome != OutcomeApplied {
			continue
		}
		// Most looks find nothing new; updated_at then keeps telling when the
		// counts last changed, and tracking tells when they were looked at.
		changed := w.outcome.After.Metrics != w.outcome.Before.Metrics
		if changed || w.outcome.Forecast != nil {
			tweets.add(w.outcome.Row, w.outcome.After.Metrics, changed, w.outcome.Forecast)
		}
		if w.outcome.Snapshot == nil {
			continue
		}
		if err := history.add(w.outcome.Row, w.outcome.Snapshot, required); err != nil {
			return err
		}
	}
	tweets.queue(b, now)
	history.queue(b, now)
	tracking.queue(b)
	return nil
}

// growAll makes room for n more items in each column.
func growAll[T any](columns [][]T, n int) {
	for i := range columns {
		columns[i] = slices.Grow(columns[i], n)
	}
}

// tweetArrays are the columns of updateTweets.
type tweetArrays struct {
	ids         []uuid.UUID
	counts      [6][]pgtype.Int4
	changed     []bool   // are the counts others than before
	predictions []string // JSON; "" leaves those that are there
}

func (a *tweetArrays) grow(n int) {
	a.ids = slices.Grow(a.ids, n)
	growAll(a.counts[:], n)
	a.changed, a.predictions = slices.Grow(a.changed, n), slices.Grow(a.predictions, n)
}

func (a *tweetArrays) add(id uuid.UUID, m engagement.Metrics, changed bool, f *engagement.Forecast) {
	a.ids = append(a.ids, id)
	a.changed = append(a.changed, changed)
	var predictions string
	if f != nil {
		predictions = estimate(f)
	}
	a.predictions = append(a.predictions, predictions)
	for i, c := range countsOf(m) {
		a.counts[i] = append(a.counts[i], c)
	}
}

func (a *tweetArrays) queue(b *pgx.Batch, now time.Time) {
	if n := len(a.ids); n > 0 {
		c := &a.counts
		b.Queue(updateTweets, a.ids, c[0], c[1], c[2], c[3], c[4], c[5], now, a.changed, a.predictions).Exec(wrote(n, "tweets"))
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
}

// countColumns and deltaColumns name the columns of history that may refuse null.
var (
	countColumns = [6]string{"retweet_count", "reply_count", "like_count", "quote_count", "view_count", "bookmark_count"}
	deltaColumns = [5]string{"delta_retweets", "delta_replies", "delta_likes", "delta_quotes", "delta_views"}
)

const historyTable = "twitter_engagement_history"

func (a *historyArrays) grow(n int) {
	a.ids, a.tweets = slices.Grow(a.ids, n), slices.Grow(a.tweets, n)
	a.at, a.velocity = slices.Grow(a.at, n), slices.Grow(a.velocity, n)
	growAll(a.counts[:], n)
	growAll(a.deltas[:], n)
	a.providers, a.changed = slices.Grow(a.providers, n), slices.Grow(a.changed, n)
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
	velocity := s.Velocity
	if velocity == nil && required[historyTable+".engagement_velocity"] {
		velocity = new(float64)
	}
	a.velocity = append(a.velocity, velocity)
	for i, c := range countsOf(s.Metrics) {
		a.counts[i] = append(a.counts[i], orZero(c, historyTable+"."+countColumns[i], required))
	}
	a.providers, a.changed = append(a.providers, s.Provider), append(a.changed, s.ProviderChanged)
	d := s.Deltas
	for i, c := range [5]engagement.Count{d.Retweets, d.Replies, d.Likes, d.Quotes, d.Views} {
		a.deltas[i] = append(a.deltas[i], orZero(nullable(c), historyTable+"."+deltaColumns[i], required))
	}
	return nil
}

func (a *historyArrays) queue(b *pgx.Batch, now time.Time) {
	if n := len(a.ids); n > 0 {
		c, d := &a.counts, &a.deltas
		b.Queue(insertHistory, a.ids, a.tweets, a.at, a.velocity,
			c[0], c[1], c[2], c[3], c[4], c[5], d[0], d[1], d[2], d[3], d[4], now, a.providers, a.changed).Exec(wrote(n, "snapshots"))
	}
}

// trackingArrays are the columns of updateTracking.
type trackingArrays struct {
	ids                               []uuid.UUID
	tiers, gone                       []string
	observed, next, retry, missed, at []*time.Time
	updates, attempts, misses, doubts []int32
	counts                            [6][]pgtype.Int4
	unclaim                           []bool
	velocity                          []*float64
	providers                         []string // of the last snapshots
	activities                        []string // JSON; "" for none
}

func (a *trackingArrays) grow(n int) {
	a.ids, a.tiers, a.unclaim = slices.Grow(a.ids, n), slices.Grow(a.tiers, n), slices.Grow(a.unclaim, n)
	a.velocity = slices.Grow(a.velocity, n)
	times := [][]*time.Time{a.observed, a.next, a.retry, a.missed, a.at}
	growAll(times, n)
	a.observed, a.next, a.retry, a.missed, a.at = times[0], times[1], times[2], times[3], times[4]
	numbers := [][]int32{a.updates, a.attempts, a.misses, a.doubts}
	growAll(numbers, n)
	a.updates, a.attempts, a.misses, a.doubts = numbers[0], numbers[1], numbers[2], numbers[3]
	a.gone = slices.Grow(a.gone, n)
	growAll(a.counts[:], n)
	a.providers, a.activities = slices.Grow(a.providers, n), slices.Grow(a.activities, n)
}

func (a *trackingArrays) add(id uuid.UUID, t engagement.Tracking, s *engagement.Snapshot, unclaim bool) {
	a.ids = append(a.ids, id)
	a.tiers = append(a.tiers, string(t.Tier))
	a.observed = append(a.observed, nullTime(t.ObservedAt))
	a.next = append(a.next, nullTime(t.NextUpdateAt))
	a.retry = append(a.retry, nullTime(t.RetryAt))
	a.missed = append(a.missed, nullTime(t.LastMissedAt))
	a.at = append(a.at, nullTime(t.SnapshotAt))
	a.updates = append(a.updates, int32(t.UpdateCount)) // #nosec G115 -- one a look
	a.attempts = append(a.attempts, int32(t.Attempts))  // #nosec G115 -- likewise
	a.misses = append(a.misses, int32(t.Misses))        // #nosec G115 -- likewise
	a.doubts = append(a.doubts, int32(t.Doubts))        // #nosec G115 -- likewise
	a.gone = append(a.gone, storable(t.GoneReason))
	for i, c := range countsOf(t.Snapshot) {
		a.counts[i] = append(a.counts[i], c)
	}
	a.unclaim = append(a.unclaim, unclaim)
	var velocity *float64
	if s != nil {
		velocity = s.Velocity
	}
	a.velocity = append(a.velocity, velocity)
	a.providers = append(a.providers, t.Provider)
	var activity string
	if t.Activity != (engagement.Activity{}) {
		activity = estimate(t.Activity)
	}
	a.activities = append(a.activities, activity)
}

// estimate encodes what was estimated of a tweet. What JSON has no number for
// becomes "": an estimate is no record, and must not keep the counts beside it
// from being written.
func estimate(v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(body)
}

func (a *trackingArrays) queue(b *pgx.Batch) {
	if n := len(a.ids); n > 0 {
		c := &a.counts
		b.Queue(updateTracking, a.ids, a.tiers, a.observed, a.next, a.updates, a.retry, a.attempts, a.misses, a.missed,
			a.at, c[0], c[1], c[2], c[3], c[4], c[5], a.unclaim, a.velocity, a.providers, a.activities, a.doubts, a.gone).Exec(wrote(n, "tracking rows"))
	}
}
