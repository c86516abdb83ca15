package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"gorgone/web/answers"
)

// writeJSON responds with v.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a response: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// fault is the body of every response that is not a success.
type fault struct {
	Success   bool      `json:"success"`
	Error     string    `json:"error"`
	Code      string    `json:"code"`
	RequestID string    `json:"request_id"`
	Timestamp time.Time `json:"timestamp"`

	Cap *answers.Cap `json:"cap,omitempty"` // of the code cap: which one is used up
}

// readJSON decodes the body into v; an empty body leaves v as it is. Unknown fields are
// errors, since they are most likely misspelt.
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
		return badRequest("the body is not the expected JSON: %.200s", err.Error())
	}
	return nil
}
