package web

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/web/forms"
)

// mayOperate returns nil if the caller may operate in a zone; who may operate at all, which
// the route asks for, may do so in what is of all zones.
func (r *request) mayOperate(zone uuid.UUID) error {
	if zone == uuid.Nil {
		return nil
	}
	return r.mayIn(zone)
}

// changed logs what an operator did, and responds with v.
func (s *Server) changed(w http.ResponseWriter, r *request, what string, id uuid.UUID, v any) error {
	s.log.Info().Str("caller", r.caller.Name).Stringer("id", id).Msg(what)
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": v})
}

// did is changed for what leaves nothing to show.
func (s *Server) did(w http.ResponseWriter, r *request, what, of string) error {
	s.log.Info().Str("caller", r.caller.Name).Str("of", of).Msg(what)
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "message": what})
}

type (
	keptRules    = kept[alert.Rule, forms.ListedRule]
	keptWebhooks = kept[alert.Webhook, forms.ListedWebhook]
)

func (s *Server) rules() keptRules {
	a := s.parts.Alerts
	return keptRules{
		server: s, name: "alert rule", missing: alert.ErrRuleNotFound,
		list: a.Rules, create: a.AddRule, update: a.UpdateRule, delete: a.RemoveRule,
		parse: parsed(forms.Rule.Parse), show: forms.RuleOf,
		keys: func(rule alert.Rule) (id, zone uuid.UUID) { return rule.ID, rule.Zone },
	}
}

func (s *Server) webhooks() keptWebhooks {
	a := s.parts.Alerts
	return keptWebhooks{
		server: s, name: "webhook", missing: alert.ErrWebhookNotFound,
		list: a.Webhooks, create: a.AddWebhook, update: a.UpdateWebhook, delete: a.RemoveWebhook,
		parse: parsed(forms.Webhook.Parse), show: forms.WebhookOf,
		keys: func(hook alert.Webhook) (id, zone uuid.UUID) { return hook.ID, hook.Zone },
		first: func(hook alert.Webhook) any { // its secret is in this response and in no other
			return struct {
				forms.ListedWebhook
				Secret string `json:"secret"`
			}{forms.WebhookOf(hook), hook.Secret}
		},
	}
}

// parsed reads a form from a body, and makes of it what it describes.
func parsed[F, T any](parse func(F, uuid.UUID) (T, error)) func([]byte, uuid.UUID) (T, error) {
	return func(body []byte, id uuid.UUID) (t T, err error) {
		var sent F
		if err := readJSON(body, &sent); err != nil {
			return t, err
		}
		if t, err = parse(sent, id); err != nil {
			return t, badRequest("%s", err)
		}
		return t, nil
	}
}

// Poster posts an alert to a webhook. [alert.Poster] does.
type Poster interface {
	Post(ctx context.Context, w alert.Webhook, id string, m alert.Message) error
}

// testWebhook posts a test to a webhook now, and responds with what came of it.
func (s *Server) testWebhook(w http.ResponseWriter, r *request) error {
	hook, id, err := s.webhooks().named(r)
	if err != nil {
		return err
	}
	m := alert.Message{
		ID: uuid.New(), Kind: engagement.AlertVelocity, Rule: "test", ZoneID: hook.Zone, Value: 1, RaisedAt: s.parts.Clock.Now(), Test: true,
		Message: "This is a test of gorgone's alerts",
	}
	result := struct {
		Delivered bool   `json:"delivered"`
		Error     string `json:"error"` // why not
	}{Delivered: true}
	if err := s.parts.Poster.Post(r.Context(), hook, m.ID.String(), m); err != nil {
		result.Delivered, result.Error = false, err.Error()
	}
	return s.changed(w, r, "webhook tested", id, result)
}
