package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/web/answers"
)

const (
	// How far back a list of alerts reaches, in engine time. Alerts are kept for 30 days.
	defaultAlertSince = 30 * 24 * time.Hour
	maxAlertSince     = 366 * 24 * time.Hour
)

// listedAlert is one entry of the list of alerts.
type listedAlert struct {
	ID        uuid.UUID            `json:"id"` // of the alert
	Rule      string               `json:"rule"`
	ZoneID    uuid.UUID            `json:"zone_id"`
	RowID     *uuid.UUID           `json:"row_id"`   // of the tweet; null: about the zone
	TweetID   *string              `json:"tweet_id"` // the platform's; likewise
	Kind      engagement.AlertKind `json:"kind"`
	Value     float64              `json:"value"`
	Threshold *float64             `json:"threshold"` // null: the rule has none
	RaisedAt  time.Time            `json:"raised_at"`
	ClearedAt *time.Time           `json:"cleared_at"` // null: active
	Text      string               `json:"text"`       // of the tweet; without one, what happened
	Message   string               `json:"message"`    // what happened
	RuleID    uuid.UUID            `json:"rule_id"`
}

// alerts responds with a page of alerts, the latest first.
func (s *Server) alerts(w http.ResponseWriter, r *request) error {
	var q alert.Query
	var err error
	if q.Active, err = r.boolean("active"); err != nil {
		return err
	}
	if kind := r.URL.Query().Get("kind"); kind != "" {
		if q.Kind = engagement.AlertKind(kind); !slices.Contains(engagement.AlertKinds(), q.Kind) {
			return badRequest("kind is none of %v", engagement.AlertKinds())
		}
	}
	if rule := r.URL.Query().Get("rule"); rule != "" {
		if q.Rule, err = uuid.Parse(rule); err != nil {
			return badRequest("rule is not a UUID")
		}
	}
	if q.Since, err = r.since(defaultAlertSince, maxAlertSince); err != nil {
		return err
	}
	if q.Limit, err = r.number("limit", defaultPage, 1, maxPage); err != nil {
		return err
	}
	if q.Offset, err = r.number("offset", 0, 0, maxOffset); err != nil {
		return err
	}
	if q.Zones, err = r.zonesFor(); err != nil {
		return err
	}
	found, err := s.parts.Alerts.Alerts(r.Context(), q)
	if err != nil {
		return err
	}
	list := make([]listedAlert, len(found))
	for i, a := range found {
		l := listedAlert{
			ID: a.ID, Rule: a.Rule, ZoneID: a.Zone, Kind: a.Kind,
			Value: a.Value, RaisedAt: a.RaisedAt, ClearedAt: answers.TimeOrNull(a.ClearedAt), Text: a.Text,
			Message: a.Message, RuleID: a.RuleID,
		}
		if a.Row != uuid.Nil {
			l.RowID, l.TweetID = &found[i].Row, &found[i].TweetID
		}
		if a.Threshold != 0 {
			l.Threshold = &found[i].Threshold
		}
		if l.Text == "" {
			l.Text = a.Message
		}
		list[i] = l
	}
	total, err := s.parts.Alerts.CountAlerts(r.Context(), q)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool `json:"success"`
		paging
		Data []listedAlert `json:"data"`
	}{true, r.paging(total, q.Offset, len(list)), list})
}
