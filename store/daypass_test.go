package store_test

import (
	"math"
	"strconv"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/bill"
	"gorgone/store/history"
	"gorgone/store/postgres"
)

// perDay are the prices of a provider that charges for a tweet once a UTC day, and of one that
// charges each time.
var perDay = store.Prices{"x": {Dollars: 0.005, DayPass: true}, "y": {Dollars: 0.0002}}

// live looks tweets up whenever they are due, each with the given counts, until none is or a
// time comes. It returns the UTC dates of the look-ups of each tweet, in order.
func (e *env) live(t *testing.T, s *store.Store, provider string, until time.Time, likes func(tweetID string, at time.Time) int64) map[string][]string {
	t.Helper()
	dates := make(map[string][]string)
	for {
		var next *time.Time
		if err := e.raw.QueryRow(t.Context(), `select min(next_update_at) from twitter_engagement_tracking`).Scan(&next); err != nil {
			t.Fatal(err)
		}
		if next == nil || next.After(until) {
			return dates
		}
		if wait := next.Sub(e.clock.Now()); wait > 0 {
			e.clock.advance(wait)
		}
		now := e.clock.Now()
		work := e.found(e.claim(t), 0)
		call := store.Calls{Provider: provider, Count: 1}
		for i := range work.Results {
			r := &work.Results[i]
			r.Observation.Provider, r.Observation.Metrics = provider, counted(likes(r.TweetID, now))
			dates[r.TweetID] = append(dates[r.TweetID], now.UTC().Format(time.DateOnly))
			if !perDay[provider].DayPass {
				call.Billed++
				continue
			}
			id, err := strconv.ParseInt(r.TweetID, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			call.Reads.Tweets = append(call.Reads.Tweets, id)
		}
		call.Reads.KeyID, call.Reads.Day = "key", engagement.UTCDay(now)
		work.Calls = []store.Calls{call}
		bill.Identify(work.Calls)
		if _, err := s.Apply(t.Context(), work); err != nil {
			t.Fatal(err)
		}
	}
}

func counted(n int64) engagement.Metrics { return likes(n) }

// TestTheScheduleKnowsTheDayPass has one provider charge once a day, and one each time, for a
// tweet that is not worth the whole price and one that is. What is charged for is counted by the
// ledger, and the schedule is held against the dates of the look-ups.
func TestTheScheduleKnowsTheDayPass(t *testing.T) {
	t.Parallel()
	const price = 40
	looks := make(map[string]map[string][]string) // by provider
	for provider := range perDay {
		e := newEnv(t, postgres.ExecPrepared)
		noon := engagement.UTCDay(e.clock.Now()).Add(36 * time.Hour)
		e.clock.advance(noon.Sub(e.clock.Now()))
		s := store.New(e.db, e.clock, store.Options{
			Schedule: store.ScheduleAdaptive, Price: price, Provider: provider, Prices: perDay, Random: func() float64 { return 0.5 },
		})
		tweets := newTweets(noon, 2)
		e.trackIn(t, e.zone, tweets)
		quiet, busy := tweets[0].TweetID, tweets[1].TweetID
		got := e.live(t, s, provider, noon.Add(72*time.Hour), func(id string, at time.Time) int64 {
			if id == quiet {
				return 3
			}
			return 20 + int64(600*at.Sub(noon).Hours()/48)
		})
		looks[provider] = map[string][]string{"quiet": got[quiet], "busy": got[busy]}
		days := make(map[string]bool)
		for _, id := range []string{quiet, busy} {
			for _, date := range got[id] {
				days[id+date] = true
			}
		}
		want := float64(len(days))
		if provider == "y" {
			want = float64(len(got[quiet]) + len(got[busy]))
		}
		list, err := s.Expenses(t.Context(), noon, noon.AddDate(0, 0, 3))
		if err != nil {
			t.Fatal(err)
		}
		var billed float64
		for _, x := range list {
			billed += x.Tweets
		}
		if math.Abs(billed-want) > 1e-6 {
			t.Errorf("%s: %g tweets are billed, want %g for %v", provider, billed, want, got)
		}
		stored := e.count(t, `select count(*) from twitter_engagement_tracking where length(activity_state) = 81`)
		if aware := provider == "x"; aware != (stored == 2) || !aware && stored != 0 {
			t.Errorf("%s: %d rows remember a day that was paid for", provider, stored)
		}
		perTweet, err := e.DaysPerTweet(t.Context(), noon.Add(-time.Hour), noon.Add(time.Hour))
		if err != nil || math.Abs(perTweet-float64(len(days))/2) > 1e-6 {
			t.Errorf("%s: %g days a tweet, want %g: %v", provider, perTweet, float64(len(days))/2, err)
		}
	}
	dates := func(list []string) map[string]bool {
		set := make(map[string]bool)
		for _, date := range list {
			set[date] = true
		}
		return set
	}
	x, y := looks["x"], looks["y"]
	if len(dates(x["quiet"])) != 1 || len(x["quiet"]) <= len(y["quiet"]) {
		t.Errorf("a tweet that is not worth another day is looked up on %v, and where each look-up costs on %v", x["quiet"], y["quiet"])
	}
	if len(x["busy"]) < 2*len(y["busy"]) || len(dates(x["busy"])) < 2 {
		t.Errorf("a tweet that is worth its days is looked up on %v, and where each look-up costs on %v", x["busy"], y["busy"])
	}
}

// TestPushedCountsPayForNoDay: what comes by itself is not taken for a look-up.
func TestPushedCountsPayForNoDay(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := store.New(e.db, e.clock, store.Options{Schedule: store.ScheduleAdaptive, Provider: "x", Prices: perDay})
	row := e.track(t, 1)[0].Row
	for _, pushed := range []bool{true, false} {
		e.clock.advance(5 * time.Minute)
		tweet := must(s.Tweet(t.Context(), row))(t)
		r := store.RefreshResult{TweetID: tweet.TweetID, RequestedAt: e.clock.Now(), Kind: store.Found, Late: pushed}
		r.Observation = engagement.Observation{At: e.clock.Now(), Metrics: likes(40), Provider: "x", Pushed: pushed}
		if _, err := s.ApplyRefresh(t.Context(), []store.RefreshResult{r}); err != nil {
			t.Fatal(err)
		}
		got := must(s.Tweet(t.Context(), row))(t).Tracking.Activity
		if got.PaidOn(e.clock.Now()) == pushed {
			t.Errorf("pushed %v: paid for on %s", pushed, got.PaidDay)
		}
	}
	if points := must(e.History(t.Context(), row, history.Range{}))(t); len(points) != 2 {
		t.Errorf("%d points", len(points))
	}
}

// TestPurchasesOfADayPass: by hand, 50 tweets that are posted today are charged for today and
// tomorrow, 100 times half a cent a day, however often they are looked up.
func TestPurchasesOfADayPass(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := store.New(e.db, e.clock, store.Options{Schedule: store.ScheduleAdaptive, Provider: "x", Prices: perDay, Budget: store.Budget{Day: 0.4}})
	e.track(t, 50)
	p, err := s.Purchases(t.Context())
	if err != nil || math.Abs(p.Now.DollarsPerDay-0.5) > 1e-9 || p.Now.LookupsPerHour < 50 {
		t.Errorf("at the initial price: %+v, %v", p, err)
	}
	// A price that is above the initial one meets the budget, and falls when the day is cheaper,
	// but not for ever.
	price := func() float64 {
		t.Helper()
		if err := s.AdjustPrice(t.Context()); err != nil {
			t.Fatal(err)
		}
		return scalar[float64](t, e, `select price from gorgone.look_price`)
	}
	first := price()
	if first <= engagement.DefaultPrice {
		t.Errorf("the price is %g for a budget of 0.4 dollars", first)
	}
	e.clock.advance(10 * time.Minute)
	e.exec(t, `update public.twitter_engagement_tracking set next_update_at = null`)
	e.exec(t, `update public.twitter_tweets set twitter_created_at = twitter_created_at - interval '2 days' where id not in (select id from public.twitter_tweets limit 5)`)
	if next := price(); next >= first {
		t.Errorf("the day costs less, and the price goes from %g to %g", first, next)
	}
	for range 60 {
		e.clock.advance(10 * time.Minute)
		price()
	}
	if least := price(); least < engagement.MinDayPrice {
		t.Errorf("the price has fallen to %g", least)
	}
}
