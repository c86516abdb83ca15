package alert

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
)

// Formats of what is sent to a webhook.
const (
	FormatJSON  = "json"
	FormatSlack = "slack" // as Slack's incoming webhooks take it, and many others
)

// Message is an alert as it is sent.
type Message struct {
	ID        uuid.UUID            `json:"id"`
	Kind      engagement.AlertKind `json:"kind"`
	Rule      string               `json:"rule"`
	RuleID    uuid.UUID            `json:"rule_id"`
	ZoneID    uuid.UUID            `json:"zone_id"`
	RowID     *uuid.UUID           `json:"row_id"`   // of the tweet's row; null: about the zone
	TweetID   *string              `json:"tweet_id"` // the platform's; likewise
	Value     float64              `json:"value"`
	Threshold *float64             `json:"threshold"` // null: the rule has none
	RaisedAt  time.Time            `json:"raised_at"`
	Message   string               `json:"message"` // for people
	Text      string               `json:"text,omitempty"`
	Test      bool                 `json:"test,omitempty"`
}

// MessageOf returns an alert as it is sent.
func MessageOf(a Alert) Message {
	m := Message{
		ID: a.ID, Kind: a.Kind, Rule: a.Rule, RuleID: a.RuleID, ZoneID: a.Zone,
		Value: a.Value, RaisedAt: a.RaisedAt, Message: a.Message, Text: a.Text,
	}
	if a.Row != uuid.Nil {
		m.RowID, m.TweetID = &a.Row, &a.TweetID
	}
	if a.Threshold != 0 {
		m.Threshold = &a.Threshold
	}
	return m
}

// slackEscape takes the meaning from what Slack would read as markup.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackText is how much of a tweet's text is shown.
const slackText = 300

// body encodes the message in a format.
func (m Message) body(format string) ([]byte, error) {
	// Type, timestamp and data are those of Standard Webhooks; the members beside them
	// are for receivers of earlier versions.
	var v any = struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      Message   `json:"data"`
		Message
	}{"alert." + string(m.Kind), m.RaisedAt, m, m}
	if format == FormatSlack {
		text := slackEscape.Replace(m.Message + " (" + m.Rule + ")")
		if m.Text != "" {
			short := []rune(m.Text)
			if len(short) > slackText {
				short = append(short[:slackText], '…')
			}
			text += "\n> " + slackEscape.Replace(strings.ReplaceAll(string(short), "\n", " "))
		}
		if m.TweetID != nil {
			text += "\n<https://x.com/i/web/status/" + *m.TweetID + ">"
		}
		v = map[string]string{"text": text}
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode an alert: %w", err)
	}
	return body, nil
}
