package worker

import (
	"context"
	"slices"

	"gorgone/engagement"
)

// controlsWanted is how many tweets the database is asked for in place of one, so
// that one that has gone in the meantime is not asked for again and again.
const controlsWanted = 10

// withControls puts ids in the order in which they are asked for, with further
// tweets that are known to be there, the controls, where a call would otherwise
// hold none but tweets in doubt: without one, nothing follows from what the answer
// lacks. Each costs what a tweet costs.
//
// A lone tweet gets one when it was lacking before: in an earlier answer or, of a
// refresh, in the one a moment ago, because whoever waits is told what its absence
// means. Most are there, and cost nothing more.
func (w *Worker) withControls(ctx context.Context, ids []string, known map[string]engagement.Standing, perCall int) (order []string, controls map[string]bool) {
	var doubted, anchors []string
	for _, id := range ids {
		if known[id].Doubted {
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
		controls = make(map[string]bool, need)
		for _, id := range w.findControls(ctx, ids, need) {
			controls[id] = true
			anchors = append(anchors, id)
		}
	}
	return deal(anchors, doubted, perCall), controls
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

// findControls returns up to n tweets that are most likely there and not among
// ids: what this worker found lately, else what the database knows.
func (w *Worker) findControls(ctx context.Context, ids []string, n int) []string {
	pick := func(from []string, taken []string) []string {
		for len(from) > 0 && len(taken) < n {
			i := min(int(w.Random()*float64(len(from))), len(from)-1)
			if id := from[i]; !slices.Contains(ids, id) && !slices.Contains(taken, id) {
				taken = append(taken, id)
			}
			from = slices.Delete(from, i, i+1)
		}
		return taken
	}
	controls := pick(w.witness.remembered(), nil)
	if len(controls) == n {
		return controls
	}
	ctx, cancel := context.WithTimeout(ctx, askStore)
	defer cancel()
	stored, err := w.Sink.Controls(ctx, slices.Concat(ids, controls), n+controlsWanted)
	if err != nil {
		w.Log.Warn().Err(err).Msg("find a tweet that is known to be there")
	}
	return pick(stored, controls)
}
