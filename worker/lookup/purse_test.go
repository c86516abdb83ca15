package lookup

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"gorgone/queue"
	"gorgone/store"
)

// till is the money of a budget, as the database counts it: what is set aside for calls of a
// look-up, of a sum that is left beside what its claim counts for.
type till struct {
	noTweets

	left  int
	aside map[uuid.UUID]int
}

func (t *till) SetAside(_ context.Context, id uuid.UUID, _ bool, tweets int, _ []string) error {
	if tweets > t.left {
		return errors.New("used up")
	}
	t.left -= tweets
	t.aside[id] = tweets
	return nil
}

func (t *till) ReleaseAside(_ context.Context, ids ...uuid.UUID) error {
	for _, id := range ids {
		t.left += t.aside[id]
		delete(t.aside, id)
	}
	return nil
}

// TestAPurseBuysNoMoreThanIsInIt: whatever is called for, in which order, at which cost, and
// written in between, a look-up spends no more than its claim counted for and the budget had
// left. Of a batch that was delivered before, the claim's money may be spent already.
func TestAPurseBuysNoMoreThanIsInIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		tweets := rapid.IntRange(1, 100).Draw(rt, "tweets")
		redelivered := rapid.SampledFrom([]int{0, tweets}).Draw(rt, "redelivered")
		free := rapid.IntRange(0, 200).Draw(rt, "left in the budget")
		money := &till{left: free, aside: make(map[uuid.UUID]int)}
		p := newPurse(money, queue.ClassBatch, tweets, redelivered)
		most := store.Covered(tweets-redelivered, false) + free
		spent, open, unwritten := 0, tweets, 0
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			n := rapid.IntRange(1, 60).Draw(rt, "tweets of the call")
			if p.take(rt.Context(), n, nil) == nil {
				cost := rapid.SampledFrom([]int{0, 1, n / 2, n}).Draw(rt, "cost")
				p.settle(n, cost)
				spent, unwritten = spent+cost, unwritten+cost
			}
			if spent > most {
				rt.Fatalf("%d tweets were paid for with the money for %d", spent, most)
			}
			if rapid.Bool().Draw(rt, "something ends") {
				n := rapid.IntRange(0, open).Draw(rt, "tweets that end")
				written := rapid.Bool().Draw(rt, "written")
				p.closed(n, written)
				if open -= n; written {
					unwritten = 0
				}
			}
		}
		if err := p.end(rt.Context()); err != nil {
			rt.Fatal(err)
		}
		if unwritten == 0 && money.left != free {
			rt.Errorf("%d tweets stay set aside", free-money.left)
		}
	})
}
