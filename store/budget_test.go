package store_test

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// TestBudgetIsALimit: several dispatchers claim from a backlog as fast as they can, and
// several workers answer what they have in hand in any order, some of it late, each call
// with a canary that is billed too. The provider's bill, counted here, never exceeds the
// budget by more than one call a worker.
func TestBudgetIsALimit(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2, 3} {
		e := newEnv(t, postgres.ExecPrepared)
		const (
			dispatchers, workers = 3, 4
			callTweets           = 50
			price                = 0.01 // of a tweet; see prices
		)
		random := rand.New(rand.NewPCG(seed, 0))
		budget := price * float64(300+random.IntN(500))
		s := e.with(store.Options{Budget: store.Budget{Day: budget}})
		e.trackIn(t, e.zone, newTweets(e.clock.Now(), 2000))
		var (
			billed   atomic.Int64
			inHand   = make(chan store.Batch, 2000)
			claiming conc.WaitGroup
			working  conc.WaitGroup
		)
		for range dispatchers {
			claiming.Go(func() {
				for {
					c, err := s.Claim(t.Context(), store.ClaimRequest{Tweets: 170, BatchTweets: 130, BatchRows: 1000, Lease: lease})
					if err != nil {
						t.Errorf("seed %d: %v", seed, err)
						return
					}
					for _, b := range c.Batches {
						inHand <- b
					}
					if !c.Busy && len(c.Batches) == 0 {
						return // nothing that the budget buys is left
					}
				}
			})
		}
		for worker := range uint64(workers) {
			working.Go(func() {
				order := rand.New(rand.NewPCG(seed, worker))
				var kept []store.Batch
				answer := func(b store.Batch) {
					calls := (len(b.Tweets) + callTweets - 1) / callTweets
					bill := len(b.Tweets) + calls // a canary a call
					work := e.found(b, 1)
					work.Calls = []store.Calls{{Provider: "p", Count: calls, Billed: bill}}
					if _, err := s.Apply(t.Context(), work); err != nil {
						t.Errorf("seed %d: %v", seed, err)
					}
					billed.Add(int64(bill))
				}
				for b := range inHand {
					if order.IntN(3) == 0 {
						kept = append(kept, b)
						continue
					}
					answer(b)
				}
				for _, b := range kept {
					answer(b)
				}
			})
		}
		claiming.Wait()
		close(inHand)
		working.Wait()
		dollars := price * float64(billed.Load())
		if over := dollars - budget; over > price*callTweets*workers+1e-9 {
			t.Errorf("seed %d: $%.2f was billed of a budget of $%.2f", seed, dollars, budget)
		}
		if dollars < 0.8*budget {
			t.Errorf("seed %d: only $%.2f of a budget of $%.2f was used, with more due", seed, dollars, budget)
		}
		if spent := e.spent(t, s); !near(spent.Today, dollars) || spent.Committed != 0 {
			t.Errorf("seed %d: the ledger says %+v, the provider $%.2f", seed, spent, dollars)
		}
	}
}

