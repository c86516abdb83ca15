package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/postgres"
)

// TestLeapOfTheDatabaseClock: for a while the database's clock is weeks ahead, or behind,
// and this machine's is not, as after a failover to a machine whose clock was never set. No
// history goes, no tweet goes cold or is taken for deleted, and afterwards all is as it was.
func TestLeapOfTheDatabaseClock(t *testing.T) {
	t.Parallel()
	for name, leap := range map[string]time.Duration{
		"40 days ahead": 40 * aDay, "two hours ahead": 2 * time.Hour, "ten years ahead": 3650 * aDay,
		"40 days behind": -40 * aDay, "two hours behind": -2 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, postgres.ExecPrepared)
			must(e.EnsurePartitions(t.Context(), e.clock.Now(), e.clock.Now().Add(72*time.Hour)))(t)
			e.track(t, 50)
			for i := range 6 {
				e.apply(t, e.found(e.claim(t), int64(10*i)))
				e.clock.advance(11 * time.Minute)
			}
			inHand := e.found(e.claim(t), 100) // looked up before the leap, written after it
			const (
				points = `select count(*) from twitter_engagement_history`
				live   = `select count(*) from twitter_engagement_tracking where next_update_at is not null and gone_reason is null`
			)
			hadPoints, hadLive := e.count(t, points), e.count(t, live)

			e.clock.Leap(leap)
			if r, err := e.Retain(t.Context(), history.Retention{Chosen: true, Full: 30 * aDay}); !errors.Is(err, clock.ErrDisagreement) {
				t.Errorf("history is cut down: %+v, %v", r, err)
			}
			if _, err := e.Apply(t.Context(), inHand); !errors.Is(err, clock.ErrDisagreement) || !postgres.Unavailable(err) {
				t.Errorf("an answer is written, or taken for refused: %v", err)
			}
			if _, err := e.ApplyRefresh(t.Context(), []store.RefreshResult{{
				TweetID: engagement.TweetIDAt(epoch, 0), RequestedAt: e.clock.Now(), Kind: store.Missing,
				Observation: engagement.Observation{At: e.clock.Now()},
			}}); !errors.Is(err, clock.ErrDisagreement) {
				t.Errorf("a refresh is written: %v", err)
			}
			c, err := e.Claim(t.Context(), store.ClaimRequest{Tweets: 100, BatchTweets: 10, BatchRows: 10, Lease: lease})
			if err != nil || c.Tweets > 0 || c.Closed == "" {
				t.Errorf("claimed %+v, %v", c, err)
			}

			e.clock.Leap(-leap) // the clock is right again
			e.apply(t, inHand)
			if n := e.count(t, points); n < hadPoints {
				t.Errorf("%d points of history, had %d", n, hadPoints)
			}
			if n := e.count(t, live); n != hadLive {
				t.Errorf("%d live tweets, had %d", n, hadLive)
			}
			e.clock.advance(31 * time.Minute)
			if b := e.claim(t); len(b.Tweets) != 50 {
				t.Errorf("%d tweets are due, want 50", len(b.Tweets))
			}
		})
	}
}

// TestRetentionKeepsTheNewest: whatever the time is, the newest points are not old. An
// engine that stood still for months, or whose two clocks are both wrong, keeps them.
func TestRetentionKeepsTheNewest(t *testing.T) {
	t.Parallel()
	forEachHistory(t, func(t *testing.T, e *env) {
		e.grow(t, 20, 10)
		r := history.Retention{Chosen: true, Full: 10 * aDay}
		retain := func() {
			t.Helper()
			for {
				done, err := e.Retain(t.Context(), r)
				testkit.Must(t, err)
				if !done.Busy && done.Dropped+done.Deleted+done.Downsampled == 0 {
					return
				}
			}
		}
		retain()
		kept := e.count(t, `select count(*) from twitter_engagement_history`)
		if kept == 0 {
			t.Fatal("nothing is kept")
		}
		newest := e.count(t, `select count(*) from twitter_engagement_history where snapshot_at > (select max(snapshot_at) from twitter_engagement_history) - interval '8 days'`)
		e.clock.advance(300 * aDay)
		retain()
		if n := e.count(t, `select count(*) from twitter_engagement_history`); n < newest {
			t.Errorf("%d points are left of the %d of the last days", n, newest)
		}
	})
}

