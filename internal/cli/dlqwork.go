package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"gorgone/dispatcher"
	"gorgone/internal/failure"
	"gorgone/queue"
)

// selection says which dead letters are meant.
type selection struct {
	single []uint64
	ranges [][2]uint64
	many   bool // named by a range, or all of them
}

func parseSelection(args []string) (s selection, err error) {
	for _, arg := range args {
		if arg == "all" {
			s.ranges, s.many = append(s.ranges, [2]uint64{0, ^uint64(0)}), true
			continue
		}
		from, to, isRange := strings.Cut(arg, "-")
		first, err := strconv.ParseUint(from, 10, 64)
		if err != nil {
			return s, failure.Usagef("%q: want the number of a dead letter, a range (3-17) or all", arg)
		}
		if !isRange {
			s.single = append(s.single, first)
			continue
		}
		last, err := strconv.ParseUint(to, 10, 64)
		if err != nil || last < first {
			return s, failure.Usagef("%q: want a range like 3-17", arg)
		}
		s.ranges, s.many = append(s.ranges, [2]uint64{first, last}), true
	}
	return s, nil
}

// of returns the numbers that are meant, oldest first: all that are named one by
// one, and those of the ranges that are there.
func (s selection) of(ctx context.Context, q *queue.Queue) ([]uint64, error) {
	chosen := slices.Clone(s.single)
	if s.many {
		there, err := q.DeadLetterSeqs(ctx)
		if err != nil {
			return nil, err
		}
		for _, seq := range there {
			if slices.ContainsFunc(s.ranges, func(r [2]uint64) bool { return r[0] <= seq && seq <= r[1] }) {
				chosen = append(chosen, seq)
			}
		}
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), nil
}

func dropDeadLetter(ctx context.Context, t dlqTools, d queue.DeadLetter) (string, error) {
	return "dropped", t.queue.DeleteDeadLetter(ctx, d.Seq)
}

// retryDeadLetter does again what a dead letter asked for, and drops it.
func retryDeadLetter(ctx context.Context, t dlqTools, d queue.DeadLetter) (string, error) {
	db, err := t.open(ctx)
	if err != nil {
		return "", err
	}
	did, err := dispatcher.Retrier{
		Queue: t.queue.Queue, Rows: db.Store, Tweets: db.Store, Refreshes: newRefreshes(db, t.queue.Queue), Clock: db.Clock,
	}.Retry(ctx, d, t.caller)
	return did, refusedRefresh(err)
}
