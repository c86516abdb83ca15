package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/cli/tweetlist"
	"gorgone/internal/failure"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/web/answers"
)

func newRefresh(sh *shell) *cobra.Command {
	var wait time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "refresh ID",
		Short: "Look a tweet up now and show what changed",
		Long: `Ask the workers to look a tweet up now, and wait for the answer. ID is the
tweet's id or address (https://x.com/…), or the id of its row. All zones that track
the tweet are updated.

Refreshes take precedence over scheduled look-ups. Concurrent refreshes of a tweet
share one look-up. Those of one user of this machine may be GORGONE_WEB_REFRESH_ALLOWANCE
an hour, and all together may cost GORGONE_REFRESH_BUDGET_DAY a day.`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait < time.Second || wait > 5*time.Minute {
				return failure.Usagef("--wait %s: want 1s to 5m", wait)
			}
			done, err := sh.refresh(cmd.Context(), args[0], wait)
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(sh.out).Encode(refreshAnswer(done)); err != nil {
					return err
				}
			} else {
				sh.printRefresh(done)
			}
			if done.Outcome == engagement.RequestUpdated || done.Outcome == engagement.RequestCurrent {
				return nil
			}
			return refreshError(done)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Second, "how long to wait for the answer (1s to 5m)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (sh *shell) refresh(ctx context.Context, ref string, wait time.Duration) (queue.RefreshResult, error) {
	d, err := sh.openDatabase(ctx)
	if err != nil {
		return queue.RefreshResult{}, err
	}
	defer d.Close()
	tweets, err := findTweet(ctx, d.Store, ref)
	if err != nil {
		return queue.RefreshResult{}, err
	}
	q, err := sh.openQueue(ctx)
	if err != nil {
		return queue.RefreshResult{}, err
	}
	defer q.Close()
	result, err := newRefreshes(d, q.Queue).Do(ctx, refresh.Request{Tweets: tweets, Caller: sh.refreshCaller(), Force: true, Detail: true}, wait)
	switch {
	case errors.Is(err, store.ErrNotTracked):
		return queue.RefreshResult{V: 1, TweetID: tweets[0].TweetID, Outcome: engagement.RequestUntracked, Reason: store.ErrNotTracked.Error()}, nil
	case err != nil:
		return queue.RefreshResult{}, refusedRefresh(err)
	case result.Request.Outcome == engagement.RequestOpen, result.Request.Outcome == engagement.RequestExpired:
		return queue.RefreshResult{}, failure.Unansweredf("no answer in %s: is a worker running, and are calls paused? see gorgone stats", wait)
	}
	return result.Done, nil
}

// newRefreshes makes refresh requests as the web does.
func newRefreshes(d *app.Database, q *queue.Queue) *refresh.Service {
	return &refresh.Service{Requests: d.Store, Queue: q, Clock: d.Clock, Log: zerolog.Nop()}
}

// refreshCaller is the user of this machine. Its refreshes have the allowance of a web user; the cooldown, which is
// against double clicks, does not hold for commands.
func (sh *shell) refreshCaller() refresh.Caller {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return refresh.Caller{Name: "cli:" + name, Limits: store.Limits{Allowance: sh.cfg.Web.Allowance}}
}

// refusedRefresh adds what to do to the error for a refresh over a limit.
func refusedRefresh(err error) error {
	var limit *store.LimitError
	if !errors.As(err, &limit) {
		return err
	}
	variable := "GORGONE_WEB_REFRESH_ALLOWANCE"
	if limit.Cap != nil {
		variable = "the cap with gorgone budget"
	} else if limit.Budget {
		variable = "GORGONE_REFRESH_BUDGET_DAY"
	}
	return fmt.Errorf("%w: try again in %s, or raise %s", err, limit.After.Round(time.Second), variable)
}

