package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
)

// readsCounted counts how often the rows of batches are read before the look-up.
type readsCounted struct {
	*store.Store
	held, takenOver atomic.Int64
}

func (s *readsCounted) HeldRows(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) ([]store.Held, error) {
	s.held.Add(1)
	return s.Store.HeldRows(ctx, claimID, rows)
}

func (s *readsCounted) AcquireBatch(ctx context.Context, r store.OwnershipRequest) (store.Ownership, error) {
	s.takenOver.Add(1)
	return s.Store.AcquireBatch(ctx, r)
}

// claimed claims what is due, as the dispatcher does, for a test that publishes it.
func (e *engine) claimed() (b queue.Batch) {
	e.t.Helper()
	c, err := e.store.Claim(e.t.Context(), store.ClaimRequest{Tweets: 100, BatchTweets: 100, BatchRows: 100, Lease: e.queue.Lease()})
	testkit.Must(e.t, err)
	claim := c.Batches[0]
	b = queue.Batch{ID: claim.ClaimID, Until: claim.Until, Known: &queue.Known{At: claim.At}}
	for _, t := range claim.Tweets {
		b.Tweets = append(b.Tweets, queue.Tweet{ID: t.TweetID, Rows: t.Rows})
		b.Known.States = append(b.Known.States, t.Prior)
	}
	return b
}

// TestRowsAreReadBeforeALookUpOnlyWhenTheMessageIsNotFresh: the message says what a
// look-up has to know. The rows are read when it is old, from an older version, or
// delivered again; then tweets that were answered in between are not paid for.
func TestRowsAreReadBeforeALookUpOnlyWhenTheMessageIsNotFresh(t *testing.T) {
	t.Parallel()
	const tweets, answered = 20, 5
	for name, tc := range map[string]struct {
		change          func(b *queue.Batch)
		redelivered     bool
		held, takenOver int64
	}{
		"fresh":                {change: func(*queue.Batch) {}},
		"of an older version":  {change: func(b *queue.Batch) { b.Known = nil }, held: 1},
		"past half its lease":  {change: func(b *queue.Batch) { b.Known.At = b.Until.Add(-time.Hour) }, held: 1},
		"delivered once again": {change: func(*queue.Batch) {}, redelivered: true, takenOver: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: tweets})
			e.track()
			b := e.claimed()
			tc.change(&b)
			_, err := e.queue.PublishBatches(t.Context(), []queue.Batch{b})
			testkit.Must(t, err)
			if tc.redelivered {
				first, err := e.queue.ConsumeBatches(t.Context())
				testkit.Must(t, err)
				d, err := first.Next(t.Context())
				testkit.Must(t, err)
				first.Stop()
				testkit.Must(t, d.Nak(0))
			}
			work := store.Work{ClaimID: b.ID}
			for _, tweet := range b.Tweets[:answered] {
				likes := engagement.Metrics{Likes: engagement.Known(1)}
				work.Results = append(work.Results, store.Result{
					TweetID: tweet.ID, Rows: tweet.Rows, Kind: store.Found, Observation: engagement.Observation{At: e.clock.Now(), Metrics: likes},
				})
			}
			_, err = e.store.Apply(t.Context(), work)
			testkit.Must(t, err)

			reads := &readsCounted{Store: e.store}
			stop := e.run(e.worker(workerOptions{store: reads}))
			e.eventually("tweets updated once", updatedOnce, tweets)
			e.drained()
			stop()
			if reads.held.Load() != tc.held || reads.takenOver.Load() != tc.takenOver {
				t.Errorf("%d reads and %d take-overs, want %d and %d", reads.held.Load(), reads.takenOver.Load(), tc.held, tc.takenOver)
			}
			want := int64(tweets)
			if tc.held+tc.takenOver > 0 {
				want -= answered
			}
			if s := e.double.Stats(); s.Returned != want {
				t.Errorf("%d tweets were paid for, want %d", s.Returned, want)
			}
			e.observedOnce(tweets)
		})
	}
}

// TestTheMessageSaysHowTweetsStand: of what was observed before, what an answer lacked,
// and what is new, as a read of the rows would say.
func TestTheMessageSaysHowTweetsStand(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 30})
	ids := e.track()
	for column, part := range map[string][]string{"last_updated_at = now()": ids[:20], "misses = 1": ids[10:25]} {
		_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking k set `+column+`
			from twitter_tweets w where w.id = k.tweet_db_id and w.tweet_id = any($1)`, part)
		testkit.Must(t, err)
	}
	b := e.claimed()
	standings, err := e.store.Standings(t.Context(), ids)
	testkit.Must(t, err)
	seen := make(map[engagement.PriorState]int)
	for i, tweet := range b.Tweets {
		seen[b.Known.States[i]]++
		if b.Known.States[i] != standings[tweet.ID] {
			t.Errorf("%s: %+v, want %+v", tweet.ID, b.Known.States[i], standings[tweet.ID])
		}
	}
	if len(seen) != 4 {
		t.Errorf("states %v, want all four", seen)
	}
}
