package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"gorgone/store/access"
	"gorgone/web/auth"
)

const (
	headerIdempotencyKey = "Idempotency-Key"

	maxIdempotencyKey = 200 // bytes

	// keyPatience is how long, in real time, a request with a key may take before another
	// process counts as dead that began it: longer than any handler.
	keyPatience = dispatchTimeout + maxWait
)

// recordedAnswer is a response as it is recorded under an idempotency key.
type recordedAnswer struct {
	Request  string `json:"request"` // fingerprint of the request it belongs to
	Status   int    `json:"status"`
	Location string `json:"location,omitempty"`
	Body     string `json:"body"` // a text, of which the database changes nothing
}

// once runs the handler of a route once for each Idempotency-Key of a service, and
// responds to the same request with the same answer for two days. What did not succeed is
// not recorded: it may be tried again.
func (s *Server) once(w http.ResponseWriter, r *request, rt route) error {
	key := r.Header.Get(headerIdempotencyKey)
	if key == "" || rt.method != http.MethodPost || r.caller.Kind != auth.KindService || strings.HasPrefix(rt.pattern, "/api/session") {
		return rt.handle(s, w, r)
	}
	if len(key) > maxIdempotencyKey || !utf8.ValidString(key) {
		return badRequest("%s is longer than %d bytes, or not UTF-8", headerIdempotencyKey, maxIdempotencyKey)
	}
	id := "key:" + r.caller.Name + ":" + key
	sum := sha256.Sum256([]byte(r.URL.Path + "?" + r.URL.RawQuery + "\n" + string(r.body)))
	fingerprint := hex.EncodeToString(sum[:])
	given, err := s.parts.Triggers.BeginTrigger(r.Context(), id, keyPatience)
	switch {
	case errors.Is(err, access.ErrTriggerRunning):
		return &failure{
			status: http.StatusConflict, code: "key_in_use", retryAfter: time.Second,
			message: "a request with this " + headerIdempotencyKey + " is in progress: ask again for its answer",
		}
	case err != nil:
		return err
	case given != nil:
		return replay(w, given, fingerprint)
	}
	tee := &teeWriter{ResponseWriter: w, status: http.StatusOK}
	err = rt.handle(s, tee, r)
	var kept json.RawMessage
	if err == nil && tee.status < http.StatusMultipleChoices {
		kept, err = json.Marshal(recordedAnswer{fingerprint, tee.status, w.Header().Get("Location"), tee.body.String()})
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), retryUnavailable)
	defer cancel()
	if e := s.parts.Triggers.EndTrigger(ending, id, kept); e != nil {
		s.log.Error().Err(e).Msg("recording the response to a request with an idempotency key failed")
	}
	return err
}

// replay responds as to the first request with a key, if this is the same one.
func replay(w http.ResponseWriter, given json.RawMessage, fingerprint string) error {
	var kept recordedAnswer
	if err := json.Unmarshal(given, &kept); err != nil {
		return fmt.Errorf("read a recorded response: %w", err)
	}
	if kept.Request != fingerprint {
		return &failure{
			status: http.StatusConflict, code: "key_in_use",
			message: "this " + headerIdempotencyKey + " was sent with another request: make a new one for each",
		}
	}
	w.Header().Set("Idempotent-Replayed", "true")
	if kept.Location != "" {
		w.Header().Set("Location", kept.Location)
		setRetryAfter(w.Header(), pollRefresh)
	}
	return writeJSON(w, kept.Status, json.RawMessage(kept.Body))
}

// teeWriter is a response that is also kept.
type teeWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (t *teeWriter) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

func (t *teeWriter) Write(p []byte) (int, error) {
	t.body.Write(p)
	n, err := t.ResponseWriter.Write(p)
	if err != nil {
		return n, fmt.Errorf("send a response: %w", err)
	}
	return n, nil
}

// Unwrap is for http.ResponseController.
func (t *teeWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }
