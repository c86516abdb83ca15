package cli

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/failure"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/web/answers"
)

// historyColumns are the columns of the table.
var historyColumns = []string{
	"snapshot_at", "retweets", "replies", "likes", "quotes", "views", "bookmarks",
	"delta_retweets", "delta_replies", "delta_likes", "delta_quotes", "delta_views", "velocity", "provider", "provider_changed",
}

func newHistory(sh *shell) *cobra.Command {
	var asJSON, asCSV bool
	var zone string
	var limit int
	cmd := &cobra.Command{
		Use:   "history ID",
		Short: "Show the snapshots of a tweet",
		Long: `Show the snapshots of a tweet, oldest first. ID is the tweet's id or address
(https://x.com/…), or the id of its row; of a tweet tracked in several zones, the row's
id or --zone says which.

Velocity is engagements (retweets, replies, likes, quotes) an hour since the
snapshot before; there is none after a change of providers (provider_changed). An
unknown count is shown as - (null in JSON, empty in CSV), never as 0.`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if limit < 0 {
				return failure.Usagef("--limit %d: want 0 or more", limit)
			}
			d, err := sh.openDatabase(ctx)
			if err != nil {
				return err
			}
			defer d.Close()
			tweets, err := findTweet(ctx, d.Store, args[0])
			if err != nil {
				return err
			}
			t, err := rowOf(tweets, zone)
			if err != nil {
				return err
			}
			history, err := d.History.History(ctx, t.Row, history.Range{Limit: limit})
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				return sh.historyJSON(t, history)
			case asCSV:
				return sh.historyCSV(history)
			default:
				return sh.historyTable(t, history)
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print CSV")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	cmd.Flags().StringVar(&zone, "zone", "", "id or name of the zone, for a tweet that is tracked in several")
	cmd.Flags().IntVar(&limit, "limit", 0, "maximum number of snapshots, the latest (0: all)")
	return cmd
}

// rowOf picks the row of the zone; without one all rows of a tweet show the same
// counts, but their histories begin at different times.
func rowOf(tweets []store.Tweet, zone string) (store.Tweet, error) {
	if zone == "" && len(tweets) == 1 {
		return tweets[0], nil
	}
	var names strings.Builder
	for _, t := range tweets {
		if t.ZoneID.String() == zone || t.ZoneName == zone {
			return t, nil
		}
		fmt.Fprintf(&names, "\n  %s (%s)", t.ZoneName, t.ZoneID)
	}
	if zone != "" {
		return store.Tweet{}, failure.NotFoundf("the tweet is not tracked in zone %q, but in%s", zone, names.String())
	}
	return store.Tweet{}, failure.Usagef("the tweet is tracked in several zones; name one with --zone:%s", names.String())
}

func (sh *shell) historyJSON(t store.Tweet, history []engagement.Snapshot) error {
	points := make([]answers.Point, len(history))
	for i, s := range history {
		points[i] = answers.PointOf(s)
	}
	return json.NewEncoder(sh.out).Encode(struct {
		Row       uuid.UUID            `json:"id"`
		TweetID   string               `json:"tweet_id"`
		Zone      uuid.UUID            `json:"zone_id"`
		ZoneName  string               `json:"zone_name"`
		Text      string               `json:"text"`
		Posted    time.Time            `json:"twitter_created_at"`
		Tier      engagement.Tier      `json:"tier"`
		Next      *time.Time           `json:"next_update_at"`
		Gone      string               `json:"gone_reason,omitempty"`
		Metrics   answers.Metrics      `json:"metrics"`
		Forecast  *engagement.Forecast `json:"predictions"`
		Snapshots []answers.Point      `json:"snapshots"`
	}{t.Row, t.TweetID, t.ZoneID, t.ZoneName, t.Text, t.Tracking.CreatedAt, t.Tracking.Tier, answers.TimeOrNull(t.Tracking.NextUpdateAt), t.Tracking.GoneReason, answers.MetricsOf(t.Tracking.Metrics), t.Forecast, points})
}

func (sh *shell) historyCSV(history []engagement.Snapshot) error {
	w := csv.NewWriter(sh.out)
	_ = w.Write(answers.CSVColumns)
	for _, s := range history {
		_ = w.Write(answers.CSVCells(s))
	}
	w.Flush()
	return w.Error()
}

func (sh *shell) historyTable(t store.Tweet, history []engagement.Snapshot) error {
	sh.printf("tweet %s in zone %s (row %s), posted %s, tier %s", t.TweetID, t.ZoneName, t.Row, t.Tracking.CreatedAt.Format(time.DateTime), t.Tracking.Tier)
	if next := t.Tracking.NextUpdateAt; !next.IsZero() {
		sh.printf(", next look %s", next.Format(time.DateTime))
	}
	if t.Tracking.Gone() {
		sh.printf(", gone (%s)", t.Tracking.GoneReason)
	}
	sh.printf(", %d snapshots\n", len(history))
	if f := t.Forecast; f != nil {
		for _, h := range f.Horizons {
			e := h.Engagement
			sh.printf("in %.0f h from %s: %.0f engagements (8 of 10 times %.0f to %.0f; at the last pace %.0f)\n",
				h.Ahead.Hours(), f.MadeAt.Format(time.TimeOnly), e.Mean, e.Low, e.High, e.Linear)
		}
		if f.Uncalibrated {
			sh.printf("uncalibrated: the intervals were not learnt on tweets of this zone\n")
		}
	}
	w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, c := range historyColumns {
		if i >= 7 && i < 12 {
			c = "Δ" + c[len("delta_"):]
		}
		fmt.Fprintf(w, "%s\t", c)
	}
	fmt.Fprintln(w)
	for _, s := range history {
		for _, c := range historyCells(s) {
			fmt.Fprintf(w, "%s\t", c)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// historyCells are the cells of a snapshot, in the order of historyColumns.
func historyCells(s engagement.Snapshot) []string {
	const absent = "-"
	cells := []string{s.At.Format(time.DateTime)}
	m, d := s.Metrics, s.Deltas
	for _, c := range []engagement.Count{
		m.Retweets, m.Replies, m.Likes, m.Quotes, m.Views, m.Bookmarks,
		d.Retweets, d.Replies, d.Likes, d.Quotes, d.Views,
	} {
		if !c.Known() {
			cells = append(cells, absent)
			continue
		}
		cells = append(cells, c.String())
	}
	velocity := absent
	if s.Velocity != nil {
		velocity = strconv.FormatFloat(*s.Velocity, 'f', 1, 64)
	}
	return append(cells, velocity, cmp.Or(s.Provider, absent), strconv.FormatBool(s.ProviderChanged))
}
