package main

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
	"gorgone/store"
)

func newAlert(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alert",
		Short: "Say of what you want to be told, and where",
		Long: `Rules say of what you want to be told: velocity, a count, a change of tier, a
deleted tweet, tracking that stalls, a forecast. Alerts go to webhooks, to the
dashboard and to live events; a dispatcher sends them. docs/alerts.md shows how
a receiver checks the signature.`,
		Example: `  gorgone alert rules add --kind velocity --threshold 500 --zone News
  gorgone alert webhooks add https://example.com/alerts
  gorgone alert test`,
	}
	rules := &cobra.Command{Use: "rules", Short: "Rules, which say of what you want to be told"}
	rules.AddCommand(newAlertRuleAdd(a), newAlertRuleList(a), newAlertRuleRemove(a))
	cmd.AddCommand(rules, newAlertWebhooks(a), newAlertTest(a), newAlertList(a), newAlertDeliveries(a), newAlertRetry(a))
	return cmd
}

// withStore runs f with the database that the environment, or a running up, names.
func (a *app) withStore(cmd *cobra.Command, f func(database) error) error {
	var open resources
	defer open.close()
	d, err := a.findDatabase(cmd.Context(), "alert", &open)
	if err != nil {
		return err
	}
	err = f(d)
	if errors.Is(err, store.ErrAlertRuleNotFound) || errors.Is(err, store.ErrWebhookNotFound) {
		return &exitError{exitNotFound, err}
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
	z, err := findZone(zones, ref)
	return z.ID, err
}

func newAlertRuleAdd(a *app) *cobra.Command {
	var r store.AlertRule
	var kind, zone, tier string
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Add a rule",
		Long: `Add a rule. It counts within half a minute, for one zone or for all.

  velocity   more than --threshold (500) engagements an hour, measured over at
             least --window (10m)
  count      --metric crosses --threshold
  forecast   --metric will pass --threshold within --window (1h, 3h or 24h)
  tier       the tweet moves to another tier, or to --tier
  deleted    the tweet is gone
  stalled    a look has been due for longer than --window (30m)

A rule tells of a tweet once, again only when the value has fallen below 80% of
the threshold and --cooldown has passed. --metric is retweets, replies, likes,
quotes, views, bookmarks or total_engagement (the first four together).`,
		Example: `  gorgone alert rules add --kind velocity
  gorgone alert rules add --kind forecast --metric total_engagement --threshold 10000 --window 3h
  gorgone alert rules add --kind deleted --zone News`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.Kind, r.Tier = engagement.AlertKind(kind), engagement.Tier(tier)
			ruleDefaults(&r.AlertRule)
			if err := r.Validate(); err != nil {
				return usageError("%w", err)
			}
			return a.withStore(cmd, func(d database) (err error) {
				if r.Zone, err = zoneID(cmd, d.store, zone); err != nil {
					return err
				}
				if r, err = d.store.AddAlertRule(cmd.Context(), r); err != nil {
					return err
				}
				a.printf("%s  %s\n", r.ID, r.Name)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "velocity", "velocity, count, forecast, tier, deleted or stalled")
	f.StringVar(&zone, "zone", "", "id or name of the zone (default: all)")
	f.StringVar(&r.Name, "name", "", "what to call it (default: what it says)")
	f.Float64Var(&r.Threshold, "threshold", 0, "velocity, count, forecast: the threshold")
	f.StringVar(&r.Metric, "metric", "", "count, forecast: the count (default: total_engagement)")
	f.StringVar(&tier, "tier", "", "tier: the only one to tell of")
	f.DurationVar(&r.Window, "window", 0, "velocity, forecast, stalled: the stretch of time")
	f.DurationVar(&r.Cooldown, "cooldown", time.Hour, "least time between two alerts on one tweet (0s to 720h)")
	return cmd
}

// ruleDefaults fills in what a kind needs and was not said.
func ruleDefaults(r *engagement.AlertRule) {
	setDefault := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	switch r.Kind {
	case engagement.AlertVelocity:
		setDefault(&r.Window, engagement.MinAlertWindow)
		if r.Threshold == 0 {
			r.Threshold = engagement.DefaultAlertVelocity
		}
	case engagement.AlertStalled:
		setDefault(&r.Window, 30*time.Minute)
	case engagement.AlertForecast, engagement.AlertCount:
		if r.Kind == engagement.AlertForecast {
			setDefault(&r.Window, 3*time.Hour)
		}
		if r.Metric == "" {
			r.Metric = engagement.AlertTotal
		}
	default:
	}
}

func newAlertRuleList(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the rules",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd, func(d database) error {
				rules, err := d.store.AlertRules(cmd.Context())
				if err != nil {
					return err
				}
				type line struct {
					ID        uuid.UUID            `json:"id"`
					Zone      *uuid.UUID           `json:"zone_id"` // null: all
					Name      string               `json:"name"`
					Kind      engagement.AlertKind `json:"kind"`
					Threshold float64              `json:"threshold,omitempty"`
					Metric    string               `json:"metric,omitempty"`
					Tier      engagement.Tier      `json:"tier,omitempty"`
					Window    string               `json:"window,omitempty"`
					Cooldown  string               `json:"cooldown"`
				}
				lines := make([]line, len(rules))
				for i, r := range rules {
					lines[i] = line{r.ID, idOrNull(r.Zone), r.Name, r.Kind, r.Threshold, r.Metric, r.Tier, "", r.Cooldown.String()}
					if r.Window > 0 {
						lines[i].Window = r.Window.String()
					}
				}
				if asJSON {
					return json.NewEncoder(a.out).Encode(lines)
				}
				if len(lines) == 0 {
					a.printf("no rules; gorgone alert rules add makes one\n")
					return nil
				}
				w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tKIND\tZONE\tCOOLDOWN\tNAME")
				for _, l := range lines {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.Kind, orAll(l.Zone), l.Cooldown, l.Name)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func idOrNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func orAll(id *uuid.UUID) string {
	if id == nil {
		return "all"
	}
	return id.String()
}

// uuidArg reads an id that was given as an argument.
func uuidArg(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return uuid.Nil, usageError("%.80q is not an id, as the lists print them", s)
	}
	return id, nil
}

func newAlertRuleRemove(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "Remove a rule; its alerts stay on record, and are over",
		Args:  exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuidArg(args[0])
			if err != nil {
				return err
			}
			return a.withStore(cmd, func(d database) error {
				if err := d.store.RemoveAlertRule(cmd.Context(), id); err != nil {
					return err
				}
				a.printf("removed\n")
				return nil
			})
		},
	}
}

func newAlertList(a *app) *cobra.Command {
	var zone string
	var q store.AlertQuery
	var since time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List alerts, the latest first",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.Limit < 1 || q.Limit > 10_000 || since < 0 {
				return usageError("--limit %d --since %s: want 1 to 10,000, and no negative time", q.Limit, since)
			}
			return a.withStore(cmd, func(d database) error {
				id, err := zoneID(cmd, d.store, zone)
				if err != nil {
					return err
				}
				if id != uuid.Nil {
					q.Zones = []uuid.UUID{id}
				}
				if since > 0 {
					q.Since = d.clock.Now().Add(-since)
				}
				list, err := d.store.Alerts(cmd.Context(), q)
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
					return json.NewEncoder(a.out).Encode(lines)
				}
				if len(list) == 0 {
					a.printf("no alerts\n")
					return nil
				}
				w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
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
	f.BoolVar(&q.Active, "active", false, "only those that are not over")
	f.DurationVar(&since, "since", 0, "raised so long ago at most (default: ever)")
	f.IntVar(&q.Limit, "limit", 50, "so many at most (1 to 10,000)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
