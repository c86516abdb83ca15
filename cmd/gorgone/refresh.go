package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
)

func newRefresh(a *app) *cobra.Command {
	var wait time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "refresh ID",
		Short: "Look a tweet up now, before everything else, and show what changed",
		Long: `Ask the workers to look a tweet up now, and wait for the answer. ID is the
tweet's id, or the id of its row. All zones that track the tweet gain from it.

Refreshes overtake any backlog. Several at once for the same tweet share one
look-up.`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait < time.Second || wait > 5*time.Minute {
				return usageError("--wait %s: want 1s to 5m", wait)
			}
			done, err := a.refresh(cmd.Context(), args[0], wait)
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(a.out).Encode(done); err != nil {
					return err
				}
			} else {
				a.printRefresh(done)
			}
			if done.Outcome == queue.Updated || done.Outcome == queue.Current {
				return nil
			}
			return refreshError(done)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Second, "how long to wait for the answer (1s to 5m)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) refresh(ctx context.Context, ref string, wait time.Duration) (queue.Done, error) {
	var open resources
	defer open.close()
	d, err := a.findDatabase(ctx, "refresh", &open)
	if err != nil {
		return queue.Done{}, err
	}
	tweets, err := findTweet(ctx, d.store, ref)
	if err != nil {
		return queue.Done{}, err
	}
	m, err := a.openQueue(ctx, "refresh", &open)
	if err != nil {
		return queue.Done{}, err
	}
	id := tweets[0].TweetID
	results, stop, err := m.queue.WatchDone(ctx, id)
	if err != nil {
		return queue.Done{}, err
	}
	defer stop()
	request, err := uuid.NewV7()
	if err != nil {
		return queue.Done{}, fmt.Errorf("make a request id: %w", err)
	}
	now := d.clock.Now()
	_, err = m.queue.PublishRefresh(ctx, queue.Refresh{
		RequestID: request, TweetID: id, RequestedAt: now, Deadline: now.Add(d.clock.Engine(wait)),
	})
	if err != nil {
		return queue.Done{}, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case done := <-results:
		return done, nil
	case <-timer.C:
		return queue.Done{}, &exitError{exitUnanswered, fmt.Errorf("no answer in %s: is a worker running, and are calls paused? see gorgone stats", wait)}
	case <-ctx.Done():
		return queue.Done{}, context.Cause(ctx)
	}
}

// findTweet is store.FindTweet with our exit codes.
func findTweet(ctx context.Context, s *store.Store, ref string) ([]store.Tweet, error) {
	tweets, err := s.FindTweet(ctx, ref)
	switch {
	case errors.Is(err, store.ErrTweetNotFound):
		return nil, &exitError{exitNotFound, fmt.Errorf("%s is not tracked; see gorgone track", ref)}
	case errors.Is(err, engagement.ErrTweetID):
		return nil, usageError("%w", err)
	default:
		return tweets, err
	}
}

// refreshError says what a refresh without fresh counts ended with.
func refreshError(d queue.Done) error {
	switch d.Outcome {
	case queue.Missing:
		reason := ""
		if d.Reason != "" {
			reason = " (" + d.Reason + ")"
		}
		return &exitError{exitNotFound, fmt.Errorf("%s is missing from the provider's answer%s: it may be deleted or protected; it stays tracked and is asked for again", d.TweetID, reason)}
	case queue.Deleted, queue.Untracked:
		return &exitError{exitNotFound, fmt.Errorf("%s: %s: %s", d.TweetID, d.Outcome, d.Reason)}
	default:
		return fmt.Errorf("%s: %s: %s", d.TweetID, d.Outcome, d.Reason)
	}
}

func (a *app) printRefresh(d queue.Done) {
	a.printf("tweet %s: %s", d.TweetID, d.Outcome)
	if !d.ObservedAt.IsZero() {
		a.printf(", seen at %s", d.ObservedAt.Format(time.DateTime))
	}
	a.printf("\n")
	if len(d.Rows) == 0 || d.Outcome != queue.Updated && d.Outcome != queue.Current {
		return
	}
	r := d.Rows[0]
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tbefore\tnow\tchange\t")
	for _, c := range []struct {
		name        string
		before, now engagement.Count
	}{
		{"likes", r.Before.Likes, r.After.Likes},
		{"retweets", r.Before.Retweets, r.After.Retweets},
		{"replies", r.Before.Replies, r.After.Replies},
		{"quotes", r.Before.Quotes, r.After.Quotes},
		{"views", r.Before.Views, r.After.Views},
		{"bookmarks", r.Before.Bookmarks, r.After.Bookmarks},
	} {
		change := ""
		if delta, known := c.now.Minus(c.before).Get(); known {
			change = fmt.Sprintf("%+d", delta)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", c.name, c.before, c.now, change)
	}
	_ = t.Flush()
	for _, r := range d.Rows {
		a.printf("zone %s: tier %s", r.ZoneID, r.Tier)
		switch {
		case r.NextUpdateAt.IsZero():
			a.printf(", no further look")
		default:
			a.printf(", next look %s", r.NextUpdateAt.Format(time.DateTime))
		}
		if !r.SnapshotCreated && d.Outcome == queue.Updated {
			a.printf(" (no snapshot: the last one is less than a minute old)")
		}
		a.printf("\n")
	}
}
