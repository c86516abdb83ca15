package worker

import (
	"context"
	"time"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/store"
)

// A request that is made while its tweet has a message in the queue shares that message.
// If the look-up that the message led to is over by then, and only the message is not
// acknowledged yet, nothing would answer the request. A message can also age out, be
// wiped with its stream, or never have been stored. So a request that is open has a
// message, or is given one: by the worker that acknowledged the last one, and, should it
// die in between, by any worker that looks.

// sweepEvery is how often a worker looks for open requests without a message.
const sweepEvery = time.Second

// republish gives the tweets of open requests a message each. A tweet that has one keeps
// it.
func (h *refreshHandler) republish(ctx context.Context, open []store.RefreshRequest) {
	for id, asked := range youngest(open) {
		joined, err := h.announcer.PublishRefresh(ctx, queue.Refresh{
			RequestID: asked.ID, TweetID: id, RequestedAt: asked.RequestedAt, Deadline: asked.Deadline,
		})
		switch {
		case err != nil:
			h.log.Warn().Err(err).Str("tweet", id).Msg("publishing an open refresh again failed")
		case !joined:
			h.log.Info().Str("tweet", id).Stringer("request", asked.ID).Msg("published an open refresh again")
		}
	}
}

// youngest returns the youngest request for each tweet, with the latest of all deadlines.
func youngest(open []store.RefreshRequest) map[string]store.RefreshRequest {
	byTweet := make(map[string]store.RefreshRequest)
	for _, r := range open {
		if other, ok := byTweet[r.TweetID]; ok {
			if other.RequestedAt.After(r.RequestedAt) {
				other, r = r, other
			}
			if other.Deadline.After(r.Deadline) {
				r.Deadline = other.Deadline
			}
		}
		byTweet[r.TweetID] = r
	}
	return byTweet
}

// sweep gives every open request a message that has none, until ctx ends. A request is
// left alone for one round: it may be about to be published.
func (h *refreshHandler) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	seen := make(map[uuid.UUID]bool)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !h.database.unavailable.Load() {
			seen = h.sweepOnce(ctx, seen)
		}
	}
}

// sweepOnce gives messages to open requests that were seen before, and returns those
// that are open.
func (h *refreshHandler) sweepOnce(ctx context.Context, seen map[uuid.UUID]bool) map[uuid.UUID]bool {
	open, err := h.requests.OpenRequests(ctx, nil)
	if err != nil {
		h.database.note(err)
		return seen
	}
	now := make(map[uuid.UUID]bool, len(open))
	var waiting []store.RefreshRequest
	for _, r := range open {
		now[r.ID] = true
		if seen[r.ID] {
			waiting = append(waiting, r)
		}
	}
	if len(waiting) == 0 {
		return now
	}
	queued, err := h.announcer.QueuedRefreshes(ctx)
	if err != nil {
		return now // the queue is unreachable: nothing can be published
	}
	var orphans []store.RefreshRequest
	for _, r := range waiting {
		if !queued[r.TweetID] {
			orphans = append(orphans, r)
		}
	}
	h.republish(ctx, orphans)
	return now
}
