package store_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/postgres/pgtest"
	"gorgone/store"
	"gorgone/store/postgres"
)

// A dispatcher claims what is due, and a worker applies what it has looked up.
func ExampleStore() {
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
	claimed, err := s.Claim(ctx, store.ClaimRequest{Tweets: 100, BatchTweets: 100, BatchRows: 200, Lease: 3 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	for _, batch := range claimed.Batches {
		work := store.Work{ClaimID: batch.ClaimID}
		for _, tweet := range batch.Tweets {
			work.Results = append(work.Results, store.Result{
				TweetID: tweet.TweetID, Rows: tweet.Rows, Kind: store.Found,
				Observation: engagement.Observation{At: clk.Now(), Metrics: engagement.Metrics{Likes: engagement.Known(5)}},
			})
		}
		applied, err := s.Apply(ctx, work)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(applied.Count(engagement.RowApplied), "row written")
		again, err := s.Apply(ctx, work) // the claim is gone: this changes nothing
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(again.Count(engagement.RowApplied), "rows written again")
	}

	// Output:
	// 1 row written
	// 0 rows written again
}
