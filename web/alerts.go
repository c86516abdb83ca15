package web

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

const (
	// The stretch of time that a list of alerts is about, in engine time. They are
	// kept for 30 days.
	defaultAlertSince = 30 * 24 * time.Hour
	maxAlertSince     = 366 * 24 * time.Hour
)

// toldAlert is a line of the list of alerts.
type toldAlert struct {
	ID             uuid.UUID            `json:"id"`
	Rule           string               `json:"rule"`
	ZoneID         uuid.UUID            `json:"zone_id"`
	TweetID        *uuid.UUID           `json:"tweet_id"` // the row; null: about the zone
	TwitterTweetID string               `json:"twitter_tweet_id"`
	Kind           engagement.AlertKind `json:"kind"`
	Value          float64              `json:"value"`
	Threshold      *float64             `json:"threshold"` // null: the rule has none
	RaisedAt       time.Time            `json:"raised_at"`
	ClearedAt      *time.Time           `json:"cleared_at"` // null: active
	Text           string               `json:"text"`       // of the tweet; without one, what happened
}

// alerts answers with a page of what rules have told of, the latest first.
func (s *Server) alerts(w http.ResponseWriter, r *request) error {
	var q store.AlertQuery
	var err error
	if q.Active, err = r.boolean("active"); err != nil {
		return err
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
	list := make([]toldAlert, len(found))
	for i, a := range found {
		l := toldAlert{
			ID: a.ID, Rule: a.Rule, ZoneID: a.Zone, TwitterTweetID: a.TweetID, Kind: a.Kind,
			Value: a.Value, RaisedAt: a.RaisedAt, ClearedAt: moment(a.ClearedAt), Text: a.Text,
		}
		if a.Row != uuid.Nil {
			l.TweetID = &found[i].Row
		}
		if a.Threshold != 0 {
			l.Threshold = &found[i].Threshold
		}
		if l.Text == "" {
			l.Text = a.Message
		}
		list[i] = l
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool        `json:"success"`
		Data    []toldAlert `json:"data"`
	}{true, list})
}
