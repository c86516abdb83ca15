package cli

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/cli/snapshots"
	"gorgone/internal/failure"
	"gorgone/store"
	"gorgone/store/history"
)

func newHistory(sh *shell) *cobra.Command {
	var asJSON, asCSV bool
	var zone string
	var limit int
	cmd := &cobra.Command{
		Use:   "history [ID]",
		Short: "Show the snapshots of a tweet",
		Long: `Show the snapshots of a tweet, oldest first. ID is the tweet's id or address
(https://x.com/…), or the id of its row; of a tweet tracked in several zones, the row's
id or --zone says which.

Velocity is engagements (retweets, replies, likes, quotes) an hour since the
snapshot before; there is none after a change of providers (provider_changed). An
unknown count is shown as - (null in JSON, empty in CSV), never as 0.

Without an ID, --zone and --csv print the snapshots of all tweets of the zone.`,
		Example: `  gorgone history 1585841080431321088
  gorgone history --zone News --csv > news.csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if len(args) == 0 && asCSV && zone != "" {
				return sh.exportZone(cmd, zone)
			}
			if err := exactArgs(1)(cmd, args); err != nil {
				return err
			}
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
				return snapshots.JSON(sh.out, t, history)
			case asCSV:
				return snapshots.CSV(sh.out, history)
			default:
				return snapshots.Table(sh.out, t, history)
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print CSV")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	cmd.Flags().StringVar(&zone, "zone", "", "id or name of the zone: of a tweet that is tracked in several, or of an export")
	cmd.Flags().IntVar(&limit, "limit", 0, "maximum number of snapshots, the latest (0: all)")
	return cmd
}

// exportZone prints all snapshots of a zone.
func (sh *shell) exportZone(cmd *cobra.Command, zone string) error {
	if cmd.Flags().Changed("limit") {
		return failure.Usagef("--limit goes with an ID")
	}
	return sh.withZone(cmd, zone, func(d *app.Database, id uuid.UUID) error {
		return snapshots.Export(cmd.Context(), sh.out, sh.errOut, d.History, id)
	})
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
