package store_test

import (
	"context"
	"testing"
	"time"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// TestOneConnection: no call needs a second connection while it holds one. On a pool
// of one it would wait for itself until its time is up.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	db := connect(t, postgres.Config{URL: e.url, MaxConns: 1, StatementTimeout: 5 * time.Second})
	alerts := alert.NewManager(db, e.clock)
	s := store.New(db, e.clock, store.Options{
		Watcher: alerts, Schedule: store.ScheduleAdaptive, TargetDelay: time.Hour, Budget: store.Budget{Day: 10, RefreshDay: 10}, Forecast: true,
	})
	must(alerts.AddRule(t.Context(), alert.Rule{AlertRule: engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 1}}))(t)
	tweets := newTweets(e.clock.Now(), 10)
	must(s.Track(t.Context(), e.zone, tweets))(t)
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"adjust the price", s.AdjustPrice},
		{"adjust the price again", func(ctx context.Context) error {
			e.clock.advance(10 * time.Minute)
			return s.AdjustPrice(ctx)
		}},
		{"estimate purchases", func(ctx context.Context) error { _, err := s.Purchases(ctx); return err }},
		{"fit models", func(ctx context.Context) error { _, err := s.FitModels(ctx); return err }},
		{"claim and apply", func(ctx context.Context) error {
			claimed, err := s.Claim(ctx, store.ClaimRequest{Tweets: 100, BatchTweets: 100, BatchRows: 100, Lease: lease})
			if err != nil {
				return err
			}
			_, err = s.Apply(ctx, e.found(claimed.Batches[0], 5))
			return err
		}},
		{"check for stalled tweets", alerts.CheckStalled},
		{"fold spending into the ledger", func(ctx context.Context) error { _, err := s.CloseLedger(ctx, e.clock.Now()); return err }},
	} {
		if err := step.do(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
	}
}
