package refresh_test

import (
	"context"
	"fmt"
	"time"

	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
)

// Refresh a tweet for a user who may do so 120 times an hour, and wait ten seconds for the result.
func ExampleService_Do() {
	do := func(ctx context.Context, s *store.Store, q *queue.Queue, clock refresh.Clock) error {
		tweets, err := s.FindTweet(ctx, "1790000000000000000")
		if err != nil {
			return err
		}
		service := &refresh.Service{Requests: s, Queue: q, Clock: clock}
		result, err := service.Do(ctx, refresh.Request{
			Tweets: tweets,
			Caller: refresh.Caller{Name: "user:alice", Limits: store.Limits{Allowance: 120}},
		}, 10*time.Second)
		if err != nil {
			return err // a *store.LimitError says when to ask again
		}
		fmt.Println(result.Cached, result.Request.Outcome)
		return nil
	}
	_ = do // it needs Postgres, NATS and a worker: see README.md
}
