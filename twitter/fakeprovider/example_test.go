package fakeprovider_test

import (
	"context"
	"fmt"
	"time"

	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

func Example() {
	ctx := context.Background()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	population, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: 10, Seed: 1, Start: start})
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := fakeprovider.NewServer(fakeprovider.Config{
		Population: population, Now: func() time.Time { return start.Add(time.Hour) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	url, err := server.Listen(ctx, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	var ids []string
	for tweet := range population.All() {
		ids = append(ids, tweet.ID)
	}
	// One tweet is deleted, and the next call fails.
	err = server.Inject(fakeprovider.Injection{
		Calls:  []fakeprovider.CallInjection{{Fault: fakeprovider.ServerError, Next: 1}},
		Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.Deleted, IDs: ids[:1]}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := twitter.NewTwitterAPI(twitter.Config{Key: "any-key", BaseURL: url})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		answer, err := client.LookupOnce(ctx, ids)
		fmt.Println(len(answer.Found), "found,", len(answer.Missing), "missing, failed:", err != nil)
	}
	// Output:
	// 0 found, 0 missing, failed: true
	// 9 found, 1 missing, failed: false
}
