package worker_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
	"gorgone/worker/lookup"
)

// TestNoCallBreaksTheBudget: several dispatchers and workers look tweets up, again and again,
// while the provider spoils answers that it bills, loses connections, lacks tweets and
// renames counters, so that workers call again, beside canaries and in trials. What the
// provider has charged, by its own log, is no more than the budget and a call of each worker.
func TestNoCallBreaksTheBudget(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2, 3} {
		random := rand.New(rand.NewPCG(seed, 0))
		e := newEngine(t, engineOptions{tweets: 500, lease: 40 * time.Second})
		const (
			workers, callTweets = 3, 50
			price               = 0.01
		)
		budget := store.Budget{Day: price * float64(200+random.IntN(400)), RefreshDay: price * float64(20+random.IntN(20))}
		e.store = store.New(e.db, e.clock, store.Options{
			Budget: budget, Provider: twitter.TwitterAPIName,
			Prices: store.Prices{twitter.TwitterAPIName: {Dollars: price, Credits: 15}},
		})
		ids := e.track()
		share := func() *float64 { return new(random.Float64() * 0.15) }
		testkit.Must(t, e.double.Inject(fakeprovider.Injection{DropShare: share(), Calls: []fakeprovider.CallInjection{
			{Fault: fakeprovider.Truncated, Share: share()},
			{Fault: fakeprovider.CutBody, Share: share()},
			{Fault: fakeprovider.Reset, Share: share()},
			{Fault: fakeprovider.ServerError, Share: share()},
			{Fault: fakeprovider.Empty, Share: share()},
			{Fault: fakeprovider.RenamedLikes, Share: share()},
			{Fault: fakeprovider.SlowBody, Share: new(0.02)},
		}}))
		var roles []func(context.Context)
		for range workers {
			roles = append(roles, e.worker(workerOptions{rate: 200, callTimeout: time.Second}).Run)
		}
		for range 2 {
			roles = append(roles, e.dispatcher(openGate{}).Run)
		}
		stop := e.runBeside(roles...)
		// Tweets fall due again and again, and refreshes are asked for, until the budget buys
		// nothing more, or for as long as the test has.
		granted := 0
		tick := time.NewTicker(50 * time.Millisecond)
		for end := time.Now().Add(25 * time.Second); time.Now().Before(end); {
			_, err := e.store.ForceDue(t.Context(), store.DueFilter{})
			testkit.Must(t, err)
			tweet, err := e.store.FindTweet(t.Context(), ids[random.IntN(len(ids))])
			testkit.Must(t, err)
			r, _, err := e.store.OpenRefresh(t.Context(), store.RequestRefresh{ID: uuid.New(), Row: tweet[0].Row, Requester: "x", Wait: 20 * time.Second})
			if err == nil {
				granted++
				_, err := e.queue.PublishRefresh(t.Context(), queue.Refresh{RequestID: r.ID, TweetID: r.TweetID, RequestedAt: r.RequestedAt, Deadline: r.Deadline})
				testkit.Must(t, err)
			}
			spent, err := e.store.Spending(t.Context())
			testkit.Must(t, err)
			if which, _ := spent.Exhausted(); which != "" && e.count(`select count(*) from gorgone.batches where done_at is null`) == 0 && granted > 10 {
				break
			}
			<-tick.C
		}
		tick.Stop()
		stop()
		charged := 0.0
		for _, call := range e.double.Calls() {
			charged += price * float64(call.Billed) / 15
		}
		limit := budget.Day + budget.RefreshDay
		spent, err := e.store.Spending(t.Context())
		testkit.Must(t, err)
		t.Logf("seed %d: $%.2f charged of $%.2f + $%.2f, %d refreshes; %+v", seed, charged, budget.Day, budget.RefreshDay, granted, spent)
		if charged > limit+price*callTweets*workers {
			t.Errorf("seed %d: the provider charged $%.2f; the budget is $%.2f", seed, charged, limit)
		}
		if charged < 0.5*budget.Day {
			t.Errorf("seed %d: only $%.2f of $%.2f was used", seed, charged, budget.Day)
		}
	}
}

// TestNoMoneyIsSpentTwice: the budget buys each tweet of a batch once. Of its two calls one
// is answered, and written; the other is billed and its answer lost. What counts as spent
// for the tweets that are left has paid for that call, so there is no other.
func TestNoMoneyIsSpentTwice(t *testing.T) {
	t.Parallel()
	const tweets, price = 100, 0.25
	e := newEngine(t, engineOptions{tweets: tweets})
	e.store = store.New(e.db, e.clock, store.Options{
		Budget: store.Budget{Day: price * float64(store.Covered(tweets, false))}, Provider: twitter.TwitterAPIName,
		Prices: store.Prices{twitter.TwitterAPIName: {Dollars: price, Credits: 15}},
	})
	e.track()
	var calls atomic.Int64
	e.run(e.worker(workerOptions{lookup: func(call lookup.CallFunc) lookup.CallFunc {
		return func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			a, err := call(ctx, gate, ids)
			if err == nil && calls.Add(1) == 1 {
				return twitter.Answer{Provider: a.Provider, Calls: 1, Took: a.Took, Lost: len(ids)}, fmt.Errorf("%w: cut", twitter.ErrProviderFault)
			}
			return a, err
		}
	}}))
	if r := e.dispatch(); r.Tweets != tweets {
		t.Fatalf("dispatched %d tweets", r.Tweets)
	}
	e.eventually("claimed rows", `select count(*) from twitter_engagement_tracking where claim_id is not null`, 0)
	spent, err := e.store.Spending(t.Context())
	testkit.Must(t, err)
	if billed := e.double.Stats().Returned; billed != tweets {
		t.Errorf("%d tweets were paid for with the money for %d: %+v", billed, tweets, spent)
	}
	if updated := e.count(`select count(*) from twitter_engagement_tracking where update_count = 1`); updated != tweets/2 {
		t.Errorf("%d tweets updated", updated)
	}
	if math.Round(spent.Today/price) != tweets/2 || spent.LostToday != price*tweets/2 || spent.Committed != 0 {
		t.Errorf("counted as spent: %+v", spent)
	}
}
