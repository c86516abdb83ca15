package report_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/store/report"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The reader counts what is tracked and due.
func ExampleReader() {
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
	s := store.New(db, clk, store.Options{})
	zone, err := s.CreateZone(ctx, store.Zone{Name: "News"})
	if err != nil {
		log.Fatal(err)
	}
	id := engagement.TweetIDAt(clk.Now(), 1)
	_, err = s.Track(ctx, zone.ID, []store.NewTweet{{TweetID: id, CreatedAt: clk.Now()}})
	if err != nil {
		log.Fatal(err)
	}
	stats, err := report.New(db, clk).Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.Total(), "tracked,", stats.DueUnclaimed, "due")

	// Output:
	// 1 tracked, 1 due
}
