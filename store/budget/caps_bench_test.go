package budget_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/store/budget"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

// benchZones and benchTweets are the zones, and the tweets that a round claims and answers.
const (
	benchZones  = 200
	benchTweets = 2000
)

// BenchmarkAccounting claims and answers the same number of tweets in two installations, turn
// by turn: one has caps on each of its 200 zones and a budget, and the other has none. It
// reports what the accounting takes of the throughput, by the medians of the rounds.
func BenchmarkAccounting(b *testing.B) {
	free := newInstallation(b, store.Budget{})
	capped := newInstallation(b, store.Budget{Day: 1e6, Month: 1e6, RefreshDay: 1e6})
	tweets := storetest.NewTweets(free.Clock.Now(), benchTweets)
	for of := range slices.Chunk(tweets, benchTweets/benchZones) {
		free.TrackIn(b, free.NewZone(b), of)
		zone := capped.NewZone(b)
		capped.setCaps(b, zone, budget.Caps{Day: 1e5, Month: 1e5, Weight: 1})
		capped.TrackIn(b, zone, of)
	}
	worlds := []*world{free, capped}
	took := make([][]time.Duration, len(worlds))
	for n := 0; b.Loop(); n++ {
		for turn := range worlds {
			i := (turn + n) % len(worlds)
			took[i] = append(took[i], worlds[i].round(b))
		}
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return all[len(all)/2].Seconds()
	}
	without, with := median(took[0]), median(took[1])
	b.ReportMetric(benchTweets/without, "tweets/s-without")
	b.ReportMetric(benchTweets/with, "tweets/s-with")
	b.ReportMetric(100*(1-without/with), "%-of-throughput")
}

// newInstallation is a world with a budget, whose provider is not asked.
func newInstallation(b *testing.B, of store.Budget) *world {
	b.Helper()
	w := &world{Env: storetest.New(b, postgres.ExecPrepared), zones: make(map[string][]uuid.UUID)}
	w.s = store.New(w.DB, w.Clock, store.Options{Provider: "p", Prices: store.Prices{"p": {Dollars: price}}, Budget: of})
	return w
}

// round makes all tweets due, which is not timed, and claims and answers them.
func (w *world) round(b *testing.B) (took time.Duration) {
	b.Helper()
	w.Exec(b, `update twitter_engagement_tracking set next_update_at = $1, last_updated_at = null, snapshot_at = null`, w.Clock.Now())
	if _, err := w.s.CloseLedger(b.Context(), w.Clock.Now().Add(time.Second)); err != nil {
		b.Fatal(err)
	}
	w.Clock.Advance(2 * time.Second)
	began := time.Now()
	answered := 0
	for answered < benchTweets {
		c, err := w.s.Claim(b.Context(), store.ClaimRequest{Tweets: benchTweets, BatchTweets: 100, BatchRows: 400, Lease: storetest.Lease})
		if err != nil || c.Tweets == 0 {
			b.Fatalf("claimed %+v, %v", c, err)
		}
		for _, batch := range c.Batches {
			work := w.Found(batch, 1)
			work.Calls = []store.Calls{{Provider: "p", Count: 2, Billed: len(batch.Tweets), UsageID: uuid.New()}}
			if _, err := w.s.Apply(b.Context(), work); err != nil {
				b.Fatal(err)
			}
			answered += len(batch.Tweets)
		}
	}
	return time.Since(began)
}
