package cli

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/cli/tenants"
	"gorgone/internal/cli/terminal"
	"gorgone/internal/failure"
	"gorgone/store"
	"gorgone/store/report"
	"gorgone/web/answers"
)

func newTweets(sh *shell) *cobra.Command {
	var zone, by string
	var since time.Duration
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "tweets",
		Short: "List the most active tracked tweets",
		Long: `List the most active tracked tweets of active zones, with the ids that other
commands take. A tweet tracked in several zones is listed once per zone.`,
		Example: `  gorgone tweets
  gorgone tweets --zone Football --by engagement --limit 5`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if limit < 1 || limit > 1000 {
				return failure.Usagef("--limit %d: want 1 to 1000", limit)
			}
			if by != string(report.ByVelocity) && by != string(report.ByEngagement) {
				return failure.Usagef("--by %s: want %s or %s", by, report.ByVelocity, report.ByEngagement)
			}
			d, err := sh.openDatabase(ctx)
			if err != nil {
				return err
			}
			defer d.Close()
			zones, err := d.Store.Zones(ctx)
			if err != nil {
				return err
			}
			q := report.TopQuery{Since: d.Clock.Now().Add(-since), By: report.TopBy(by), Limit: limit}
			if zone != "" {
				z, err := tenants.Zone(zones, zone)
				if err != nil {
					return err
				}
				q.Zones = []uuid.UUID{z.ID}
			}
			top, err := d.Report.Top(ctx, q)
			if err != nil {
				return err
			}
			return sh.printTweets(top, zones, asJSON)
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "id or name of a zone (default: all active ones)")
	cmd.Flags().StringVar(&by, "by", string(report.ByVelocity), "order: velocity or engagement")
	cmd.Flags().DurationVar(&since, "since", 48*time.Hour, "posted within this time")
	cmd.Flags().IntVar(&limit, "limit", 20, "maximum number of rows (1 to 1000)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (sh *shell) printTweets(top []report.TopTweet, zones []store.Zone, asJSON bool) error {
	names := make(map[uuid.UUID]string, len(zones))
	for _, z := range zones {
		names[z.ID] = z.Name
	}
	if asJSON {
		type line struct {
			ID       uuid.UUID       `json:"id"`
			TweetID  string          `json:"tweet_id"`
			Zone     uuid.UUID       `json:"zone_id"`
			ZoneName string          `json:"zone_name"`
			Text     string          `json:"text"`
			Posted   time.Time       `json:"twitter_created_at"`
			Tier     engagement.Tier `json:"tier"`
			Gone     string          `json:"gone_reason,omitempty"`
			Metrics  answers.Metrics `json:"metrics"`
			Velocity *float64        `json:"engagement_velocity"`
		}
		lines := make([]line, len(top))
		for i, t := range top {
			lines[i] = line{t.Row, t.TweetID, t.ZoneID, names[t.ZoneID], t.Text, t.CreatedAt, t.Tier, t.GoneReason, answers.MetricsOf(t.Metrics), t.Velocity}
		}
		return json.NewEncoder(sh.out).Encode(lines)
	}
	w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
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
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.TweetID, names[t.ZoneID], tier, t.Metrics.Likes, t.Metrics.Retweets, t.Metrics.Views, velocity, terminal.Clip(t.Text, 40))
	}
	return w.Flush()
}
