package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/failure"
	"gorgone/web/answers"
	"gorgone/web/forms"
)

func newAlertWebhooks(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhooks",
		Short: "Manage the webhooks that alerts are posted to",
		Long: `Manage the webhooks that alerts are posted to. The address must be https (http
only to this machine). Redirects are not followed, and addresses in private networks are
refused unless GORGONE_WEBHOOK_PRIVATE is set for the dispatchers.

The database stores the addresses and secrets, and so does a dump of it.`,
	}
	cmd.AddCommand(newWebhookAdd(sh), newWebhookList(sh), newWebhookRotate(sh),
		newWebhookEach(sh, "remove ID", "Remove a webhook and its pending deliveries", "removed", (*alert.Manager).RemoveWebhook),
		newWebhookEach(sh, "enable ID", "Enable a webhook that was stopped", "enabled", (*alert.Manager).EnableWebhook),
		newAlertTest(sh))
	return cmd
}

func newWebhookAdd(sh *shell) *cobra.Command {
	var w alert.Webhook
	var zone string
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add a webhook and print its signing secret, once",
		Example: `  gorgone alert webhooks add https://example.com/alerts --zone News
  gorgone alert webhooks add --format slack https://hooks.slack.com/services/…`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.URL, w.Secret = args[0], alert.NewSecret()
			if err := alert.CheckNew(w.URL); err != nil {
				return failure.Usagef("%w", err)
			}
			if w.Format != alert.FormatJSON && w.Format != alert.FormatSlack {
				return failure.Usagef("--format %.40q: want %s or %s", w.Format, alert.FormatJSON, alert.FormatSlack)
			}
			return sh.withStore(cmd, func(d *app.Database) (err error) {
				if w.Zone, err = zoneID(cmd, d.Store, zone); err != nil {
					return err
				}
				if w, err = d.Alerts.AddWebhook(cmd.Context(), w); err != nil {
					return err
				}
				return sh.result(*asJSON, struct {
					ID     uuid.UUID `json:"id"`
					Secret string    `json:"secret"`
				}{w.ID, w.Secret}, "webhook  %s\nsecret   %s", w.ID, w.Secret)
			})
		},
	}
	cmd.Flags().StringVar(&zone, "zone", "", "id or name of the zone whose alerts it gets (default: all)")
	cmd.Flags().StringVar(&w.Format, "format", alert.FormatJSON, "json, or slack for Slack's incoming webhooks")
	asJSON = jsonFlag(cmd)
	return cmd
}

func newWebhookList(sh *shell) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List webhooks (secrets hidden)",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.withStore(cmd, func(d *app.Database) error {
				list, err := d.Alerts.Webhooks(cmd.Context())
				if err != nil {
					return err
				}
				type line struct {
					forms.ListedWebhook

					Previous *time.Time `json:"previous_secret_until,omitempty"` // it signs too until then, in engine time
				}
				lines := make([]line, len(list))
				for i, w := range list {
					lines[i] = line{forms.WebhookOf(w), answers.TimeOrNull(w.PreviousUntil)}
				}
				if asJSON {
					return json.NewEncoder(sh.out).Encode(lines)
				}
				if len(lines) == 0 {
					sh.printf("no webhooks; add one with gorgone alert webhooks add\n")
					return nil
				}
				w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tTO\tFORMAT\tZONE\tSTATE")
				for i, l := range lines {
					state := "enabled"
					if !l.Enabled {
						state = "stopped: " + l.Disabled
					}
					if l.Previous != nil {
						state += ", its previous secret signs too until " + l.Previous.UTC().Format(time.DateTime)
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.To, l.Format, orAll(list[i].Zone), state)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newWebhookEach(sh *shell, use, short, done string, do func(*alert.Manager, context.Context, uuid.UUID) error) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuidArg(args[0])
			if err != nil {
				return err
			}
			return sh.withStore(cmd, func(d *app.Database) error {
				if err := do(d.Alerts, cmd.Context(), id); err != nil {
					return err
				}
				return sh.result(*asJSON, struct {
					ID   uuid.UUID `json:"id"`
					Done string    `json:"done"`
				}{id, done}, "%s", done)
			})
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}

