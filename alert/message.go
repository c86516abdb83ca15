package alert

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

// Formats of what is sent to a webhook.
const (
	FormatJSON  = "json"
	FormatSlack = "slack" // as Slack's incoming webhooks take it, and many others
)

// Message is an alert as it is sent.
type Message struct {
	ID             uuid.UUID            `json:"id"`
	Kind           engagement.AlertKind `json:"kind"`
	Rule           string               `json:"rule"`
	RuleID         uuid.UUID            `json:"rule_id"`
	ZoneID         uuid.UUID            `json:"zone_id"`
	TweetID        *uuid.UUID           `json:"tweet_id"`                   // the row's id; null: about the zone
	TwitterTweetID string               `json:"twitter_tweet_id,omitempty"` // the provider's
	Value          float64              `json:"value"`
	Threshold      *float64             `json:"threshold"` // null: the rule has none
	RaisedAt       time.Time            `json:"raised_at"`
	Message        string               `json:"message"` // for people
	Text           string               `json:"text,omitempty"`
	Test           bool                 `json:"test,omitempty"`
}

// MessageOf returns an alert as it is sent.
func MessageOf(a store.Alert) Message {
	m := Message{
		ID: a.ID, Kind: a.Kind, Rule: a.Rule, RuleID: a.RuleID, ZoneID: a.Zone, TwitterTweetID: a.TweetID,
		Value: a.Value, RaisedAt: a.RaisedAt, Message: a.Message, Text: a.Text,
	}
	if a.Row != uuid.Nil {
		m.TweetID = &a.Row
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
	var v any = m
	if format == FormatSlack {
		text := slackEscape.Replace(m.Message + " (" + m.Rule + ")")
		if m.Text != "" {
			short := []rune(m.Text)
			if len(short) > slackText {
				short = append(short[:slackText], '…')
			}
			text += "\n> " + slackEscape.Replace(strings.ReplaceAll(string(short), "\n", " "))
		}
		if m.TwitterTweetID != "" {
			text += "\n<https://x.com/i/web/status/" + m.TwitterTweetID + ">"
		}
		v = map[string]string{"text": text}
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode an alert: %w", err)
	}
	return body, nil
}
