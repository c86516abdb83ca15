package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/store"
)

func newAlertWebhooks(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhooks",
		Short: "Webhooks, which alerts are posted to",
		Long: `Webhooks, which alerts are posted to. The address must be https (http only to
this machine). Redirects are not followed, and addresses in private networks are
refused unless GORGONE_WEBHOOK_PRIVATE is set for the dispatchers.

The database holds the addresses and the secrets: a dump of it does too.`,
	}
	cmd.AddCommand(newWebhookAdd(a), newWebhookList(a),
		newWebhookEach(a, "remove ID", "Remove a webhook, and what was still to be sent to it", "removed", (*store.Store).RemoveWebhook),
		newWebhookEach(a, "enable ID", "Have a webhook that was stopped get alerts again", "enabled", (*store.Store).EnableWebhook),
		newAlertTest(a))
	return cmd
}

func newWebhookAdd(a *app) *cobra.Command {
	var w store.Webhook
	var zone string
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add a webhook; prints the secret it is signed with, this once",
		Example: `  gorgone alert webhooks add https://example.com/alerts --zone News
  gorgone alert webhooks add --format slack https://hooks.slack.com/services/…`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.URL, w.Secret = args[0], alert.NewSecret()
			if err := alert.CheckURL(w.URL); err != nil {
				return usageError("%w", err)
			}
			if w.Format != alert.FormatJSON && w.Format != alert.FormatSlack {
				return usageError("--format %.40q: want %s or %s", w.Format, alert.FormatJSON, alert.FormatSlack)
			}
			return a.withStore(cmd, func(d database) (err error) {
				if w.Zone, err = zoneID(cmd, d.store, zone); err != nil {
					return err
				}
				if w, err = d.store.AddWebhook(cmd.Context(), w); err != nil {
					return err
				}
				a.printf("webhook  %s\nsecret   %s\n", w.ID, w.Secret)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "id or name of the zone whose alerts it gets (default: all)")
	cmd.Flags().StringVar(&w.Format, "format", alert.FormatJSON, "json, or slack for Slack's incoming webhooks")
	return cmd
}

func newWebhookList(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the webhooks, without what is secret of them",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd, func(d database) error {
				list, err := d.store.Webhooks(cmd.Context())
				if err != nil {
					return err
				}
				type line struct {
					ID       uuid.UUID  `json:"id"`
					Zone     *uuid.UUID `json:"zone_id"` // null: all
					To       string     `json:"to"`      // without its path
					Format   string     `json:"format"`
					Enabled  bool       `json:"enabled"`
					Disabled string     `json:"disabled,omitempty"`
				}
				lines := make([]line, len(list))
				for i, w := range list {
					lines[i] = line{w.ID, idOrNull(w.Zone), alert.Host(w.URL), w.Format, w.Enabled, w.Disabled}
				}
				if asJSON {
					return json.NewEncoder(a.out).Encode(lines)
				}
				if len(lines) == 0 {
					a.printf("no webhooks; gorgone alert webhooks add makes one\n")
					return nil
				}
				w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tTO\tFORMAT\tZONE\tSTATE")
				for _, l := range lines {
					state := "enabled"
					if !l.Enabled {
						state = "stopped: " + l.Disabled
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.To, l.Format, orAll(l.Zone), state)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newWebhookEach(a *app, use, short, done string, do func(*store.Store, context.Context, uuid.UUID) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuidArg(args[0])
			if err != nil {
				return err
			}
			return a.withStore(cmd, func(d database) error {
				if err := do(d.store, cmd.Context(), id); err != nil {
					return err
				}
				a.printf("%s\n", done)
				return nil
			})
		},
	}
}

func newAlertTest(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "test [WEBHOOK ...]",
		Short: "Send a made-up alert to the webhooks now, and say what came of it",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd, func(d database) error {
				hooks, err := d.store.Webhooks(cmd.Context())
				if err != nil {
					return err
				}
				if hooks, err = chosen(hooks, args); err != nil {
					return err
				}
				id := uuid.New()
				m := alert.Message{
					ID: id, Kind: engagement.AlertVelocity, Rule: "test", Value: 1, RaisedAt: d.clock.Now(), Test: true,
					Message: "This is a test of gorgone's alerts",
				}
				poster := a.newPoster(d.clock.Database)
				failed := 0
				for _, w := range hooks {
					m.ZoneID = w.Zone
					if err := poster.Post(cmd.Context(), w, id.String(), m); err != nil {
						failed++
						a.printf("%s  %s  failed: %v\n", w.ID, alert.Host(w.URL), err)
						continue
					}
					a.printf("%s  %s  delivered\n", w.ID, alert.Host(w.URL))
				}
				if failed > 0 {
					return fmt.Errorf("%d of %d webhooks failed", failed, len(hooks))
				}
				return nil
			})
		},
	}
}

