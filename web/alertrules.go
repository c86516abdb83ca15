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

func (s *Server) alertRules(w http.ResponseWriter, r *request) error {
	rules, err := s.parts.Alerts.Rules(r.Context())
	if err != nil {
		return err
	}
	list := make([]forms.ListedRule, len(rules))
	for i, rule := range rules {
		list[i] = forms.RuleOf(rule)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": list})
}

// sentRule reads a rule from the body, which the caller may have in its zone.
func (r *request) sentRule(id uuid.UUID) (rule alert.Rule, err error) {
	var sent forms.Rule
	if err := readJSON(r.body, &sent); err != nil {
		return rule, err
	}
	if rule, err = sent.Parse(id); err != nil {
		return rule, badRequest("%s", err)
	}
	return rule, r.mayOperate(rule.Zone)
}

// namedRule finds the rule that the path names, which the caller may change.
func (s *Server) namedRule(r *request) (alert.Rule, error) {
	id, err := pathID(r.PathValue("id"))
	if err != nil {
		return alert.Rule{}, err
	}
	rules, err := s.parts.Alerts.Rules(r.Context())
	if err != nil {
		return alert.Rule{}, err
	}
	for _, rule := range rules {
		if rule.ID == id {
			return rule, r.mayOperate(rule.Zone)
		}
	}
	return alert.Rule{}, alert.ErrRuleNotFound
}

func (s *Server) addAlertRule(w http.ResponseWriter, r *request) error {
	rule, err := r.sentRule(uuid.Nil)
	if err != nil {
		return err
	}
	if rule, err = s.parts.Alerts.AddRule(r.Context(), rule); err != nil {
		return err
	}
	return s.changed(w, r, "alert rule added", rule.ID, forms.RuleOf(rule))
}

func (s *Server) changeAlertRule(w http.ResponseWriter, r *request) error {
	old, err := s.namedRule(r)
	if err != nil {
		return err
	}
	rule, err := r.sentRule(old.ID)
	if err != nil {
		return err
	}
	if rule, err = s.parts.Alerts.UpdateRule(r.Context(), rule); err != nil {
		return err
	}
	return s.changed(w, r, "alert rule changed", rule.ID, forms.RuleOf(rule))
}

func (s *Server) removeAlertRule(w http.ResponseWriter, r *request) error {
	rule, err := s.namedRule(r)
	if err != nil {
		return err
	}
	if err := s.parts.Alerts.RemoveRule(r.Context(), rule.ID); err != nil {
		return err
	}
	return s.did(w, r, "alert rule removed", rule.ID.String())
}

func (s *Server) webhooks(w http.ResponseWriter, r *request) error {
	hooks, err := s.parts.Alerts.Webhooks(r.Context())
	if err != nil {
		return err
	}
	list := make([]forms.ListedWebhook, len(hooks))
	for i, hook := range hooks {
		list[i] = forms.WebhookOf(hook)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": list})
}

// sentWebhook reads a webhook from the body, which the caller may have in its zone.
func (r *request) sentWebhook(id uuid.UUID) (hook alert.Webhook, err error) {
	var sent forms.Webhook
	if err := readJSON(r.body, &sent); err != nil {
		return hook, err
	}
	if hook, err = sent.Parse(id); err != nil {
		return hook, badRequest("%s", err)
	}
	return hook, r.mayOperate(hook.Zone)
}

// namedWebhook finds the webhook that the path names, which the caller may change.
func (s *Server) namedWebhook(r *request) (alert.Webhook, error) {
	id, err := pathID(r.PathValue("id"))
	if err != nil {
		return alert.Webhook{}, err
	}
	hooks, err := s.parts.Alerts.Webhooks(r.Context())
	if err != nil {
		return alert.Webhook{}, err
	}
	for _, hook := range hooks {
		if hook.ID == id {
			return hook, r.mayOperate(hook.Zone)
		}
	}
	return alert.Webhook{}, alert.ErrWebhookNotFound
}

// addWebhook adds a webhook. Its secret is in this response and in no other.
func (s *Server) addWebhook(w http.ResponseWriter, r *request) error {
	hook, err := r.sentWebhook(uuid.Nil)
	if err != nil {
		return err
	}
	if hook, err = s.parts.Alerts.AddWebhook(r.Context(), hook); err != nil {
		return err
	}
	return s.changed(w, r, "webhook added", hook.ID, struct {
		forms.ListedWebhook
		Secret string `json:"secret"`
	}{forms.WebhookOf(hook), hook.Secret})
}

func (s *Server) changeWebhook(w http.ResponseWriter, r *request) error {
	old, err := s.namedWebhook(r)
	if err != nil {
		return err
	}
	hook, err := r.sentWebhook(old.ID)
	if err != nil {
		return err
	}
	if hook, err = s.parts.Alerts.UpdateWebhook(r.Context(), hook); err != nil {
		return err
	}
	return s.changed(w, r, "webhook changed", hook.ID, forms.WebhookOf(hook))
}

func (s *Server) removeWebhook(w http.ResponseWriter, r *request) error {
	hook, err := s.namedWebhook(r)
	if err != nil {
		return err
	}
	if err := s.parts.Alerts.RemoveWebhook(r.Context(), hook.ID); err != nil {
		return err
	}
	return s.did(w, r, "webhook removed", hook.ID.String())
}

// Poster posts an alert to a webhook. [alert.Poster] does.
type Poster interface {
	Post(ctx context.Context, w alert.Webhook, id string, m alert.Message) error
}

// testWebhook posts a test to a webhook now, and responds with what came of it.
func (s *Server) testWebhook(w http.ResponseWriter, r *request) error {
	hook, err := s.namedWebhook(r)
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
	return s.changed(w, r, "webhook tested", hook.ID, result)
}
