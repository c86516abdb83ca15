package queue_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/queue/queuetest"
)

func TestDone(t *testing.T) {
	t.Parallel()
	server, web := queuetest.Start(t, queue.Config{})
	worker := queuetest.Open(t, server, queue.Config{})
	results, stop, err := web.WatchResults(testContext(t), tweetID(1))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	zone := uuid.New()
	want := queue.RefreshResult{
		V:          1,
		TweetID:    tweetID(1),
		RequestIDs: []uuid.UUID{uuid.New()},
		Outcome:    engagement.RequestUpdated,
		ObservedAt: epoch,
		Rows: []queue.ResultRow{{
			RowID:           uuid.New(),
			ZoneID:          &zone,
			Before:          engagement.Metrics{Likes: engagement.Known(1)},
			After:           engagement.Metrics{Likes: engagement.Known(3), Views: engagement.Known(0)},
			SnapshotCreated: true,
			Tier:            engagement.Hot,
			NextUpdateAt:    epoch.Add(30 * time.Minute),
		}},
	}
	other := queue.RefreshResult{TweetID: tweetID(2), Outcome: engagement.RequestMissing}
	for _, d := range []queue.RefreshResult{other, want} {
		if err := worker.PublishResult(testContext(t), d); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case got := <-results:
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	case <-testContext(t).Done():
		t.Fatal("no result came")
	}
}

func TestDoneOfNoTweet(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	if _, _, err := q.WatchResults(testContext(t), ">"); err == nil {
		t.Error("watched all tweets")
	}
	if err := q.PublishResult(testContext(t), queue.RefreshResult{TweetID: "*"}); err == nil {
		t.Error("published for all tweets")
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	server, web := queuetest.Start(t, queue.Config{})
	worker := queuetest.Open(t, server, queue.Config{})
	events, stop, err := web.WatchEvents(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, kind := range []string{"a.b", "", "A", "*"} {
		if err := worker.PublishEvent(testContext(t), kind, 1); err == nil {
			t.Errorf("published an event of kind %q", kind)
		}
	}
	if err := worker.PublishEvent(testContext(t), "tier-changed", map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-events:
		if got.Kind != "tier-changed" || string(got.Data) != `{"n":1}` {
			t.Errorf("got %+v", got)
		}
	case <-testContext(t).Done():
		t.Fatal("no event came")
	}
}

// Watches outlive a restart of the server.
func TestWatchSurvivesRestart(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	events, stop, err := q.WatchEvents(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	server.Restart()
	ctx := testContext(t)
	// An event that is sent while the watch is down is lost: send until one comes.
	sender := queuetest.Open(t, server, queue.Config{})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-events:
			return
		case <-tick.C:
			if err := sender.PublishEvent(ctx, "x", 1); err != nil {
				t.Fatal(err)
			}
		case <-ctx.Done():
			t.Fatal("no event came")
		}
	}
}
