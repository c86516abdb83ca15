package refresh

import (
	"context"
	"errors"
	"fmt"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
)

// ErrRequestTaken is returned for a published refresh whose request id is that of another tweet's request.
var ErrRequestTaken = errors.New("the request id is that of another tweet's refresh: make a new UUID for each message")

// publisher is the caller of published refreshes that name no user.
const publisher = "queue"

// Tweets finds the rows of a tweet. [store.Store] does.
type Tweets interface {
	FindTweet(ctx context.Context, ref string) ([]store.Tweet, error)
}

// Admission records requests for refreshes that others than [Service] have published. What they cost is held against
// the same budget, and the user whom a message names is held to the same limits, as if they had come over HTTP.
type Admission struct {
	Requests   Requests
	Tweets     Tweets
	UserLimits store.Limits // of each user whom messages name
}

// Admit records the request that a published refresh names, or finds the one that there is. Of a tweet that was
// looked up less than [Fresh] ago no request is made: the result is Cached, and Done is the answer.
//
// The error wraps [store.ErrTweetNotFound], [store.ErrNotTracked], [ErrRequestTaken] or a [*store.LimitError]; after
// each of them no request is left.
func (a *Admission) Admit(ctx context.Context, p queue.Refresh) (Result, error) {
	known, err := a.Requests.RefreshRequest(ctx, p.RequestID)
	switch {
	case err == nil && known.TweetID != p.TweetID:
		return Result{}, fmt.Errorf("admit a published refresh: %w", ErrRequestTaken)
	case err == nil:
		return Result{Row: known.Row, Request: known}, nil
	case !errors.Is(err, store.ErrRequestNotFound):
		return Result{}, fmt.Errorf("admit a published refresh: %w", err)
	}
	tweets, err := a.Tweets.FindTweet(ctx, p.TweetID)
	if err != nil {
		return Result{}, fmt.Errorf("admit a published refresh: %w", err)
	}
	caller := Caller{Name: publisher}
	if p.Requester != "" {
		caller = Caller{Name: p.Requester, Limits: a.UserLimits}
	}
	for _, tweet := range tweets {
		var result Result
		result.Row = tweet.Row
		result.Request, result.Cached, err = a.Requests.OpenRefresh(ctx, store.RequestRefresh{
			ID: p.RequestID, Row: tweet.Row, Requester: caller.Name, Limits: caller.Limits, Wait: Life, Fresh: Fresh,
		})
		switch {
		case errors.Is(err, store.ErrNotTracked):
			continue
		case err != nil:
			return Result{}, fmt.Errorf("admit a published refresh: %w", err)
		case result.Cached:
			result.Done, err = a.current(ctx, p)
		}
		return result, err
	}
	return Result{}, fmt.Errorf("admit a published refresh: %w", err)
}

// current is the answer to a refresh that needs no look-up.
func (a *Admission) current(ctx context.Context, p queue.Refresh) (queue.RefreshResult, error) {
	tweets, err := a.Tweets.FindTweet(ctx, p.TweetID) // again: a look-up may just have written them
	if err != nil {
		return queue.RefreshResult{}, fmt.Errorf("answer a published refresh: %w", err)
	}
	done := queue.RefreshResult{TweetID: p.TweetID, Outcome: engagement.RequestCurrent, Reason: "the tweet was looked up a moment ago"}
	for i, t := range tweets {
		k := t.Tracking
		if !t.Tracked || !t.ZoneActive {
			continue
		}
		if k.ObservedAt.After(done.ObservedAt) {
			done.ObservedAt = k.ObservedAt
		}
		done.Rows = append(done.Rows, queue.ResultRow{
			RowID: t.Row, ZoneID: &tweets[i].ZoneID, Before: k.Metrics, After: k.Metrics, Tier: k.Tier, NextUpdateAt: k.NextUpdateAt,
		})
	}
	return done, nil
}
