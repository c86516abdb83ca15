package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/store"
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
			return s, usageError("%q: want the number of a dead letter, a range (3-17) or all", arg)
		}
		if !isRange {
			s.single = append(s.single, first)
			continue
		}
		last, err := strconv.ParseUint(to, 10, 64)
		if err != nil || last < first {
			return s, usageError("%q: want a range like 3-17", arg)
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

// findQueue opens the queue that the environment, or a running up, names.
func (a *app) findQueue(ctx context.Context, role string, open *resources) (*queue.Queue, error) {
	if err := a.locate(); err != nil {
		return nil, err
	}
	m, err := a.openQueue(ctx, role, open)
	return m.queue, err
}

func dropDeadLetter(ctx context.Context, t dlqTools, d queue.DeadLetter) (string, error) {
	return "dropped", t.queue.DropDeadLetter(ctx, d.Seq)
}

// refreshAgain is how long a refresh that is asked for again may wait for its turn.
const refreshAgain = time.Minute

// retryDeadLetter does again what a dead letter asked for, and drops it.
func (a *app) retryDeadLetter(ctx context.Context, t dlqTools, d queue.DeadLetter) (string, error) {
	if d.Body == nil {
		return "", fmt.Errorf("its message was not kept: there is nothing to retry; drop it")
	}
	retry := retryBatch
	if d.Lane == queue.LaneRefresh {
		retry = retryRefresh
	}
	did, err := retry(ctx, t, d)
	if err != nil {
		return "", err
	}
	return did, t.queue.DropDeadLetter(ctx, d.Seq)
}

func unreadable(err error) error {
	return fmt.Errorf("this version cannot read it, and a worker would dead-letter it again; it was left as it is: %w", err)
}

func retryBatch(ctx context.Context, t dlqTools, d queue.DeadLetter) (string, error) {
	batch, err := d.Batch()
	if err != nil {
		return "", unreadable(err)
	}
	db, err := t.open(ctx)
	if err != nil {
		return "", err
	}
	var rows []uuid.UUID
	tweets := make([]string, len(batch.Tweets))
	for i, tweet := range batch.Tweets {
		tweets[i] = tweet.ID
		rows = append(rows, tweet.Rows...)
	}
	held, err := db.store.Held(ctx, batch.ID, rows)
	if err != nil {
		return "", err
	}
	if len(held) > 0 && db.clock.Now().Before(batch.Until) {
		if err := t.queue.Republish(ctx, d); err != nil {
			return "", err
		}
		return fmt.Sprintf("published again: the batch still holds %d of its %d rows", len(held), len(rows)), nil
	}
	due, err := db.store.ForceDue(ctx, store.DueFilter{TweetIDs: tweets, Failing: true})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("its claim has ended, so it was not published again: %d rows that back off are due now, the others were answered or fall due by themselves", due), nil
}

func retryRefresh(ctx context.Context, t dlqTools, d queue.DeadLetter) (string, error) {
	old, err := d.Refresh()
	if err != nil {
		return "", unreadable(err)
	}
	db, err := t.open(ctx)
	if err != nil {
		return "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a request id: %w", err)
	}
	now := db.clock.Now()
	coalesced, err := t.queue.PublishRefresh(ctx, queue.Refresh{
		RequestID: id, TweetID: old.TweetID, RequestedAt: now, Deadline: now.Add(db.clock.Engine(refreshAgain)),
	})
	switch {
	case err != nil:
		return "", err
	case coalesced:
		return fmt.Sprintf("a refresh of tweet %s is under way already", old.TweetID), nil
	default:
		return fmt.Sprintf("tweet %s is asked for again", old.TweetID), nil
	}
}
