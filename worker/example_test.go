package worker_test

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"

	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/worker"
	"gorgone/worker/lookup"
)

// Run a worker on a store and a queue until the context ends.
func Example() {
	run := func(ctx context.Context, s *store.Store, q *queue.Queue, clock worker.Clock, providers []*lookup.Provider, log zerolog.Logger) error {
		batches, err := q.ConsumeBatches(ctx)
		if err != nil {
			return err
		}
		refreshes, err := q.ConsumeRefreshes(ctx)
		if err != nil {
			return err
		}
		exhausted, err := q.ConsumeMaxDeliveries(ctx)
		if err != nil {
			return err
		}
		kept, err := q.ConsumeKept(ctx)
		if err != nil {
			return err
		}
		subscribers, err := queue.NewSubscribers(q)
		if err != nil {
			return err
		}
		lookups := lookup.New(lookup.Config{CallTimeout: 8 * time.Second, RatePause: 5 * time.Second}, lookup.Parts{
			Providers: providers, Tweets: s, Clock: clock, Random: rand.Float64, Log: log,
		})
		w := worker.New(worker.Config{BatchSlots: 16, RefreshSlots: 4, Writes: 4, Grace: 20 * time.Second}, worker.Parts{
			Batches: batches, Refreshes: refreshes, Exhausted: exhausted, Keeper: q, Kept: kept, Lookups: lookups,
			Store: s, Requests: s, Admission: &refresh.Admission{Requests: s, Tweets: s}, Announcer: q, Subscribers: subscribers, Clock: clock, Random: rand.Float64, Log: log,
		})
		w.Run(ctx)
		return nil
	}
	_ = run
}
