// Package pushed writes what comes of tracked tweets without a look-up: counts inside tweets that
// quote or repeat them, and the news that a reply came in.
package pushed

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// Observation is what came of a tweet, tracked or not.
type Observation struct {
	TweetID string
	Call    int // those of one answer or delivery have the same: together they are believed or not
	engagement.Observation
}

// Writer writes what came. It is safe for concurrent use.
type Writer struct {
	db    *postgres.DB
	clock store.Clock
	store *store.Store
}

// New returns a Writer that writes by the store.
func New(db *postgres.DB, clock store.Clock, s *store.Store) *Writer {
	return &Writer{db: db, clock: clock, store: s}
}

// Observe writes observations of tweets that are tracked, by the rules of an answer that comes
// late: only what is newer than what is known, never what is implausible, and nothing in the
// ledger. It answers refreshes that were asked for before. Of several of a tweet the newest counts; a tweet that
// was observed less than [engagement.MinSnapshotGap] before is left as it is.
func (w *Writer) Observe(ctx context.Context, all []Observation) (store.Applied, error) {
	newest := make(map[string]Observation, len(all))
	for _, o := range all {
		o.Pushed = true
		if known, ok := newest[o.TweetID]; !ok || o.At.After(known.At) {
			newest[o.TweetID] = o
		}
	}
	due, err := w.due(ctx, newest)
	if err != nil || len(due) == 0 {
		return store.Applied{}, err
	}
	results := make([]store.RefreshResult, len(due))
	for i, id := range due {
		o := newest[id]
		results[i] = store.RefreshResult{
			TweetID: id, RequestedAt: o.At, Kind: store.Found, Observation: o.Observation, Call: o.Call, Late: true,
		}
	}
	applied, err := w.store.ApplyRefresh(ctx, results)
	if err != nil {
		return store.Applied{}, fmt.Errorf("write pushed counts: %w", err)
	}
	return applied, nil
}

// due returns the tweets that are tracked and were not observed a moment before. Most tweets
// that are quoted are not, so they are found without a lock.
func (w *Writer) due(ctx context.Context, newest map[string]Observation) ([]string, error) {
	if len(newest) == 0 {
		return nil, nil
	}
	const sql = `
		select w.tweet_id from unnest($1::text[], $2::timestamptz[]) o (id, at)
		join public.twitter_tweets w on w.tweet_id = o.id
		join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
		group by w.tweet_id
		having bool_or(k.last_updated_at is null or k.last_updated_at < o.at - $3::interval)
		order by w.tweet_id`
	ids, at := make([]string, 0, len(newest)), make([]time.Time, 0, len(newest))
	for id, o := range newest {
		ids, at = append(ids, id), append(at, o.At)
	}
	ctx, cancel := w.db.Bounded(ctx)
	defer cancel()
	rows, err := w.db.Query(ctx, sql, ids, at, engagement.MinSnapshotGap)
	if err != nil {
		return nil, fmt.Errorf("look which pushed tweets are tracked: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look which pushed tweets are tracked: %w", err)
	}
	return due, nil
}

// waiting is a row whose next look-up may be brought forward.
type waiting struct {
	id, zone  uuid.UUID
	tracking  engagement.Tracking
	signalled time.Time
}

const (
	// lockWaiting selects live rows of tweets that no batch holds, in the order of all writers.
	lockWaiting = `
		select k.tweet_db_id, w.zone_id, k.last_updated_at, k.next_update_at, k.signalled_at,
			coalesce(k.snapshot_retweets, 0) + coalesce(k.snapshot_replies, 0) + coalesce(k.snapshot_likes, 0) + coalesce(k.snapshot_quotes, 0)
		from public.twitter_engagement_tracking k join public.twitter_tweets w on w.id = k.tweet_db_id
		where w.tweet_id = any($1::text[]) and k.claim_id is null and k.next_update_at > $2::timestamptz
			and k.last_updated_at is not null and k.retry_at is null
		order by k.tweet_db_id for update of k`

	pullForward = `
		update public.twitter_engagement_tracking k set next_update_at = u.next, signalled_at = $3::timestamptz
		from unnest($1::uuid[], $2::timestamptz[]) u (id, next)
		where k.tweet_db_id = u.id`
)

// PullForward brings the next look-up of tweets forward that were answered or quoted at now, by
// [engagement.PullForward]. It returns how many rows that were. A tweet that is claimed, that
// backs off or that is not looked up any more is left as it is, and so is one of a zone that goes
// by the tiers: these look tweets up on a grid, so that one more look-up would be no other's.
func (w *Writer) PullForward(ctx context.Context, tweetIDs []string) (pulled int, err error) {
	if len(tweetIDs) == 0 {
		return 0, nil
	}
	schedule, err := w.store.Scheduled(ctx)
	if err != nil {
		return 0, fmt.Errorf("bring look-ups forward: %w", err)
	}
	err = w.db.Transact(ctx, "bring look-ups forward", func(ctx context.Context, t *postgres.Tx) error {
		now := w.clock.Now()
		var rows []waiting
		b := t.Group()
		b.Queue(lockWaiting, tweetIDs, now).Query(postgres.Collect(&rows, scanWaiting))
		if err := t.Send(ctx, b); err != nil {
			return err
		}
		var ids []uuid.UUID
		var next []time.Time
		for _, r := range rows {
			if schedule(r.zone) != store.ScheduleAdaptive {
				continue
			}
			if at, ok := engagement.PullForward(r.tracking, r.signalled, now); ok {
				ids, next = append(ids, r.id), append(next, at)
			}
		}
		if pulled = len(ids); pulled == 0 {
			return nil
		}
		b = t.Group()
		b.Queue(pullForward, ids, next, now).Exec(postgres.Wrote(len(ids), "tracking rows"))
		return t.Send(ctx, b)
	})
	return pulled, err
}

func scanWaiting(r pgx.CollectableRow) (w waiting, err error) {
	var signalled *time.Time
	var total int64
	err = r.Scan(&w.id, &w.zone, &w.tracking.ObservedAt, &w.tracking.NextUpdateAt, &signalled, &total)
	w.tracking.Metrics = engagement.Metrics{Retweets: engagement.Known(total)}
	w.signalled = postgres.TimeOf(signalled)
	return w, err
}
