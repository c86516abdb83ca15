package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/cli/tenants"
	"gorgone/internal/failure"
	"gorgone/store"
	"gorgone/web/forms"
)

func newAlert(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alert",
		Short: "Manage alert rules and webhooks",
		Long: `Manage the rules that raise alerts (velocity, a count, a change of tier, a deleted
tweet, stalled tracking, a forecast) and the webhooks that receive them. Alerts
also show on the dashboard and in the live events; a dispatcher sends them.
docs/alerts.md shows how a receiver checks the signature.`,
		Example: `  gorgone alert rules add --kind velocity --threshold 500 --zone News
  gorgone alert webhooks add https://example.com/alerts
  gorgone alert test`,
	}
	rules := &cobra.Command{Use: "rules", Short: "Manage alert rules"}
	rules.AddCommand(newAlertRuleAdd(sh), newAlertRuleList(sh), newAlertRuleRemove(sh))
	cmd.AddCommand(rules, newAlertWebhooks(sh), newAlertTest(sh), newAlertList(sh), newAlertDeliveries(sh), newAlertRetry(sh))
	return cmd
}

// withStore runs f with the database that the environment, or a running up, names.
func (sh *shell) withStore(cmd *cobra.Command, f func(*app.Database) error) error {
	d, err := sh.openDatabase(cmd.Context())
	if err != nil {
		return err
	}
	defer d.Close()
	err = f(d)
	if errors.Is(err, alert.ErrRuleNotFound) || errors.Is(err, alert.ErrWebhookNotFound) {
		return failure.NotFoundf("%w", err)
	}
	return err
}

// zoneID returns the id of a zone by its id or name; zero for "".
func zoneID(cmd *cobra.Command, s *store.Store, ref string) (uuid.UUID, error) {
	if ref == "" {
		return uuid.Nil, nil
	}
	zones, err := s.Zones(cmd.Context())
	if err != nil {
		return uuid.Nil, err
	}
	z, err := tenants.Zone(zones, ref)
	return z.ID, err
}

func newAlertRuleAdd(sh *shell) *cobra.Command {
	var r alert.Rule
	var kind, zone, tier string
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Add a rule",
		Long: `Add a rule. It takes effect within half a minute, for one zone or for all.

  burst      far more comes than the forecast expected: the chance of it is
             under one in 10 to the power of --threshold (6)
  velocity   more than --threshold (500) engagements an hour, measured over at
             least --window (10m)
  count      --metric crosses --threshold
  forecast   --metric will pass --threshold within --window (1h, 3h or 24h)
  tier       the tweet moves to another tier, or to --tier
  deleted    the tweet counts as deleted
  stalled    a look-up has been due for longer than --window (30m)
  held       so many tweets are missing that none is called deleted
  budget     --threshold (80) per cent of a budget is spent, or all of it

A rule raises one alert for a tweet, and another only after the value has fallen
below 80% of the threshold and --cooldown has passed. --metric is retweets, replies, likes,
quotes, views, bookmarks or total_engagement (the first four together).`,
		Example: `  gorgone alert rules add --kind velocity
  gorgone alert rules add --kind forecast --metric total_engagement --threshold 10000 --window 3h
  gorgone alert rules add --kind deleted --zone News`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if kind == "" {
				return failure.Usagef("say what the rule detects: --kind burst, velocity, count, forecast, tier, deleted, stalled, held or budget")
			}
			r.Kind, r.Tier = engagement.AlertKind(kind), engagement.Tier(tier)
			r.AlertRule = r.WithDefaults()
			if err := r.Validate(); err != nil {
				return failure.Usagef("%w", err)
			}
			return sh.withStore(cmd, func(d *app.Database) (err error) {
				if r.Zone, err = zoneID(cmd, d.Store, zone); err != nil {
					return err
				}
				if r, err = d.Alerts.AddRule(cmd.Context(), r); err != nil {
					return err
				}
				return sh.result(*asJSON, struct {
					ID   uuid.UUID `json:"id"`
					Name string    `json:"name"`
				}{r.ID, r.Name}, "%s  %s", r.ID, r.Name)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "", "burst, velocity, count, forecast, tier, deleted, stalled, held or budget (required)")
	f.StringVar(&zone, "zone", "", "id or name of the zone (default: all)")
	f.StringVar(&r.Name, "name", "", "name of the rule (default: a description)")
	f.Float64Var(&r.Threshold, "threshold", 0, "burst, velocity, count, forecast, budget: the threshold")
	f.StringVar(&r.Metric, "metric", "", "count, forecast: the count (default: total_engagement)")
	f.StringVar(&tier, "tier", "", "tier: alert on a move to this tier only")
	f.DurationVar(&r.Window, "window", 0, "velocity, forecast, stalled: the time window")
	f.DurationVar(&r.Cooldown, "cooldown", time.Hour, "minimum time between two alerts for a tweet (0s to 720h)")
	asJSON = jsonFlag(cmd)
	return cmd
}

func newAlertRuleList(sh *shell) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List alert rules",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.withStore(cmd, func(d *app.Database) error {
				rules, err := d.Alerts.Rules(cmd.Context())
				if err != nil {
					return err
				}
				lines := make([]forms.ListedRule, len(rules))
				for i, r := range rules {
					lines[i] = forms.RuleOf(r)
				}
				if asJSON {
					return json.NewEncoder(sh.out).Encode(lines)
				}
				if len(lines) == 0 {
					sh.printf("no rules; add one with gorgone alert rules add\n")
					return nil
				}
				w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tKIND\tZONE\tCOOLDOWN\tNAME")
				for _, r := range rules {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Kind, orAll(r.Zone), r.Cooldown, r.Name)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func orAll(id uuid.UUID) string {
	if id == uuid.Nil {
		return "all"
	}
	return id.String()
}

// uuidArg reads an id that was given as an argument.
func uuidArg(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return uuid.Nil, failure.Usagef("%.80q is not an id; the list commands print ids", s)
	}
	return id, nil
}

