package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/store"
)

func newTweets(a *app) *cobra.Command {
	var zone, by string
	var since time.Duration
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "tweets",
		Short: "List the tracked tweets that move most",
		Long: `List the tracked tweets of active zones that move most, with the ids that the
other commands take. A tweet that is tracked in several zones has a line in each.`,
		Example: `  gorgone tweets
  gorgone tweets --zone Football --by engagement --limit 5`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if limit < 1 || limit > 1000 {
				return usageError("--limit %d: want 1 to 1000", limit)
			}
			if by != string(store.ByVelocity) && by != string(store.ByEngagement) {
				return usageError("--by %s: want %s or %s", by, store.ByVelocity, store.ByEngagement)
			}
			var open resources
			defer open.close()
			d, err := a.findDatabase(ctx, "tweets", &open)
			if err != nil {
				return err
			}
			zones, err := d.store.Zones(ctx)
			if err != nil {
				return err
			}
			q := store.TopQuery{Since: d.clock.Now().Add(-since), By: store.TopBy(by), Limit: limit}
			if zone != "" {
				z, err := findZone(zones, zone)
				if err != nil {
					return err
				}
				q.Zones = []uuid.UUID{z.ID}
			}
			top, err := d.store.Top(ctx, q)
			if err != nil {
				return err
			}
			return a.printTweets(top, zones, asJSON)
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "id or name of a zone (default: all active ones)")
	cmd.Flags().StringVar(&by, "by", string(store.ByVelocity), "order: velocity or engagement")
	cmd.Flags().DurationVar(&since, "since", 48*time.Hour, "posted within this time")
	cmd.Flags().IntVar(&limit, "limit", 20, "so many at most (1 to 1000)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) printTweets(top []store.TopTweet, zones []store.Zone, asJSON bool) error {
	names := make(map[uuid.UUID]string, len(zones))
	for _, z := range zones {
		names[z.ID] = z.Name
	}
	if asJSON {
		type line struct {
			ID       uuid.UUID          `json:"id"`
			TweetID  string             `json:"tweet_id"`
			Zone     uuid.UUID          `json:"zone_id"`
			ZoneName string             `json:"zone"`
			Tier     engagement.Tier    `json:"tier"`
			Gone     string             `json:"gone_reason,omitempty"`
			Metrics  engagement.Metrics `json:"metrics"`
			Velocity *float64           `json:"velocity"`
		}
		lines := make([]line, len(top))
		for i, t := range top {
			lines[i] = line{t.Row, t.TweetID, t.ZoneID, names[t.ZoneID], t.Tier, t.GoneReason, t.Metrics, t.Velocity}
		}
		return json.NewEncoder(a.out).Encode(lines)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TWEET\tZONE\tTIER\tLIKES\tRETWEETS\tVIEWS\tPER HOUR\tTEXT")
	for _, t := range top {
		velocity := "-"
		if t.Velocity != nil {
			velocity = fmt.Sprintf("%.0f", *t.Velocity)
		}
		tier := string(t.Tier)
		if t.GoneReason != "" {
			tier = "gone"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.40s\n", t.TweetID, names[t.ZoneID], tier, t.Metrics.Likes, t.Metrics.Retweets, t.Metrics.Views, velocity, strings.Join(strings.Fields(t.Text), " "))
	}
	return w.Flush()
}
