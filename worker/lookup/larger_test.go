package lookup

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store/bill"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

// TestALargerCallIsTriedNowAndThen: a day after the start one call is made larger than the
// default. Where the provider refuses it, every tweet is answered all the same and one call more
// was made; where it takes it, the next look-up needs fewer calls.
func TestALargerCallIsTriedNowAndThen(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		takes int
		calls [3]int // of a look-up of 100 tweets: before the day is over, the next, the one after
	}{
		{50, [3]int{2, 3, 2}},
		{100, [3]int{2, 1, 1}},
	} {
		started := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		population, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: 100, Seed: 1, Start: started})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for tweet := range population.All() {
			ids = append(ids, tweet.ID)
		}
		var later atomic.Int64
		now := func() time.Time { return started.Add(100 * 24 * time.Hour).Add(time.Duration(later.Load())) }
		server, err := fakeprovider.NewServer(fakeprovider.Config{Population: population, Now: now, Key: "k", MaxIDs: tc.takes})
		if err != nil {
			t.Fatal(err)
		}
		address, err := server.Listen(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		client, err := twitter.NewTwitterAPI(twitter.Config{Key: "k", BaseURL: address, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		asked := &Provider{
			Name: "test", MaxIDs: client.MaxIDs, Larger: client.Larger, Batch: &provider{}, Limiter: open{}, Breaker: open{},
			Lookup: func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
				return client.Through(gate).LookupOnce(ctx, ids)
			},
		}
		c := New(Config{CallTimeout: 8 * time.Second}, Parts{
			Providers: []*Provider{asked}, Tweets: noTweets{}, Clock: bubbleClock{}, Random: func() float64 { return 0.5 }, Log: zerolog.Nop(),
		})
		lookUp := func() (calls int) {
			var found []string
			for a := range c.Lookup(t.Context(), t.Context(), Request{
				Class: queue.ClassBatch, IDs: ids, Standings: make(map[string]engagement.PriorState),
				Until: time.Now().Add(time.Hour), Log: zerolog.Nop(),
			}) {
				calls += bill.Total(a.Usage).Count
				for _, r := range a.Results {
					found = append(found, r.TweetID)
				}
			}
			slices.Sort(found)
			if want := slices.Sorted(slices.Values(ids)); !slices.Equal(found, want) {
				t.Errorf("a provider that takes %d: %d tweets answered of %d", tc.takes, len(found), len(want))
			}
			return calls
		}
		for i, want := range tc.calls {
			if got := lookUp(); got != want {
				t.Errorf("a provider that takes %d: look-up %d made %d calls, want %d", tc.takes, i+1, got, want)
			}
			if i == 0 {
				later.Store(int64(24 * time.Hour))
			}
		}
	}
}
