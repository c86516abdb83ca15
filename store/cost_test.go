package store_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/store"
	"gorgone/store/bill"
	"gorgone/store/postgres"
	"gorgone/store/report"
)

// prices are those of a provider that is easy to calculate with.
var prices = store.Prices{"p": {Dollars: 0.01, Credits: 15}}

func (e *env) with(o store.Options) *store.Store {
	o.Random = func() float64 { return 0.5 }
	o.Prices, o.Provider = prices, "p"
	return store.New(e.db, e.clock, o)
}

func (e *env) spent(tb testing.TB, s *store.Store) store.Spending {
	tb.Helper()
	spent, err := s.Spending(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return spent
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestLedgerSharesCallsAmongZones(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		s := e.with(store.Options{})
		other := e.newZone(t)
		tweets := newTweets(e.clock.Now(), 4)
		e.trackIn(t, e.zone, tweets)
		e.trackIn(t, other, tweets[:1]) // one tweet is in two zones
		work := e.found(e.claim(t), 7)
		work.Calls = []store.Calls{{Provider: "p", Count: 2, Failed: 1, Billed: 4}}
		if _, err := s.Apply(t.Context(), work); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ApplyRefresh(t.Context(), []store.RefreshResult{{
			TweetID: tweets[1].TweetID, RequestedAt: e.clock.Now().Add(time.Second), Kind: store.Missing,
		}}, store.Calls{Provider: "p", Count: 1, Billed: 1}); err != nil {
			t.Fatal(err)
		}
		if err := s.RecordCalls(t.Context(), false, store.Calls{Provider: "p", Count: 3, Failed: 3}); err != nil {
			t.Fatal(err)
		}
		check := func(when string) {
			t.Helper()
			list, err := s.Expenses(t.Context(), e.clock.Now(), e.clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			type key struct {
				zone    uuid.UUID
				refresh bool
			}
			got := make(map[key]store.Expense)
			for _, x := range list {
				got[key{x.Zone, x.Refresh}] = x
			}
			own, others, refreshed, none := got[key{e.zone, false}], got[key{other, false}], got[key{e.zone, true}], got[key{}]
			if !near(own.Tweets, 3.5) || !near(own.Calls, 1.75) || !near(own.Credits, 52.5) || !near(own.Dollars, 0.035) ||
				!near(others.Tweets, 0.5) || !near(others.Calls, 0.25) ||
				!near(refreshed.Tweets, 1) || !near(refreshed.Calls, 1) ||
				!near(none.Calls, 3) || none.Tweets != 0 || len(list) != 4 {
				t.Errorf("%s: %+v", when, list)
			}
		}
		check("before the books are closed")
		for range 2 { // the second time nothing is left
			if _, err := s.CloseLedger(t.Context(), e.clock.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			check("after")
		}
		if n := e.count(t, `select count(*) from gorgone.spending`); n != 0 {
			t.Errorf("%d entries are left", n)
		}
		if got := e.spent(t, s); !near(got.Today, 0.04) || !near(got.Month, 0.04) || !near(got.RefreshToday, 0.01) {
			t.Errorf("spent %+v", got)
		}
	})
}

// What is written again, because it is unknown whether it was, is paid for once.
func TestABillIsEnteredOnce(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		s := e.with(store.Options{})
		tweets := newTweets(e.clock.Now(), 2)
		e.trackIn(t, e.zone, tweets)
		e.trackIn(t, e.newZone(t), tweets[:1])
		work := e.found(e.claim(t), 7)
		work.Calls = []store.Calls{{Provider: "p", Count: 1, Billed: 2}, {Provider: "q", Count: 2}}
		bill.Identify(work.Calls)
		refreshed := []store.Calls{{Provider: "p", Count: 1, Billed: 1}}
		bill.Identify(refreshed)
		for range 2 {
			if _, err := s.Apply(t.Context(), work); err != nil {
				t.Fatal(err)
			}
			if err := s.RecordCalls(t.Context(), false, work.Calls...); err != nil { // when it was given up
				t.Fatal(err)
			}
			if _, err := s.ApplyRefresh(t.Context(), []store.RefreshResult{{
				TweetID: tweets[1].TweetID, RequestedAt: e.clock.Now().Add(time.Second), Kind: store.Missing,
			}}, refreshed...); err != nil {
				t.Fatal(err)
			}
			// What is redelivered after hours finds the entries in the ledger.
			e.clock.advance(20 * time.Hour)
			if _, err := s.CloseLedger(t.Context(), e.clock.Now().Add(-time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		var again conc.WaitGroup // and what is written twice at once, is entered once
		twice := []store.Calls{{Provider: "p", Count: 1, Billed: 5}}
		bill.Identify(twice)
		for range 8 {
			again.Go(func() {
				if err := s.RecordCalls(t.Context(), false, twice...); err != nil {
					t.Error(err)
				}
			})
		}
		again.Wait()
		list, err := s.Expenses(t.Context(), epoch, e.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		calls, billed := 0.0, 0.0
		for _, x := range list {
			calls, billed = calls+x.Calls, billed+x.Tweets
		}
		if !near(calls, 5) || !near(billed, 8) {
			t.Errorf("%g calls and %g tweets in the ledger, want 5 and 8: %+v", calls, billed, list)
		}
	})
}

func TestBudgetStopsClaimsAndRefreshes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := e.with(store.Options{Budget: store.Budget{Day: 1, Month: 100, RefreshDay: 0.5}})
	tracked := e.track(t, 3)
	claim := func() store.Claimed {
		t.Helper()
		c, err := s.Claim(t.Context(), store.ClaimRequest{Tweets: 1, BatchTweets: 1, BatchRows: 10, Lease: lease})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ask := func() error {
		_, _, err := s.OpenRefresh(t.Context(), store.RequestRefresh{ID: uuid.New(), Row: tracked[0].Row, Requester: "x", Wait: time.Minute})
		return err
	}
	spend := func(refresh bool, tweets int) {
		t.Helper()
		if err := s.RecordCalls(t.Context(), refresh, store.Calls{Provider: "p", Count: 1, Billed: tweets}); err != nil {
			t.Fatal(err)
		}
		e.clock.advance(31 * time.Second) // what was spent is read again
	}
	spend(false, 99)
	if c := claim(); c.Closed != "" || c.Tweets != 1 {
		t.Errorf("at 99%%: %+v", c)
	}
	spend(false, 1)
	if c := claim(); c.Closed == "" || c.Tweets != 0 {
		t.Errorf("at 100%%: %+v", c)
	}
	if err := ask(); err != nil {
		t.Errorf("a refresh has its own budget: %v", err)
	}
	spend(true, 50)
	var limit *store.LimitError
	if err := ask(); !asLimit(err, &limit) || limit.After <= 0 || limit.After > 24*time.Hour {
		t.Errorf("beyond the budget of refreshes: %v", err)
	}
	e.clock.advance(24 * time.Hour)
	if c := claim(); c.Closed != "" || c.Tweets != 1 {
		t.Errorf("the next day: %+v", c)
	}
	if err := ask(); err != nil {
		t.Errorf("the next day: %v", err)
	}
	for range 99 { // 1 dollar a day is 99 more of the month's 100
		spend(false, 100)
	}
	e.clock.advance(24 * time.Hour)
	if c := claim(); c.Closed == "" {
		t.Errorf("beyond the month's budget: %+v", c)
	}
	if which, until := e.spent(t, s).Exhausted(); which != "this month's budget" || !until.Equal(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%q until %s", which, until)
	}
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := e.with(store.Options{})
	read := func(credits float64) {
		t.Helper()
		if err := s.RecordBalance(t.Context(), store.Balance{Provider: "p", At: e.clock.Now(), Credits: credits}); err != nil {
			t.Fatal(err)
		}
		e.clock.advance(time.Hour)
	}
	book := func(tweets int) {
		t.Helper()
		if err := s.RecordCalls(t.Context(), false, store.Calls{Provider: "p", Count: 1, Billed: tweets}); err != nil {
			t.Fatal(err)
		}
	}
	book(1000) // before the first reading: not compared
	read(10_000)
	book(10)
	read(10_000 - 150)
	book(10)
	if _, err := s.CloseLedger(t.Context(), e.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	read(10_000 - 150 - 200) // 50 more than the ledger has
	read(20_000)             // credits were added
	for range 12 {
		book(100)
		e.clock.advance(20 * time.Hour)
		if _, err := s.CloseLedger(t.Context(), e.clock.Now()); err != nil {
			t.Fatal(err)
		}
		book(100)
		read(20_000)
		// The sum is the whole ledger's, and the next one does not begin at its beginning.
		if booked, all := scalar[float64](t, e, `select booked from gorgone.balances order by at desc limit 1`), scalar[float64](t, e, `
			select 15 * sum(tweets) from (select tweets from gorgone.ledger union all select tweets from gorgone.spending) l`); !near(booked, all) {
			t.Errorf("%g credits by the ledger, want %g", booked, all)
		}
	}
	if late := scalar[int](t, e, `select max(at)::date - max(base_day) from gorgone.balances`); late > 2 {
		t.Errorf("the next sum is over %d days", late)
	}
	e.exec(t, `delete from gorgone.balances where credits = 20000 and at > $1`, epoch.Add(5*time.Hour))
	got, err := e.Reconcile(t.Context(), epoch)
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	r := got[0]
	if r.Taken != 350 || r.Booked != 300 || r.Added != 20_000-9650 || r.Left != 20_000 || !near(r.Drift(), 50./350) {
		t.Errorf("%+v, drift %g", r, r.Drift())
	}
}

// TestVolumeMeasuresWholeLives: a tweet that was old when its tracking began got
// fewer looks than others will.
func TestVolumeMeasuresWholeLives(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	now := e.clock.Now()
	tweets := newTweets(now, 3)
	tweets[0].CreatedAt = now.Add(-29 * time.Minute)
	tweets[1].CreatedAt = now.Add(-31 * time.Minute)
	e.trackIn(t, e.zone, tweets)
	for i, looks := range []int{20, 2, 5} {
		e.exec(t, `update twitter_engagement_tracking set update_count = $1, next_update_at = case when $1 <> 5 then null else next_update_at end
			where tweet_db_id = (select id from twitter_tweets where tweet_id = $2)`, looks, tweets[i].TweetID)
	}
	v, err := e.Volume(t.Context(), now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil || v != (report.Volume{Tracked: 3, PerTweet: 20, ColdAfter: 1}) {
		t.Errorf("%+v, %v", v, err)
	}
}
