// Package snapshots prints the histories of tweets.
package snapshots

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/cli/terminal"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/web/answers"
)

// columns are the columns of the table.
var columns = []string{
	"snapshot_at", "retweets", "replies", "likes", "quotes", "views", "bookmarks",
	"delta_retweets", "delta_replies", "delta_likes", "delta_quotes", "delta_views", "velocity", "provider", "provider_changed",
}

// JSON prints a tweet and its snapshots.
func JSON(out io.Writer, t store.Tweet, history []engagement.Snapshot) error {
	points := make([]answers.Point, len(history))
	for i, s := range history {
		points[i] = answers.PointOf(s)
	}
	return json.NewEncoder(out).Encode(struct {
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

// CSV prints the snapshots of a tweet.
func CSV(out io.Writer, history []engagement.Snapshot) error {
	w := csv.NewWriter(out)
	_ = w.Write(answers.CSVColumns)
	for _, s := range history {
		_ = w.Write(answers.CSVCells(s))
	}
	w.Flush()
	return w.Error()
}

// Table prints a tweet, its forecast and its snapshots for people.
func Table(out io.Writer, t store.Tweet, history []engagement.Snapshot) error {
	fmt.Fprintf(out, "tweet %s in zone %s (row %s), posted %s, tier %s", t.TweetID, t.ZoneName, t.Row, t.Tracking.CreatedAt.Format(time.DateTime), t.Tracking.Tier)
	if next := t.Tracking.NextUpdateAt; !next.IsZero() {
		fmt.Fprintf(out, ", next look %s", next.Format(time.DateTime))
	}
	if t.Tracking.Gone() {
		fmt.Fprintf(out, ", gone (%s)", t.Tracking.GoneReason)
	}
	fmt.Fprintf(out, ", %d snapshots\n", len(history))
	if f := t.Forecast; f != nil {
		for _, h := range f.Horizons {
			e := h.Engagement
			fmt.Fprintf(out, "in %.0f h from %s: %.0f engagements (8 of 10 times %.0f to %.0f; at the last pace %.0f)\n",
				h.Ahead.Hours(), f.MadeAt.Format(time.TimeOnly), e.Mean, e.Low, e.High, e.Linear)
		}
		if f.Uncalibrated {
			fmt.Fprintf(out, "uncalibrated: the intervals were not learnt on tweets of this zone\n")
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, c := range columns {
		if i >= 7 && i < 12 {
			c = "Δ" + c[len("delta_"):]
		}
		fmt.Fprintf(w, "%s\t", c)
	}
	fmt.Fprintln(w)
	for _, s := range history {
		for _, c := range cells(s) {
			fmt.Fprintf(w, "%s\t", c)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// cells are the cells of a snapshot, in the order of columns.
func cells(s engagement.Snapshot) []string {
	const absent = "-"
	row := []string{s.At.Format(time.DateTime)}
	m, d := s.Metrics, s.Deltas
	for _, c := range []engagement.Count{
		m.Retweets, m.Replies, m.Likes, m.Quotes, m.Views, m.Bookmarks,
		d.Retweets, d.Replies, d.Likes, d.Quotes, d.Views,
	} {
		if !c.Known() {
			row = append(row, absent)
			continue
		}
		row = append(row, c.String())
	}
	velocity := absent
	if s.Velocity != nil {
		velocity = strconv.FormatFloat(*s.Velocity, 'f', 1, 64)
	}
	return append(row, velocity, cmp.Or(s.Provider, absent), strconv.FormatBool(s.ProviderChanged))
}

// Export prints the snapshots of all tweets of a zone as CSV. How far it is goes to errOut,
// unless the lines go to a terminal themselves.
func Export(ctx context.Context, out, errOut io.Writer, archive *history.Archive, zone uuid.UUID) error {
	all, err := archive.Exported(ctx, zone, history.Range{})
	if err != nil {
		return err
	}
	w := csv.NewWriter(out)
	_ = w.Write(answers.ExportColumns())
	var bar *terminal.Progress
	if !app.IsTerminal(out) {
		bar = terminal.Start(errOut, "tweets", all)
	}
	defer bar.End()
	done := 0
	err = archive.Export(ctx, zone, history.Range{}, func(rows []history.ExportRow) error {
		for _, r := range rows {
			_ = w.Write(answers.ExportCells(r.Row, r.TweetID, r.Posted, r.Snapshot))
		}
		w.Flush()
		done += history.ExportPage
		bar.Show(done)
		return w.Error()
	})
	if err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}
