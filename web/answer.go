package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"gorgone/engagement"
)

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// fault is the body of every answer that is not a success.
type fault struct {
	Success   bool      `json:"success"`
	Error     string    `json:"error"`
	Code      string    `json:"code"`
	RequestID string    `json:"request_id"`
	Timestamp time.Time `json:"timestamp"`
}

// readJSON reads the body into v, which is left as it is when there is none.
// Fields that are not known are refused: they are most likely misspelt.
func readJSON(body []byte, v any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	if err != nil {
		return badRequest("the body is not the JSON that is expected: %.200s", err.Error())
	}
	return nil
}

// metrics are counts as the product's tables name them. A count that is not known
// is null, never 0.
type metrics struct {
	Retweets  engagement.Count `json:"retweet_count"`
	Replies   engagement.Count `json:"reply_count"`
	Likes     engagement.Count `json:"like_count"`
	Quotes    engagement.Count `json:"quote_count"`
	Views     engagement.Count `json:"view_count"`
	Bookmarks engagement.Count `json:"bookmark_count"`
	Total     int64            `json:"total_engagement"`
}

func metricsOf(m engagement.Metrics) metrics {
	return metrics{m.Retweets, m.Replies, m.Likes, m.Quotes, m.Views, m.Bookmarks, m.Total()}
}

// moment is a time that is null when there is none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
