package qstash_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"gorgone/qstash"
)

// Create, or update, the schedule that triggers a dispatch every minute.
func ExampleClient_Put() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("Upstash-Cron"))
		fmt.Fprintf(w, `{"scheduleId":%q}`, r.Header.Get("Upstash-Schedule-Id"))
	}))
	defer api.Close()

	client, err := qstash.New(api.URL, "the token of the QStash account")
	if err != nil {
		panic(err)
	}
	err = client.Put(context.Background(), qstash.Schedule{
		ID: "gorgone", Cron: "* * * * *", Timeout: 2 * time.Minute, Retries: 2,
		Destination: "https://gorgone.example.com/api/twitter/engagement/update",
	})
	fmt.Println(err)
	// Output:
	// POST /v2/schedules/https://gorgone.example.com/api/twitter/engagement/update * * * * *
	// <nil>
}