func newAlertTest(sh *shell) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "test [WEBHOOK ...]",
		Short: "Send a test alert to the webhooks now and print the results",
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withStore(cmd, func(d *app.Database) error {
				hooks, err := d.Alerts.Webhooks(cmd.Context())
				if err != nil {
					return err
				}
				if hooks, err = chosen(hooks, args); err != nil {
					return err
				}
				id := uuid.New()
				m := alert.Message{
					ID: id, Kind: engagement.AlertVelocity, Rule: "test", Value: 1, RaisedAt: d.Clock.Now(), Test: true,
					Message: "This is a test of gorgone's alerts",
				}
				poster := app.NewPoster(sh.cfg.Alert, d.Clock.Database, sh.version)
				type line struct {
					ID        uuid.UUID `json:"id"`
					To        string    `json:"to"`
					Delivered bool      `json:"delivered"`
					Error     string    `json:"error,omitempty"`
				}
				failed := 0
				for _, w := range hooks {
					m.ZoneID = w.Zone
					if err := poster.Post(cmd.Context(), w, id.String(), m); err != nil {
						failed++
						if err := sh.result(*asJSON, line{w.ID, alert.Host(w.URL), false, err.Error()}, "%s  %s  failed: %v", w.ID, alert.Host(w.URL), err); err != nil {
							return err
						}
						continue
					}
					if err := sh.result(*asJSON, line{w.ID, alert.Host(w.URL), true, ""}, "%s  %s  delivered", w.ID, alert.Host(w.URL)); err != nil {
						return err
					}
				}
				if failed > 0 {
					return fmt.Errorf("%d of %d webhooks failed", failed, len(hooks))
				}
				return nil
			})
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}

// chosen returns the webhooks that are named, or all.
func chosen(hooks []alert.Webhook, names []string) ([]alert.Webhook, error) {
	if len(names) == 0 && len(hooks) == 0 {
		return nil, failure.NotFoundf("there is no webhook; add one with gorgone alert webhooks add")
	}
	if len(names) == 0 {
		return hooks, nil
	}
	var picked []alert.Webhook
	for _, name := range names {
		id, err := uuidArg(name)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(hooks, func(w alert.Webhook) bool { return w.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%w: %s", alert.ErrWebhookNotFound, id)
		}
		picked = append(picked, hooks[i])
	}
	return picked, nil
}

func newAlertDeliveries(sh *shell) *cobra.Command {
	var limit int
	var dead, asJSON bool
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "List deliveries to webhooks; --dead for those that failed for good",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 10_000 {
				return failure.Usagef("--limit %d: want 1 to 10,000", limit)
			}
			return sh.withStore(cmd, func(d *app.Database) error {
				list, err := d.Alerts.Deliveries(cmd.Context(), dead, limit)
				if err != nil {
					return err
				}
				type line struct {
					ID       uuid.UUID `json:"id"`
					AlertID  uuid.UUID `json:"alert_id"`
					Webhook  uuid.UUID `json:"webhook_id"`
					To       string    `json:"to"`
					State    string    `json:"state"` // delivered, dead or due
					Due      time.Time `json:"due_at"`
					Attempts int       `json:"attempts"`
					Error    string    `json:"error,omitempty"`
					Message  string    `json:"message"`
				}
				lines := make([]line, len(list))
				for i, v := range list {
					lines[i] = line{v.ID, v.Alert.ID, v.Webhook.ID, alert.Host(v.Webhook.URL), stateOf(v), v.DueAt, v.Attempts, v.Error, v.Alert.Message}
				}
				if asJSON {
					return json.NewEncoder(sh.out).Encode(lines)
				}
				if len(lines) == 0 {
					sh.printf("no deliveries\n")
					return nil
				}
				w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tTO\tSTATE\tATTEMPTS\tMESSAGE\tERROR")
				for _, l := range lines {
					state := l.State
					if state == "due" {
						state += " " + l.Due.UTC().Format(time.DateTime)
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", l.ID, l.To, state, l.Attempts, l.Message, l.Error)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&dead, "dead", false, "failed deliveries only")
	cmd.Flags().IntVar(&limit, "limit", 50, "maximum number of rows (1 to 10,000)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func stateOf(d alert.Delivery) string {
	switch {
	case !d.DeliveredAt.IsZero():
		return "delivered"
	case !d.DeadAt.IsZero():
		return "dead"
	default:
		return "due"
	}
}

func newAlertRetry(sh *shell) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "retry ID ...|all",
		Short: "Retry failed deliveries",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return failure.Usagef("name deliveries, as gorgone alert deliveries --dead lists them, or all")
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
			return sh.withStore(cmd, func(d *app.Database) error {
				n, err := d.Alerts.RetryDeliveries(cmd.Context(), ids)
				if err != nil {
					return err
				}
				if n == 0 && ids != nil {
					return failure.NotFoundf("no such dead delivery")
				}
				return sh.result(*asJSON, struct {
					Retried int `json:"retried"`
				}{n}, "%d to be sent again", n)
			})
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}
