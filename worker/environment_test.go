package worker_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/twitter"
	"gorgone/worker/lookup"
)

// failingStore fails writes as the server does, a number of times.
type failingStore struct {
	*store.Store

	code     string
	severity string
	left     atomic.Int64               // failures to come
	refuses  func(tweets []string) bool // nil: any
}

func (s *failingStore) fail(tweets ...string) error {
	if s.refuses != nil && !s.refuses(tweets) || s.left.Add(-1) < 0 {
		return nil
	}
	return &pgconn.PgError{Severity: s.severity, Code: s.code, Message: "made for a test"}
}

func (s *failingStore) HeldRows(ctx context.Context, c uuid.UUID, rows []uuid.UUID) ([]store.Held, error) {
	if s.refuses == nil {
		if err := s.fail(); err != nil {
			return nil, err
		}
	}
	return s.Store.HeldRows(ctx, c, rows)
}

func (s *failingStore) Apply(ctx context.Context, w store.Work) (store.Applied, error) {
	var tweets []string
	for _, r := range w.Results {
		if r.Kind == store.Found {
			tweets = append(tweets, r.TweetID)
		}
	}
	if err := s.fail(tweets...); err != nil {
		return store.Applied{}, err
	}
	return s.Store.Apply(ctx, w)
}

func (s *failingStore) ApplyRefresh(ctx context.Context, results []store.RefreshResult, calls ...store.Calls) (store.Applied, error) {
	tweets := make([]string, len(results))
	for i, r := range results {
		tweets[i] = r.TweetID
	}
	if err := s.fail(tweets...); err != nil {
		return store.Applied{}, err
	}
	return s.Store.ApplyRefresh(ctx, results, calls...)
}

// paid returns the tweets in the ledger.
const paid = `select coalesce(sum(tweets), 0)::int4 from gorgone.spending`

// TestWhatTheDatabaseIsAtFaultForIsWaitedFor: nothing is dead-lettered, no row is blamed,
// and what was paid for is written once the database takes it.
func TestWhatTheDatabaseIsAtFaultForIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"25006", "XX000", "53100", "53300", "57P03", "28P01", "08P01", "42P01", "42501", "0A000", "ZZ999"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 100})
			ids := e.track()
			failing := &failingStore{Store: e.store, code: code, severity: "FATAL"}
			failing.left.Store(3)
			e.dispatch()
			e.run(e.worker(workerOptions{store: failing}))
			e.eventually("tweets updated once", updatedOnce, 100)
			failing.left.Store(2)
			if done := e.refresh(ids[0]); done.Outcome != engagement.RequestUpdated {
				t.Errorf("a refresh ended %q: %s %s", done.Outcome, done.Cause, done.Reason)
			}
			d, err := e.queue.Depth(t.Context())
			testkit.Must(t, err)
			if d.DeadLetters > 0 {
				t.Errorf("%d dead letters", d.DeadLetters)
			}
			if n := e.count(`select count(*) from twitter_engagement_tracking where attempts > 0`); n > 0 {
				t.Errorf("%d tweets are blamed", n)
			}
			if n, s := e.count(paid), e.double.Stats(); n != int(s.Returned) || n != 101 {
				t.Errorf("%d tweets in the ledger, %d paid for, want 101", n, s.Returned)
			}
		})
	}
}

// TestAPaidAnswerOutlivesItsLease: the database takes nothing until the claim's lease has
// ended. The answer is kept and written, and its calls are made once.
func TestAPaidAnswerOutlivesItsLease(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20, lease: 20 * time.Second, ackWait: 4 * time.Second})
	e.track()
	failing := &failingStore{Store: e.store, code: "53100", severity: "ERROR", refuses: func([]string) bool { return true }}
	failing.left.Store(1 << 30)
	w := e.worker(workerOptions{store: failing})
	e.run(w)
	e.dispatch()
	e.called(1)
	poll(t, "the worker is not ready", func() bool { return w.Ready() != nil })
	if err := w.Ready(); !postgres.HasCode(err, "53100") {
		t.Errorf("not ready because of %v", err)
	}
	e.eventually("leases that ended", `select count(*) from gorgone.batches where claimed_until < clock_timestamp()`, 1)
	failing.left.Store(0)
	e.eventually("tweets updated once", updatedOnce, 20)
	poll(t, "the worker is ready", func() bool { return w.Ready() == nil })
	if s := e.double.Stats(); s.Returned != 20 || e.count(paid) != 20 {
		t.Errorf("%d tweets paid for, %d in the ledger, want 20", s.Returned, e.count(paid))
	}
}

