package worker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"gorgone/internal/clock"
	"gorgone/internal/enginetest"
	"gorgone/store"
)

// offClock is the database's clock, off the wall clock of this machine.
type offClock struct {
	db  *store.DB
	off atomic.Int64
}

func (c *offClock) DatabaseTime(ctx context.Context) (time.Time, error) {
	t, err := c.db.DatabaseTime(ctx)
	return t.Add(time.Duration(c.off.Load())), err
}

// off has the engine go by a database whose clock is off this machine's.
func (e *engine) off(d time.Duration) *offClock {
	e.t.Helper()
	source := &offClock{db: e.db}
	source.off.Store(int64(d))
	var err error
	e.clock, err = clock.New(e.t.Context(), source, clock.Setting{})
	must(e.t, err)
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
	must(t, err)
	e.runDispatcher(openGate{}, e.store)
	e.run(e.worker(workerOptions{rate: 100}), e.worker(workerOptions{rate: 100}))
	e.eventually("tweets updated once", updatedOnce, tweets/2)

	source.off.Store(int64(-5 * time.Minute))
	var stepped *clock.SteppedBackError
	if err := e.clock.Sync(t.Context()); !errors.As(err, &stepped) {
		t.Fatalf("sync: %v", err)
	}
	_, err = e.store.Track(t.Context(), e.zone, all[tweets/2:])
	must(t, err)
	e.eventually("tweets updated once", updatedOnce, tweets)
	e.observedOnce(tweets)
	// A look that the new time has not caught up with is not written, and is not
	// repeated until it has.
	ids := []string{all[0].TweetID}
	_, err = e.store.ForceDue(t.Context(), store.DueFilter{TweetIDs: ids})
	must(t, err)
	e.eventually("tweets that wait for time to catch up", `select count(*) from twitter_engagement_tracking k join twitter_tweets t on t.id = k.tweet_db_id
		where t.tweet_id = $1 and claim_id is null and next_update_at > last_updated_at`, 1, ids[0])
	e.observedOnce(tweets)
}
