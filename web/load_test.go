package web_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/dispatcher"
	"gorgone/internal/testkit"
)

// TestRefreshesUnderLoad presses 200 times at once, on 50 tweets, while a backlog
// drains. With the build tag load it is one of 100,000 tweets:
//
//	go test -tags load -run UnderLoad ./web
//
// None of the 50 is due, so that each look-up of one is what a refresh costs, and
// so are all ids that stand in one call with it.
func TestRefreshesUnderLoad(t *testing.T) {
	t.Parallel()
	const tweets, presses = 50, 200
	e := newEngine(t, options{tweets: backlog + tweets, workers: 2})
	e.exec(`update twitter_engagement_tracking k set next_update_at = next_update_at + interval '1 day'
		from (select id from twitter_tweets order by tweet_id limit $1) w where w.id = k.tweet_db_id`, tweets)
	paths := make([]string, tweets)
	wanted := make(map[string]bool)
	for i := range paths {
		row, id := e.row(i)
		paths[i], wanted[id] = refreshPath(row), true
	}
	const undone = `select count(*) from twitter_engagement_tracking where update_count = 0`
	if n := e.count(undone); n != backlog+tweets {
		t.Fatalf("%d tweets wait, want %d", n, backlog+tweets)
	}
	started := time.Now()
	testkit.Background(t, dispatcher.New(dispatcher.Config{
		Every: time.Second, BatchTweets: 300, Window: dispatcher.Window{Lease: e.queue.Lease(), First: 1000},
	}, e.store, e.queue, openGate{}, e.clock, zerolog.Nop()).Run)
	testkit.Until(t, func() bool { return e.double.Stats().Calls > 2 })

	var pressing conc.WaitGroup
	var answered, slowest atomic.Int64
	for i := range presses {
		pressing.Go(func() {
			pressed := time.Now()
			if a := e.do("POST", paths[i%tweets]+"?wait=30s", e.service, ""); a.status != 200 {
				t.Errorf("press %d: %d %s", i, a.status, a.body)
				return
			}
			answered.Add(1)
			for took, seen := int64(time.Since(pressed)), slowest.Load(); took > seen && !slowest.CompareAndSwap(seen, took); {
				seen = slowest.Load()
			}
		})
	}
	pressing.Wait()
	left := e.count(undone)
	if left == 0 && backlog >= 100_000 {
		t.Error("the backlog was gone before the refreshes were answered")
	}
	cost := 0
	for _, c := range e.double.Calls() {
		for _, id := range c.IDs {
			if wanted[id] {
				cost += len(c.IDs)
				break
			}
		}
	}
	if answered.Load() != presses || cost > tweets {
		t.Errorf("%d of %d answered, %d ids looked up for %d tweets", answered.Load(), presses, cost, tweets)
	}
	if n := e.count(`select count(*) from gorgone.refresh_requests where outcome is distinct from 'updated' and outcome is distinct from 'current'`); n != 0 {
		t.Errorf("%d requests have no good end", n)
	}
	// And the backlog drains, every tweet of it.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for e.count(undone) > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d tweets were never looked at", e.count(undone))
		}
	}
	t.Logf("%d presses cost %d ids, the slowest was answered after %s while %d of %d due tweets were left; all were done after %s",
		presses, cost, time.Duration(slowest.Load()).Round(time.Millisecond), left, backlog, time.Since(started).Round(100*time.Millisecond))
}