// TestRefreshesAreHeldToTheirBudgetAtOnce: refreshes that are asked for and not answered
// count as spent.
func TestRefreshesAreHeldToTheirBudgetAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := e.with(store.Options{Budget: store.Budget{RefreshDay: 0.10}}) // ten tweets
	tracked := e.track(t, 40)
	var granted, refused atomic.Int64
	var asking conc.WaitGroup
	for _, row := range tracked {
		asking.Go(func() {
			_, _, err := s.OpenRefresh(t.Context(), store.RequestRefresh{ID: uuid.New(), Row: row.Row, Requester: "x", Wait: time.Minute})
			switch limit, ok := errors.AsType[*store.LimitError](err); {
			case err == nil:
				granted.Add(1)
			case ok && limit.Budget:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if granted.Load() == 0 || granted.Load() > 10 || granted.Load()+refused.Load() != 40 {
		t.Errorf("%d refreshes of 40 were granted, %d refused; the budget buys ten tweets", granted.Load(), refused.Load())
	}
}

// TestBudgetGoesByTheProvidersThatAreAsked: a provider that is known and not asked, however
// dear, takes nothing from what a budget buys; the fallback, which may be asked, does.
func TestBudgetGoesByTheProvidersThatAreAsked(t *testing.T) {
	t.Parallel()
	for fallback, want := range map[string]struct{ refreshes, claimed int }{
		"":     {refreshes: 5, claimed: 9}, // each refresh with a canary, and one for the batch
		"dear": {},
	} {
		e := newEnv(t, postgres.ExecPrepared)
		s := store.New(e.db, e.clock, store.Options{
			Provider: "cheap", Fallback: fallback, Prices: store.Prices{"cheap": {Dollars: 0.01}, "dear": {Dollars: 1}},
			Budget: store.Budget{Day: 0.10, RefreshDay: 0.10},
		})
		tracked := e.track(t, 40)
		granted := 0
		for _, row := range tracked {
			_, _, err := s.OpenRefresh(t.Context(), store.RequestRefresh{ID: uuid.New(), Row: row.Row, Requester: "x", Wait: time.Minute})
			if _, refused := errors.AsType[*store.LimitError](err); err != nil && !refused {
				t.Fatal(err)
			}
			if err == nil {
				granted++
			}
		}
		c, err := s.Claim(t.Context(), store.ClaimRequest{Tweets: 40, BatchTweets: 50, BatchRows: 100, Lease: lease})
		if err != nil {
			t.Fatal(err)
		}
		if granted != want.refreshes || c.Tweets != want.claimed {
			t.Errorf("fallback %q: %d refreshes granted and %d tweets claimed, want %+v", fallback, granted, c.Tweets, want)
		}
	}
}

// TestClockSetBack: what a clock ahead has written does not let rules stand still until
// time has caught up.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := e.with(store.Options{Budget: store.Budget{Day: 1}})
	tracked := e.track(t, 5)
	claim := func() store.Claimed {
		t.Helper()
		c, err := s.Claim(t.Context(), store.ClaimRequest{Tweets: 1, BatchTweets: 1, BatchRows: 10, Lease: lease})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ask := func() (fresh bool, err error) {
		_, fresh, err = s.OpenRefresh(t.Context(), store.RequestRefresh{
			ID: uuid.New(), Row: tracked[0].Row, Requester: "x", Wait: time.Minute, Fresh: 15 * time.Second,
			Limits: store.Limits{Cooldown: time.Minute},
		})
		return fresh, err
	}
	claim() // reads what was spent: nothing
	if _, err := ask(); err != nil {
		t.Fatal(err)
	}
	e.exec(t, `update twitter_engagement_tracking set last_updated_at = $1 where tweet_db_id = $2`, e.clock.Now(), tracked[0].Row)
	e.clock.advance(-time.Hour)
	if fresh, err := ask(); err != nil || fresh {
		t.Errorf("a refresh, asked for an hour before the last one and the last observation: %v, without a look-up: %v", err, fresh)
	}
	if err := s.RecordCalls(t.Context(), false, store.Calls{Provider: "p", Count: 1, Billed: 500}); err != nil { // $5 of $1
		t.Fatal(err)
	}
	e.exec(t, `update twitter_engagement_tracking set next_update_at = $1, claimed_until = null`, e.clock.Now().Add(-time.Minute))
	for _, after := range []time.Duration{0, time.Minute, 29 * time.Minute, 29 * time.Minute} {
		e.clock.advance(after)
		if c := claim(); c.Closed == "" || c.Tweets > 0 {
			t.Errorf("five times the budget is spent, and %d tweets are claimed, closed: %q", c.Tweets, c.Closed)
		}
	}
}

// TestRowsWithoutATweet: tracking rows whose tweet does not exist, as a table without the
// foreign key may have, keep no row from being claimed, wherever they stand in the queue.
func TestRowsWithoutATweet(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	e.exec(t, `alter table twitter_engagement_tracking drop constraint twitter_engagement_tracking_tweet_db_id_fkey`)
	longAgo := e.clock.Now().Add(-time.Hour)
	for range 20 {
		e.exec(t, `insert into twitter_engagement_tracking (tweet_db_id, tier, next_update_at) values ($1, 'hot', $2)`, uuid.New(), longAgo)
		e.exec(t, `insert into twitter_engagement_tracking (tweet_db_id, tier, next_update_at, zone_id) values ($1, 'hot', $2, $3)`, uuid.New(), longAgo, e.zone)
	}
	e.track(t, 10)
	claimed := 0
	for range 5 { // the rows that lead nowhere are the longest overdue
		c, err := e.Claim(t.Context(), store.ClaimRequest{Tweets: 10, BatchTweets: 10, BatchRows: 10, Lease: lease})
		if err != nil {
			t.Fatal(err)
		}
		claimed += c.Tweets
	}
	if claimed != 10 {
		t.Errorf("%d of 10 tweets were claimed", claimed)
	}
	if _, err := e.Apply(t.Context(), store.Work{ClaimID: uuid.New(), Results: []store.Result{{
		TweetID: engagement.TweetIDAt(e.clock.Now(), 999), Rows: []uuid.UUID{uuid.New()}, Kind: store.Missing,
	}}}); err != nil {
		t.Errorf("an answer about a row that does not exist: %v", err)
	}
}
