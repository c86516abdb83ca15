package worker_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/clock"
	"gorgone/internal/enginetest"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/twitter"
	"gorgone/worker"
	"gorgone/worker/lookup"
)

// offClock is the database's clock, off the wall clock of this machine.
type offClock struct {
	db  *postgres.DB
	off atomic.Int64
}

func (c *offClock) ReadClock(ctx context.Context) (clock.Reading, error) {
	r, err := c.db.ReadClock(ctx)
	r.Database = r.Database.Add(time.Duration(c.off.Load()))
	return r, err
}

// off has the engine go by a database whose clock is off this machine's.
func (e *engine) off(d time.Duration) *offClock {
	e.t.Helper()
	source := &offClock{db: e.db}
	source.off.Store(int64(d))
	var err error
	e.clock, err = clock.New(e.t.Context(), source, clock.Setting{})
	testkit.Must(e.t, err)
	e.store = store.New(e.db, e.clock, store.Options{})
	e.ground.Clock, e.ground.Store = e.clock, e.store
	return source
}

// TestWallClockMinutesOff runs an engine on a machine whose wall clock is minutes
// ahead of the database's, and behind it: nothing is looked up twice, nothing waits,
// and what is written is database time.
func TestWallClockMinutesOff(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"ahead": -7 * time.Minute, "behind": 7 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const tweets = 500
			e := newEngine(t, engineOptions{tweets: tweets})
			e.off(off)
			began := e.clock.Now()
			e.track()
			e.runDispatcher(openGate{}, e.store)
			stop := e.run(e.worker(workerOptions{rate: 100}), e.worker(workerOptions{rate: 100}))
			e.eventually("tweets updated once", updatedOnce, tweets)
			stop()
			e.observedOnce(tweets)
			if s := e.double.Stats(); s.Returned != tweets {
				t.Errorf("%d tweets were paid for, want %d", s.Returned, tweets)
			}
			ended := e.clock.Now()
			if n := e.count(`select count(*) from twitter_engagement_tracking where last_updated_at between $1 and $2
				and next_update_at > $1`, began, ended); n != tweets {
				t.Errorf("%d tweets were seen in database time, want %d", n, tweets)
			}
			if n := e.count(`select count(*) from gorgone.batches where claimed_at between $1 and $2
				and claimed_until = claimed_at + $3 * interval '1 second'`, began, ended, e.queue.Lease().Seconds()); n == 0 {
				t.Error("no lease is as long as it should be")
			}
		})
	}
}

// TestDatabaseClockSetBack sets the database's clock back by minutes under a running
// engine: what is due by the new time is looked up at once, through the same pace.
func TestDatabaseClockSetBack(t *testing.T) {
	t.Parallel()
	const tweets = 400
	e := newEngine(t, engineOptions{tweets: tweets})
	source := e.off(0)
	all := enginetest.Tweets(e.double)
	_, err := e.store.Track(t.Context(), e.zone, all[:tweets/2])
	testkit.Must(t, err)
	e.runDispatcher(openGate{}, e.store)
	e.run(e.worker(workerOptions{rate: 100}), e.worker(workerOptions{rate: 100}))
	e.eventually("tweets updated once", updatedOnce, tweets/2)

	source.off.Store(int64(-5 * time.Minute))
	var stepped *clock.SteppedBackError
	if err := e.clock.Sync(t.Context()); !errors.As(err, &stepped) {
		t.Fatalf("sync: %v", err)
	}
	_, err = e.store.Track(t.Context(), e.zone, all[tweets/2:])
	testkit.Must(t, err)
	e.eventually("tweets updated once", updatedOnce, tweets)
	e.observedOnce(tweets)
	// A look that the new time has not caught up with is not written, and is not
	// repeated until it has.
	ids := []string{all[0].TweetID}
	_, err = e.store.ForceDue(t.Context(), store.DueFilter{TweetIDs: ids})
	testkit.Must(t, err)
	e.eventually("tweets that wait for time to catch up", `select count(*) from twitter_engagement_tracking k join twitter_tweets t on t.id = k.tweet_db_id
		where t.tweet_id = $1 and claim_id is null and next_update_at > last_updated_at`, 1, ids[0])
	e.observedOnce(tweets)
}

// refusedByTime is a store that tells when it has refused an answer because of the time.
type refusedByTime struct {
	worker.Store

	refused chan struct{}
}

func (s refusedByTime) Apply(ctx context.Context, work store.Work) (store.Applied, error) {
	applied, err := s.Store.Apply(ctx, work)
	if errors.Is(err, clock.ErrDisagreement) {
		select {
		case s.refused <- struct{}{}:
		default:
		}
	}
	return applied, err
}

// TestNoCallWhileTheTimeIsInDoubt: the database's clock is weeks off from the first call on,
// until its answer was refused. No answer that comes later has a time of those weeks, so
// each that was paid for is written when the clock is right again.
func TestNoCallWhileTheTimeIsInDoubt(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"ahead": 40 * 24 * time.Hour, "behind": -40 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const tweets = 400
			e := newEngine(t, engineOptions{tweets: tweets})
			source := e.off(0)
			set := func(off time.Duration) {
				source.off.Store(int64(off))
				var stepped *clock.SteppedBackError
				if err := e.clock.Sync(t.Context()); err != nil && !errors.As(err, &stepped) {
					t.Errorf("sync: %v", err)
				}
			}
			ids := e.track()
			e.dispatch()
			var first sync.Once
			refused := refusedByTime{e.store, make(chan struct{}, 1)}
			e.run(e.worker(workerOptions{rate: 10, store: refused, lookup: func(f lookup.CallFunc) lookup.CallFunc {
				return func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
					answer, err := f(ctx, gate, ids)
					first.Do(func() { set(off) })
					return answer, err
				}
			}}))
			<-refused.refused
			var row uuid.UUID
			testkit.Must(t, e.sql.QueryRow(t.Context(), `select id from twitter_tweets where tweet_id = $1`, ids[0]).Scan(&row))
			_, _, err := e.store.OpenRefresh(t.Context(), store.RequestRefresh{ID: uuid.New(), Row: row, Requester: "test", Wait: time.Minute})
			if !errors.Is(err, clock.ErrDisagreement) {
				t.Errorf("a refresh is recorded: %v", err)
			}
			set(0)
			e.runDispatcher(openGate{}, e.store)
			e.eventually("tweets updated once", updatedOnce, tweets)
			if s := e.double.Stats(); s.Returned != tweets {
				t.Errorf("%d tweets were paid for, want %d", s.Returned, tweets)
			}
		})
	}
}