// refreshAnswer names what a refresh brought as the HTTP API does.
func refreshAnswer(d queue.RefreshResult) any {
	type row struct {
		ID      uuid.UUID       `json:"id"`
		Zone    *uuid.UUID      `json:"zone_id"`
		Before  answers.Metrics `json:"metrics_before"`
		Metrics answers.Metrics `json:"metrics"`
		Created bool            `json:"snapshot_created"`
		Tier    engagement.Tier `json:"tier"`
		Updated bool            `json:"tier_updated"`
		Next    *time.Time      `json:"next_update_at"`
	}
	rows := make([]row, len(d.Rows))
	for i, r := range d.Rows {
		rows[i] = row{
			r.RowID, r.ZoneID, answers.MetricsOf(r.Before), answers.MetricsOf(r.After),
			r.SnapshotCreated, r.Tier, r.TierChanged, answers.TimeOrNull(r.NextUpdateAt),
		}
	}
	return struct {
		TweetID string                    `json:"tweet_id"`
		Outcome engagement.RequestOutcome `json:"outcome"`
		Cause   engagement.FailureCause   `json:"cause,omitempty"`
		Reason  string                    `json:"reason,omitempty"`
		RetryAt time.Time                 `json:"retry_at,omitzero"`
		Seen    *time.Time                `json:"last_updated"`
		Rows    []row                     `json:"rows"`
	}{d.TweetID, d.Outcome, d.Cause, d.Reason, d.RetryAt, answers.TimeOrNull(d.ObservedAt), rows}
}

// findTweet is store.FindTweet with our exit codes.
func findTweet(ctx context.Context, s *store.Store, ref string) ([]store.Tweet, error) {
	tweets, err := s.FindTweet(ctx, ref)
	switch {
	case errors.Is(err, store.ErrTweetNotFound):
		return nil, failure.NotFoundf("%s is not tracked; see gorgone track", ref)
	case errors.Is(err, engagement.ErrTweetID):
		return nil, failure.Usagef("%w", err)
	default:
		return tweets, err
	}
}

// tweetIDs reads tweets that are named by id or address, or by the id of a row, for which
// alone the database is asked.
func (sh *shell) tweetIDs(ctx context.Context, args []string) ([]string, error) {
	var rows, refs []string
	for _, arg := range args {
		if uuid.Validate(arg) == nil {
			rows = append(rows, arg)
		} else {
			refs = append(refs, arg)
		}
	}
	ids, err := tweetlist.IDs(refs)
	if err != nil || len(rows) == 0 {
		return ids, err
	}
	d, err := sh.openDatabase(ctx)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for _, row := range rows {
		tweets, err := findTweet(ctx, d.Store, row)
		if err != nil {
			return nil, err
		}
		ids = append(ids, tweets[0].TweetID)
	}
	return ids, nil
}

// refreshError says what a refresh without fresh counts ended with.
func refreshError(d queue.RefreshResult) error {
	effect := d.Outcome.Effect()
	text := effect.Words
	switch {
	case text == "":
		text = d.Reason
	case d.Reason != "" && d.Reason != text:
		text += " (" + d.Reason + ")"
	}
	if effect.NotFound {
		return failure.NotFoundf("%s: %s: %s", d.TweetID, d.Outcome, text)
	}
	return fmt.Errorf("%s: %s: %s", d.TweetID, d.Outcome, text)
}

func (sh *shell) printRefresh(d queue.RefreshResult) {
	sh.printf("tweet %s: %s", d.TweetID, d.Outcome)
	if !d.ObservedAt.IsZero() {
		sh.printf(", seen at %s", d.ObservedAt.Format(time.DateTime))
	}
	sh.printf("\n")
	if len(d.Rows) == 0 || d.Outcome != engagement.RequestUpdated && d.Outcome != engagement.RequestCurrent {
		return
	}
	r := d.Rows[0]
	t := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', tabwriter.AlignRight)
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
		sh.printf("zone %s: tier %s", r.ZoneID, r.Tier)
		switch {
		case r.NextUpdateAt.IsZero():
			sh.printf(", no further look")
		default:
			sh.printf(", next look %s", r.NextUpdateAt.Format(time.DateTime))
		}
		if !r.SnapshotCreated && d.Outcome == engagement.RequestUpdated {
			sh.printf(" (no snapshot: the last one is less than a minute old)")
		}
		sh.printf("\n")
	}
}