// chosen picks the webhooks that are named, or all.
func chosen(hooks []store.Webhook, names []string) ([]store.Webhook, error) {
	if len(names) == 0 && len(hooks) == 0 {
		return nil, &exitError{exitNotFound, errors.New("there is no webhook; gorgone alert webhooks add makes one")}
	}
	if len(names) == 0 {
		return hooks, nil
	}
	var picked []store.Webhook
	for _, name := range names {
		id, err := uuidArg(name)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(hooks, func(w store.Webhook) bool { return w.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%w: %s", store.ErrWebhookNotFound, id)
		}
		picked = append(picked, hooks[i])
	}
	return picked, nil
}

func newAlertDeliveries(a *app) *cobra.Command {
	var limit int
	var dead, asJSON bool
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "List what was sent to webhooks, or is to be; --dead for what was given up",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 10_000 {
				return usageError("--limit %d: want 1 to 10,000", limit)
			}
			return a.withStore(cmd, func(d database) error {
				list, err := d.store.Deliveries(cmd.Context(), dead, limit)
				if err != nil {
					return err
				}
				type line struct {
					ID       uuid.UUID `json:"id"`
					AlertID  uuid.UUID `json:"alert_id"`
					Webhook  uuid.UUID `json:"webhook_id"`
					To       string    `json:"to"`
					State    string    `json:"state"`
					Attempts int       `json:"attempts"`
					Error    string    `json:"error,omitempty"`
					Message  string    `json:"message"`
				}
				lines := make([]line, len(list))
				for i, v := range list {
					lines[i] = line{v.ID, v.Alert.ID, v.Webhook.ID, alert.Host(v.Webhook.URL), stateOf(v), v.Attempts, v.Error, v.Alert.Message}
				}
				if asJSON {
					return json.NewEncoder(a.out).Encode(lines)
				}
				if len(lines) == 0 {
					a.printf("no deliveries\n")
					return nil
				}
				w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tTO\tSTATE\tATTEMPTS\tMESSAGE\tERROR")
				for _, l := range lines {
					fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", l.ID, l.To, l.State, l.Attempts, l.Message, l.Error)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&dead, "dead", false, "only what was given up")
	cmd.Flags().IntVar(&limit, "limit", 50, "so many at most (1 to 10,000)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func stateOf(d store.Delivery) string {
	switch {
	case !d.DeliveredAt.IsZero():
		return "delivered"
	case !d.DeadAt.IsZero():
		return "dead"
	default:
		return "due " + d.DueAt.UTC().Format(time.DateTime)
	}
}

func newAlertRetry(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "retry ID ...|all",
		Short: "Send again what was given up",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError("name deliveries, as gorgone alert deliveries --dead lists them, or all")
			}
			var ids []uuid.UUID
			for _, arg := range args {
				if arg == "all" && len(args) == 1 {
					break
				}
				id, err := uuidArg(arg)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return a.withStore(cmd, func(d database) error {
				n, err := d.store.RetryDeliveries(cmd.Context(), ids)
				if err != nil {
					return err
				}
				if n == 0 && ids != nil {
					return &exitError{exitNotFound, errors.New("no such dead delivery")}
				}
				a.printf("%d to be sent again\n", n)
				return nil
			})
		},
	}
}
