package alert_test

import (
	"context"
	"fmt"
	"log"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/postgres/pgtest"
	"gorgone/store"
	"gorgone/store/postgres"
)

// A manager watches what a store writes, and raises alerts by its rules.
func ExampleManager() {
	ctx := context.Background()
	db, err := postgres.Connect(ctx, postgres.Config{URL: pgtest.ExampleDatabase()})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	clk, err := clock.New(ctx, db, clock.Setting{})
	if err != nil {
		log.Fatal(err)
	}
	alerts := alert.NewManager(db, clk)
	s := store.New(db, clk, store.Options{Watcher: alerts})
	if _, err := alerts.AddRule(ctx, alert.Rule{
		AlertRule: engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 10},
	}); err != nil {
		log.Fatal(err)
	}
	zone, err := s.CreateZone(ctx, store.Zone{Name: "News"})
	if err != nil {
		log.Fatal(err)
	}
	id := engagement.TweetIDAt(clk.Now(), 1)
	_, err = s.Track(ctx, zone.ID, []store.NewTweet{{TweetID: id, CreatedAt: clk.Now()}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := s.ApplyRefresh(ctx, []store.RefreshResult{{
		TweetID: id, RequestedAt: clk.Now(), Kind: store.Found,
		Observation: engagement.Observation{At: clk.Now(), Metrics: engagement.Metrics{Likes: engagement.Known(50)}},
	}}); err != nil {
		log.Fatal(err)
	}
	raised, err := alerts.Alerts(ctx, alert.Query{Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range raised {
		fmt.Printf("%.0f likes, threshold %.0f\n", a.Value, a.Threshold)
	}

	// Output:
	// 50 likes, threshold 10
}
