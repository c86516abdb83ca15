package twitter_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"gorgone/twitter"
)

func ExampleTwitterAPI() {
	// What twitterapi.io answers, shortened.
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status": "success", "tweets": [{"type": "tweet", "id": "1990000000000000001",
			"likeCount": 12, "retweetCount": 3, "replyCount": 1, "quoteCount": 0, "viewCount": 400, "bookmarkCount": 2}]}`)
	}))
	defer provider.Close()

	client, err := twitter.NewTwitterAPI(twitter.Config{Key: "your-key", BaseURL: provider.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.Lookup(context.Background(), []string{"1990000000000000001", "1990000000000000002"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range answer.Found {
		fmt.Println(f.ID, "likes", f.Metrics.Likes, "views", f.Metrics.Views)
	}
	for _, m := range answer.Missing {
		fmt.Println(m.ID, "is missing")
	}
	// Output:
	// 1990000000000000001 likes 12 views 400
	// 1990000000000000002 is missing
}
