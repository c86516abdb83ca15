package history_test

import (
	"context"
	"fmt"
	"log"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/postgres"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The archive makes partitions ahead of time and reads the snapshots of a tweet.
func ExampleArchive() {
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
	archive := history.New(db, clk)
	if _, err := archive.EnsurePartitions(ctx, clk.Now(), clk.Now().Add(24*time.Hour)); err != nil {
		log.Fatal(err)
	}
	s := store.New(db, clk, store.Options{})
	zone, err := s.CreateZone(ctx, store.Zone{Name: "News"})
	if err != nil {
		log.Fatal(err)
	}
	id := engagement.TweetIDAt(clk.Now(), 1)
	tracked, err := s.Track(ctx, zone.ID, []store.NewTweet{{TweetID: id, CreatedAt: clk.Now()}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := s.ApplyRefresh(ctx, []store.RefreshResult{{
		TweetID: id, RequestedAt: clk.Now(), Kind: store.Found,
		Observation: engagement.Observation{At: clk.Now(), Metrics: engagement.Metrics{Likes: engagement.Known(50)}},
	}}); err != nil {
		log.Fatal(err)
	}
	snapshots, err := archive.History(ctx, tracked[0].Row, history.Range{})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range snapshots {
		fmt.Println(p.Metrics.Likes, "likes")
	}

	// Output:
	// 50 likes
}