func newAlertRuleRemove(sh *shell) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "Remove a rule; its alerts are cleared and stay on record",
		Args:  exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuidArg(args[0])
			if err != nil {
				return err
			}
			return sh.withStore(cmd, func(d *app.Database) error {
				if err := d.Alerts.RemoveRule(cmd.Context(), id); err != nil {
					return err
				}
				return sh.result(*asJSON, struct {
					ID   uuid.UUID `json:"id"`
					Done string    `json:"done"`
				}{id, "removed"}, "%s", "removed")
			})
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}

func newAlertList(sh *shell) *cobra.Command {
	var zone string
	var q alert.Query
	var since time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List alerts, latest first",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.Limit < 1 || q.Limit > 10_000 || since < 0 {
				return failure.Usagef("--limit %d --since %s: want 1 to 10,000, and no negative time", q.Limit, since)
			}
			return sh.withStore(cmd, func(d *app.Database) error {
				id, err := zoneID(cmd, d.Store, zone)
				if err != nil {
					return err
				}
				if id != uuid.Nil {
					q.Zones = []uuid.UUID{id}
				}
				if since > 0 {
					q.Since = d.Clock.Now().Add(-since)
				}
				list, err := d.Alerts.Alerts(cmd.Context(), q)
				if err != nil {
					return err
				}
				if asJSON {
					type line struct {
						alert.Message
						ClearedAt *time.Time `json:"cleared_at"`
					}
					lines := make([]line, len(list))
					for i, l := range list {
						lines[i].Message = alert.MessageOf(l)
						if !l.ClearedAt.IsZero() {
							lines[i].ClearedAt = &list[i].ClearedAt
						}
					}
					return json.NewEncoder(sh.out).Encode(lines)
				}
				if len(list) == 0 {
					sh.printf("no alerts\n")
					return nil
				}
				w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "RAISED\tCLEARED\tKIND\tMESSAGE")
				for _, l := range list {
					cleared := "active"
					if !l.ClearedAt.IsZero() {
						cleared = l.ClearedAt.Format(time.DateTime)
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.RaisedAt.Format(time.DateTime), cleared, l.Kind, l.Message)
				}
				return w.Flush()
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&zone, "zone", "", "id or name of the zone (default: all)")
	f.BoolVar(&q.Active, "active", false, "active alerts only")
	f.DurationVar(&since, "since", 0, "raised within this time (default: any time)")
	f.IntVar(&q.Limit, "limit", 50, "maximum number of rows (1 to 10,000)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
