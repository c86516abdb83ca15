package main

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
	"gorgone/store"
)

// historyColumns are the columns of the table and of the CSV.
var historyColumns = []string{
	"snapshot_at", "retweets", "replies", "likes", "quotes", "views", "bookmarks",
	"delta_retweets", "delta_replies", "delta_likes", "delta_quotes", "delta_views", "velocity", "provider", "provider_changed",
}

func newHistory(a *app) *cobra.Command {
	var asJSON, asCSV bool
	var zone string
	var limit int
	cmd := &cobra.Command{
		Use:   "history ID",
		Short: "Show what was seen of a tweet",
		Long: `Show the snapshots of a tweet, oldest first. ID is the tweet's id, or the id of
its row; a tweet tracked in several zones needs one of the two to be named.

Velocity is engagements (retweets, replies, likes, quotes) an hour since the
snapshot before; none where that was another provider's (provider_changed). A count that is not known is shown as - (null in JSON, empty in
CSV), never as 0.`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if limit < 0 {
				return usageError("--limit %d: want 0 or more", limit)
			}
			var open resources
			defer open.close()
			d, err := a.findDatabase(ctx, "history", &open)
			if err != nil {
				return err
			}
			tweets, err := findTweet(ctx, d.store, args[0])
			if err != nil {
				return err
			}
			t, err := rowOf(tweets, zone)
			if err != nil {
				return err
			}
			history, err := d.store.History(ctx, t.Row, store.HistoryRange{Limit: limit})
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				return a.historyJSON(t, history)
			case asCSV:
				return a.historyCSV(history)
			default:
				return a.historyTable(t, history)
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print CSV")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	cmd.Flags().StringVar(&zone, "zone", "", "id or name of the zone, for a tweet that is tracked in several")
	cmd.Flags().IntVar(&limit, "limit", 0, "the latest so many snapshots (0: all)")
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
		return store.Tweet{}, &exitError{exitNotFound, fmt.Errorf("the tweet is not tracked in zone %q, but in%s", zone, names.String())}
	}
	return store.Tweet{}, usageError("the tweet is tracked in several zones; name one with --zone:%s", names.String())
}

func (a *app) historyJSON(t store.Tweet, history []engagement.Snapshot) error {
	type point struct {
		At       time.Time          `json:"snapshot_at"`
		Metrics  engagement.Metrics `json:"metrics"`
		Deltas   engagement.Deltas  `json:"deltas"`
		Velocity *float64           `json:"velocity"`
		Provider string             `json:"provider,omitempty"`
		Changed  bool               `json:"provider_changed"`
	}
	points := make([]point, len(history))
	for i, s := range history {
		points[i] = point{s.At, s.Metrics, s.Deltas, s.Velocity, s.Provider, s.ProviderChanged}
	}
	return json.NewEncoder(a.out).Encode(struct {
		Row       uuid.UUID            `json:"id"`
		TweetID   string               `json:"tweet_id"`
		Zone      uuid.UUID            `json:"zone_id"`
		CreatedAt time.Time            `json:"created_at"`
		Tier      engagement.Tier      `json:"tier"`
		Next      time.Time            `json:"next_update_at,omitzero"`
		Gone      string               `json:"gone_reason,omitempty"`
		Metrics   engagement.Metrics   `json:"metrics"`
		Forecast  *engagement.Forecast `json:"predictions,omitempty"`
		History   []point              `json:"history"`
	}{t.Row, t.TweetID, t.ZoneID, t.Tracking.CreatedAt, t.Tracking.Tier, t.Tracking.NextUpdateAt, t.Tracking.GoneReason, t.Tracking.Metrics, t.Forecast, points})
}

func (a *app) historyCSV(history []engagement.Snapshot) error {
	w := csv.NewWriter(a.out)
	_ = w.Write(historyColumns)
	for _, s := range history {
		_ = w.Write(historyCells(s, time.RFC3339Nano, ""))
	}
	w.Flush()
	return w.Error()
}

func (a *app) historyTable(t store.Tweet, history []engagement.Snapshot) error {
	a.printf("tweet %s in zone %s (row %s), posted %s, tier %s", t.TweetID, t.ZoneName, t.Row, t.Tracking.CreatedAt.Format(time.DateTime), t.Tracking.Tier)
	if next := t.Tracking.NextUpdateAt; !next.IsZero() {
		a.printf(", next look %s", next.Format(time.DateTime))
	}
	if t.Tracking.Gone() {
		a.printf(", gone (%s)", t.Tracking.GoneReason)
	}
	a.printf(", %d snapshots\n", len(history))
	if f := t.Forecast; f != nil {
		for _, h := range f.Horizons {
			e := h.Engagement
			a.printf("in %.0f h from %s: %.0f engagements (8 of 10 times %.0f to %.0f; at the last pace %.0f)\n",
				h.Ahead.Hours(), f.MadeAt.Format(time.TimeOnly), e.Mean, e.Low, e.High, e.Linear)
		}
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, c := range historyColumns {
		if i >= 7 && i < 12 {
			c = "Δ" + c[len("delta_"):]
		}
		fmt.Fprintf(w, "%s\t", c)
	}
	fmt.Fprintln(w)
	for _, s := range history {
		for _, c := range historyCells(s, time.DateTime, "-") {
			fmt.Fprintf(w, "%s\t", c)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// historyCells are the cells of a snapshot, in the order of historyColumns.
func historyCells(s engagement.Snapshot, layout, absent string) []string {
	cells := []string{s.At.Format(layout)}
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