// TestALateAnswerDropsNoNewerOne: an answer is kept past its lease, its rows are claimed again
// and looked up once more, and before that answer is there the late one is written. The newer
// one, which was paid for too, is written after it.
func TestALateAnswerDropsNoNewerOne(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20, lease: 20 * time.Second, ackWait: 4 * time.Second})
	e.track()
	failing := &failingStore{Store: e.store, code: "53100", severity: "ERROR", refuses: func([]string) bool { return true }}
	failing.left.Store(1 << 30)
	there, goOn := make(chan struct{}, 1), make(chan struct{})
	var calls atomic.Int64
	secondHeld := func(next lookup.CallFunc) lookup.CallFunc {
		held := beforeCall(there, goOn)(next)
		return func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			if calls.Add(1) == 1 {
				return next(ctx, gate, ids)
			}
			return held(ctx, gate, ids)
		}
	}
	e.run(e.worker(workerOptions{store: failing, lookup: secondHeld}))
	e.dispatch()
	e.called(1)
	e.eventually("leases that ended", `select count(*) from gorgone.batches where claimed_until < clock_timestamp()`, 1)
	// The first may have asked for the next batch already. The second does not write what the
	// first has kept either, before that is to happen.
	e.run(e.worker(workerOptions{store: failing, lookup: secondHeld}))
	e.dispatch()
	<-there
	failing.left.Store(0)
	e.eventually("tweets updated once", updatedOnce, 20)
	newer := e.clock.Now()
	late := e.count(`select count(*) from twitter_engagement_tracking where last_updated_at >= $1`, newer)
	close(goOn)
	e.eventually("tweets updated twice", `select count(*) from twitter_engagement_tracking where update_count = 2`, 20)
	if s := e.double.Stats(); s.Returned != 40 || late != 0 {
		t.Errorf("%d tweets paid for, want 40; %d written ahead of time", s.Returned, late)
	}
}

// TestALateAnswerIsWrittenUnlessANewerOneIs: an answer is kept past its lease, and its rows are
// claimed again. If they were not looked up since, it is written, and the new batch makes no
// call for them; if they were, what was found last stays.
func TestALateAnswerIsWrittenUnlessANewerOneIs(t *testing.T) {
	t.Parallel()
	for name, looked := range map[string]bool{"claimed again": false, "looked up again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 20, lease: 20 * time.Second, ackWait: 4 * time.Second})
			e.track()
			failing := &failingStore{Store: e.store, code: "53100", severity: "ERROR", refuses: func([]string) bool { return true }}
			failing.left.Store(1 << 30)
			e.run(e.worker(workerOptions{store: failing}))
			e.dispatch()
			e.called(1)
			e.eventually("leases that ended", `select count(*) from gorgone.batches where claimed_until < clock_timestamp()`, 1)
			claim, err := e.store.Claim(t.Context(), store.ClaimRequest{Tweets: 100, BatchTweets: 100, BatchRows: 100, Lease: time.Minute})
			testkit.Must(t, err)
			if claim.Tweets != 20 {
				t.Fatalf("claimed %+v", claim)
			}
			newer := e.clock.Now()
			if looked {
				work := store.Work{ClaimID: claim.Batches[0].ClaimID}
				for _, tw := range claim.Batches[0].Tweets {
					work.Results = append(work.Results, store.Result{
						TweetID: tw.TweetID, Rows: tw.Rows, Kind: store.Found, Observation: engagement.Observation{At: newer, Metrics: engagement.Metrics{Likes: engagement.Known(7)}},
					})
				}
				_, err := e.store.Apply(t.Context(), work)
				testkit.Must(t, err)
			}
			failing.left.Store(0)
			e.eventually("tweets updated once", updatedOnce, 20)
			e.eventually("messages in hand", `select count(*) from gorgone.batches where open_rows > 0 and claimed_until > clock_timestamp()`, 0)
			if n := e.count(`select count(*) from twitter_engagement_tracking where last_updated_at >= $1`, newer.Truncate(time.Microsecond)); (n == 20) != looked {
				t.Errorf("%d rows have the newer observation", n)
			}
			if s := e.double.Stats(); s.Returned != 20 {
				t.Errorf("%d tweets paid for, want 20", s.Returned)
			}
		})
	}
}

// TestARefusedRowFailsNoOther: one row of a group is refused, by a code that says so and
// by one that does not.
func TestARefusedRowFailsNoOther(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"P0001", "23514", "22003", "XX001", "42703"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 20})
			ids := e.track()
			failing := &failingStore{Store: e.store, code: code, severity: "ERROR", refuses: func(tweets []string) bool {
				return slices.Contains(tweets, ids[7])
			}}
			failing.left.Store(1 << 30)
			requests := make([]store.RefreshRequest, len(ids))
			for i, id := range ids {
				requests[i] = e.ask(id, time.Minute)
			}
			e.run(e.worker(workerOptions{store: failing}))
			for i, r := range requests {
				want := engagement.RequestUpdated
				if i == 7 {
					want = engagement.RequestFailed
				}
				if got := e.ended(r.ID); got.Outcome != want {
					t.Errorf("request %d ended %q: %s", i, got.Outcome, got.Reason)
				}
			}
			e.eventually("tweets in the ledger", paid, 20)
			_, err := e.store.ForceDue(t.Context(), store.DueFilter{})
			testkit.Must(t, err)
			e.dispatch()
			e.eventually("rows that back off", `select count(*) from twitter_engagement_tracking where attempts = 1 and claim_id is null`, 1)
			e.eventually("tweets updated twice", `select count(*) from twitter_engagement_tracking where update_count = 2 and claim_id is null`, 19)
		})
	}
}
