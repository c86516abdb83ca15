package forms

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"gorgone/alert"
	"gorgone/engagement"
)

// maxName is the most characters of a rule's name.
const maxName = 200

// Rule is an alert rule.
type Rule struct {
	Name      string               `json:"name"`    // "" in what is sent: a description
	ZoneID    *uuid.UUID           `json:"zone_id"` // null: all zones
	Kind      engagement.AlertKind `json:"kind"`
	Threshold float64              `json:"threshold"` // 0: none, or in what is sent the default
	Metric    string               `json:"metric"`
	Tier      engagement.Tier      `json:"tier"`
	Window    float64              `json:"window_seconds"`
	Cooldown  *float64             `json:"cooldown_seconds"` // null in what is sent: an hour
	Enabled   *bool                `json:"enabled"`          // null in what is sent: true
}

// ListedRule is a rule with its id.
type ListedRule struct {
	ID uuid.UUID `json:"id"`
	Rule
}

// RuleOf shows a rule.
func RuleOf(r alert.Rule) ListedRule {
	cooldown, enabled := r.Cooldown.Seconds(), !r.Disabled
	return ListedRule{r.ID, Rule{
		Name: r.Name, ZoneID: idOrNull(r.Zone), Kind: r.Kind, Threshold: r.Threshold, Metric: r.Metric, Tier: r.Tier,
		Window: r.Window.Seconds(), Cooldown: &cooldown, Enabled: &enabled,
	}}
}

// Parse returns the rule that was sent, with an id, or what is wrong with it.
func (f Rule) Parse(id uuid.UUID) (alert.Rule, error) {
	if f.Kind == "" {
		return alert.Rule{}, errors.New("kind is missing: say what the rule detects")
	}
	if utf8.RuneCountInString(f.Name) > maxName {
		return alert.Rule{}, fmt.Errorf("name is longer than %d characters", maxName)
	}
	r := alert.Rule{ID: id, Name: f.Name, Disabled: f.Enabled != nil && !*f.Enabled}
	if f.ZoneID != nil {
		r.Zone = *f.ZoneID
	}
	r.AlertRule = engagement.AlertRule{Kind: f.Kind, Threshold: f.Threshold, Metric: f.Metric, Tier: f.Tier, Cooldown: time.Hour}
	var err error
	if r.Window, err = span("window_seconds", f.Window); err != nil {
		return alert.Rule{}, err
	}
	if f.Cooldown != nil {
		if r.Cooldown, err = span("cooldown_seconds", *f.Cooldown); err != nil {
			return alert.Rule{}, err
		}
	}
	r.AlertRule = r.WithDefaults()
	return r, r.Validate()
}

// span makes a duration of seconds.
func span(name string, seconds float64) (time.Duration, error) {
	if !(seconds >= 0 && seconds <= 366*24*3600) {
		return 0, fmt.Errorf("%s %g: want seconds, up to a year", name, seconds)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// Webhook is where alerts are posted, as it is sent.
type Webhook struct {
	URL     string     `json:"url"`     // "" in a change: as it is
	ZoneID  *uuid.UUID `json:"zone_id"` // null: alerts of all zones
	Format  string     `json:"format"`  // json, the default, or slack
	Enabled *bool      `json:"enabled"` // null: true
}

// ListedWebhook is a webhook without what is secret of it.
type ListedWebhook struct {
	ID       uuid.UUID  `json:"id"`
	ZoneID   *uuid.UUID `json:"zone_id"`
	To       string     `json:"to"` // the address without its path
	Format   string     `json:"format"`
	Enabled  bool       `json:"enabled"`
	Disabled string     `json:"disabled"` // why it is not
}

// WebhookOf shows a webhook.
func WebhookOf(w alert.Webhook) ListedWebhook {
	return ListedWebhook{w.ID, idOrNull(w.Zone), alert.Host(w.URL), w.Format, w.Enabled, w.Disabled}
}

// Parse returns the webhook that was sent, with an id, or what is wrong with it. A new one,
// whose id is zero, must have an address, and gets a secret.
func (f Webhook) Parse(id uuid.UUID) (alert.Webhook, error) {
	w := alert.Webhook{ID: id, URL: f.URL, Format: f.Format, Enabled: f.Enabled == nil || *f.Enabled}
	if f.ZoneID != nil {
		w.Zone = *f.ZoneID
	}
	if w.Format == "" {
		w.Format = alert.FormatJSON
	}
	if w.Format != alert.FormatJSON && w.Format != alert.FormatSlack {
		return w, fmt.Errorf("format %.40q: want %s or %s", w.Format, alert.FormatJSON, alert.FormatSlack)
	}
	if id == uuid.Nil {
		w.Secret = alert.NewSecret()
	}
	if id == uuid.Nil || w.URL != "" {
		return w, alert.CheckNew(w.URL)
	}
	return w, nil
}

func idOrNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