// TestPartitionsWaitForNobody: while a dump reads the history, making partitions gives up
// within the time that an answer may wait, and is done by a later call.
func TestPartitionsWaitForNobody(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]string{
		"a dump":                       `lock table gorgone.history_default in access share mode`,
		"a transaction of the product": `lock table twitter_tweets in row exclusive mode`, // as a write does
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, postgres.ExecPrepared)
			e.track(t, 1)
			e.apply(t, e.found(e.claim(t), 1))
			e.clock.advance(20 * time.Minute)
			batch := e.claim(t)
			other, err := e.raw.Begin(t.Context())
			testkit.Must(t, err)
			defer func() { _ = other.Rollback(t.Context()) }()
			_, err = other.Exec(t.Context(), lock)
			testkit.Must(t, err)
			until := e.clock.Now().Add(72 * time.Hour)
			// It returns although the other transaction does not end.
			if made, err := e.EnsurePartitions(t.Context(), e.clock.Now(), until); err != nil || made != 0 {
				t.Errorf("made %d partitions, %v", made, err)
			}
			e.apply(t, e.found(batch, 2))
			testkit.Must(t, other.Rollback(t.Context()))
			if made, err := e.EnsurePartitions(t.Context(), e.clock.Now(), until); err != nil || made != 4 {
				t.Errorf("then made %d partitions, %v", made, err)
			}
			if n := e.count(t, inDefault); n != 0 {
				t.Errorf("%d points are in the default partition", n)
			}
		})
	}
}

// TestClockReadingsDoNotWaitForAConnection: a reading is of one round trip, however long
// the pool, or a pooler, had no connection.
func TestClockReadingsDoNotWaitForAConnection(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	db, err := postgres.Connect(t.Context(), postgres.Config{URL: e.url, MaxConns: 2})
	testkit.Must(t, err)
	defer db.Close()
	waits := make(chan struct{})
	held := make(chan struct{}, 2)
	done := make(chan error, 2)
	for range 2 { // all of the pool's connections
		go func() {
			done <- db.Transact(t.Context(), "hold a connection", func(context.Context, *postgres.Tx) error {
				held <- struct{}{}
				<-waits
				return nil
			})
		}()
	}
	<-held
	<-held
	type reading struct {
		clock.Reading
		err error
	}
	read := make(chan reading, 1)
	began := time.Now()
	go func() {
		r, err := db.ReadClock(t.Context())
		read <- reading{r, err}
	}()
	testkit.Until(t, func() bool { return db.PoolUse().Waited > 0 || time.Since(began) > 300*time.Millisecond })
	released := time.Now()
	close(waits)
	r := <-read
	testkit.Must(t, r.err)
	testkit.Must(t, <-done)
	testkit.Must(t, <-done)
	if r.Asked.Before(released) {
		t.Errorf("the reading counts %s in which there was no connection", released.Sub(r.Asked))
	}
}

// leapingWatcher sets the database's clock while a transaction is under way.
type leapingWatcher struct{ leap func() }

func (w leapingWatcher) Load(context.Context) error { return nil }
func (w leapingWatcher) Watch() store.Watch         { return w }

func (w leapingWatcher) QueueRead(*pgx.Batch, store.Locked) { w.leap() }
func (w leapingWatcher) QueueWrites(*pgx.Batch, time.Time)  {}
func (w leapingWatcher) Decide(context.Context, *postgres.Tx, []store.AppliedRow, time.Time) error {
	return nil
}

// TestALeapUnderATransaction: the clock is set, and read, between the first look whether clocks
// agree and the decision. Nothing is written or claimed by such a time, and all of it is when
// the clock is right again: a live tweet went cold for good.
func TestALeapUnderATransaction(t *testing.T) {
	t.Parallel()
	const leap = 400 * 24 * time.Hour
	e := newEnv(t, postgres.ExecPrepared)
	e.track(t, 20)
	leaping := func(s *store.Store, batch store.Batch) error {
		_, err := s.Apply(t.Context(), e.found(batch, 100))
		return err
	}
	s := e.with(store.Options{Watcher: leapingWatcher{leap: sync.OnceFunc(func() { e.clock.Leap(leap) })}})
	held := e.claim(t)
	if err := leaping(s, held); !errors.Is(err, clock.ErrDisagreement) {
		t.Errorf("applied with a clock that leapt: %v", err)
	}
	e.clock.Leap(-leap)
	if err := leaping(s, held); err != nil {
		t.Error(err)
	}
	if n := e.count(t, `select count(*) from twitter_engagement_tracking where update_count = 1 and next_update_at is not null`); n != 20 {
		t.Errorf("%d rows are written and looked up again, want 20", n)
	}
	e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, e.clock.Now().Add(-time.Minute))
	c, err := e.Claim(t.Context(), store.ClaimRequest{Tweets: 20, BatchTweets: 20, BatchRows: 100, Lease: lease, Allowance: func(store.Outstanding) int {
		e.clock.Leap(leap)
		return 20
	}})
	if !errors.Is(err, clock.ErrDisagreement) || c.Tweets > 0 {
		t.Errorf("claimed with a clock that leapt: %+v, %v", c, err)
	}
	e.clock.Leap(-leap)
	if n := e.count(t, `select count(*) from twitter_engagement_tracking where claim_id is not null`); n != 0 {
		t.Errorf("%d rows are claimed", n)
	}
}
