package lookup

import (
	"context"
	"slices"

	"gorgone/engagement"
)

// canariesWanted is how many tweets the database is asked for in place of one, so
// that one that was deleted meanwhile is not asked for again and again.
const canariesWanted = 10

// withCanaries puts ids in the order in which they are asked for, with further
// tweets that are known to exist, the canaries, where a call would otherwise
// hold none but tweets in doubt: without one, nothing follows from what the answer
// lacks. Each costs what a tweet costs.
//
// A lone tweet gets one when it was lacking before: in an earlier answer or, of a
// refresh, in the one a moment ago, because the caller is told what its absence means.
// Most are found, and cost nothing more.
func (c *Client) withCanaries(ctx context.Context, ids []string, standings map[string]engagement.PriorState, perCall int) (order []string, canaries map[string]bool) {
	var doubted, anchors []string
	for _, id := range ids {
		if standings[id].InDoubt {
			doubted = append(doubted, id)
		} else {
			anchors = append(anchors, id)
		}
	}
	if perCall < 2 || len(ids) == 0 || len(doubted) == 0 {
		return ids, nil
	}
	calls := func(n int) int { return (n + perCall - 1) / perCall }
	need := max(calls(len(ids))-len(anchors), 0)
	for len(anchors)+need < calls(len(ids)+need) {
		need++
	}
	if need > 0 {
		canaries = make(map[string]bool, need)
		for _, id := range c.findCanaries(ctx, ids, need) {
			canaries[id] = true
			anchors = append(anchors, id)
		}
	}
	return deal(anchors, doubted, perCall), canaries
}

// deal puts an anchor first in every call, as long as there are some.
func deal(anchors, others []string, perCall int) []string {
	n := len(anchors) + len(others)
	order := make([]string, 0, n)
	for len(order) < n {
		from := &others
		if len(order)%perCall == 0 && len(anchors) > 0 || len(others) == 0 {
			from = &anchors
		}
		order = append(order, (*from)[0])
		*from = (*from)[1:]
	}
	return order
}

// findCanaries returns up to n tweets that are most likely there and not among
// ids: what this worker found lately, else what the database knows.
func (c *Client) findCanaries(ctx context.Context, ids []string, n int) []string {
	pick := func(from []string, taken []string) []string {
		for len(from) > 0 && len(taken) < n {
			i := min(int(c.parts.Random()*float64(len(from))), len(from)-1)
			if id := from[i]; !slices.Contains(ids, id) && !slices.Contains(taken, id) {
				taken = append(taken, id)
			}
			from = slices.Delete(from, i, i+1)
		}
		return taken
	}
	canaries := pick(c.credibility.remembered(), nil)
	if len(canaries) == n {
		return canaries
	}
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	stored, err := c.parts.Tweets.Canaries(ctx, slices.Concat(ids, canaries), n+canariesWanted)
	if err != nil {
		c.parts.Log.Warn().Err(err).Msg("finding a tweet that is known to exist failed")
	}
	return pick(stored, canaries)
}
