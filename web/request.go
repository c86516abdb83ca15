package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/web/auth"
)

// request is a request from somebody who is known.
type request struct {
	*http.Request

	server *Server
	caller auth.Principal
	scope  auth.Scope
	body   []byte // all of it
}

// behind lets a request through to its handler once its caller may use the route.
func (s *Server) behind(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		note := noteOf(hr.Context())
		note.route, note.quiet = rt.method+" "+rt.pattern, rt.need == open
		r := &request{Request: hr, server: s, scope: rt.scope}
		err := s.admit(w, r, rt) //nolint:contextcheck // the request carries it
		note.caller = r.caller.Name
		if err == nil {
			err = rt.handle(s, w, r)
		}
		if err != nil {
			s.refuse(w, r, err) //nolint:contextcheck // the request carries it
		}
	})
}

// admit finds out who calls and whether they may, and reads the body.
func (s *Server) admit(w http.ResponseWriter, r *request, rt route) (err error) {
	if rt.need == open {
		return nil
	}
	signed := rt.need != webhookKey && rt.need != loginCode && auth.Signed(r.Request)
	if signed {
		// Only its body tells whether the signature is good.
		if r.body, err = readBody(w, r.Request, maxPlainBody); err != nil {
			return err
		}
	}
	switch rt.need {
	case webhookKey:
		err = s.checkWebhookKey(r.Request)
	case loginCode:
		// The handler looks at it: it is in the body.
	default:
		r.caller, err = s.parts.Guard.Identify(r.Request, r.body)
	}
	if err != nil {
		return err
	}
	switch rt.need {
	case everywhere:
		if !r.caller.Can(rt.scope) {
			return &auth.RefusedError{Reason: auth.ReasonScope}
		}
	case somewhere:
		zones, all, err := r.zones(r.Context())
		if err != nil {
			return err
		}
		if !all && len(zones) == 0 {
			return &auth.RefusedError{Reason: auth.ReasonScope}
		}
	case here:
		// A service without the scope need not wait for the handler to hear so.
		if r.caller.Kind != auth.KindUser && !r.caller.Can(rt.scope) {
			return &auth.RefusedError{Reason: auth.ReasonScope}
		}
	case open, webhookKey, loginCode:
	}
	if !signed && rt.maxBody > 0 {
		r.body, err = readBody(w, r.Request, rt.maxBody)
	}
	return err
}

// refuse answers an error. Refusals are counted, logged and slowed down by the
// guard.
func (s *Server) refuse(w http.ResponseWriter, r *request, err error) {
	if _, refused := auth.Refused(err); refused {
		verdict := s.parts.Guard.Refuse(r.Request, r.caller, err)
		f := refusal(verdict.Reason, err)
		f.status, f.retryAfter = verdict.Status, verdict.RetryAfter
		if f.status == http.StatusTooManyRequests {
			f.message = "too many refused requests from your address"
			noteOf(r.Context()).quiet = true // else a guesser fills the log
		}
		if f.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		// net/http reads what is left of the body before it answers. Nobody who is
		// refused should keep a connection for as long as others may.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(refusedTime))
		s.fail(w, r.Request, f)
		return
	}
	f := failureOf(err)
	if r.caller.Kind == auth.KindQStash && f.status >= 400 && f.status < 500 && f.status != http.StatusTooManyRequests {
		// It would deliver the same again, to the same end.
		f.status = statusNonRetryable
		w.Header().Set("Upstash-NonRetryable-Error", "true")
	}
	s.fail(w, r.Request, f)
}

// statusNonRetryable tells QStash not to deliver again.
const statusNonRetryable = 489

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLong *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLong) {
		return nil, &failure{status: http.StatusBadRequest, code: "bad_request", message: "the body could not be read", cause: err}
	}
	return body, err
}

// checkWebhookKey compares the provider's key, in constant time whatever its
// length.
func (s *Server) checkWebhookKey(r *http.Request) error {
	values := r.Header.Values("X-API-Key")
	if s.config.WebhookKey == "" || len(values) != 1 || values[0] == "" {
		return &auth.RefusedError{Reason: auth.ReasonNone}
	}
	got, want := sha256.Sum256([]byte(values[0])), sha256.Sum256([]byte(s.config.WebhookKey))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return &auth.RefusedError{Reason: auth.ReasonToken}
	}
	return nil
}

// mayIn returns nil when the caller may do in a zone what the route is for.
func (r *request) mayIn(zone uuid.UUID) error {
	return r.server.parts.Access.Check(r.Context(), r.caller, zone, r.scope)
}

// zones returns the zones in which the caller may do what the route is for.
func (r *request) zones(ctx context.Context) (zones []store.Zone, all bool, err error) {
	return r.server.parts.Access.Zones(ctx, r.caller, r.scope)
}

// zonesFor returns the ids of the zones that a request is about: the one that the
// query names, or all that the caller may do it in; nil are all there are.
func (r *request) zonesFor() ([]uuid.UUID, error) {
	if name := r.URL.Query().Get("zone"); name != "" {
		zone, err := uuid.Parse(name)
		if err != nil {
			return nil, badRequest("zone is not a UUID")
		}
		return []uuid.UUID{zone}, r.mayIn(zone)
	}
	zones, all, err := r.zones(r.Context())
	if err != nil || all {
		return nil, err
	}
	ids := make([]uuid.UUID, len(zones))
	for i, z := range zones {
		ids[i] = z.ID
	}
	return ids, nil
}

// tweet returns the row that the path names, if the caller may do with it what the
// route is for. A row of a zone that is not the caller's is as unknown as one that
// does not exist.
func (r *request) tweet(ref string) (store.Tweet, error) {
	id, err := pathID(ref)
	if err != nil {
		return store.Tweet{}, err
	}
	t, err := r.server.parts.Tweets.Tweet(r.Context(), id)
	if err != nil {
		return store.Tweet{}, err
	}
	err = r.mayIn(t.ZoneID)
	if reason, _ := auth.Refused(err); reason == auth.ReasonForeignZone {
		r.server.parts.Guard.Refuse(r.Request, r.caller, err) // for its log and its counts
		return store.Tweet{}, noSuchTweet()
	}
	return t, err
}

// pathID reads a row's UUID in its usual form; uuid.Parse takes others too.
func pathID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != len(id.String()) {
		return uuid.Nil, badRequest("the id in the path is not a UUID")
	}
	return id, nil
}

// timeOf reads an optional time of the query: RFC 3339, or a day.
func (r *request) timeOf(name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 2006 && t.Year() < 2200 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, badRequest("%s is not a time such as 2026-11-23T09:30:00Z, or a day such as 2026-11-23", name)
}

// between reads the optional range of the query.
func (r *request) between() (hr store.HistoryRange, err error) {
	if hr.From, err = r.timeOf("from"); err != nil {
		return hr, err
	}
	if hr.To, err = r.timeOf("to"); err != nil {
		return hr, err
	}
	if !hr.To.IsZero() && !hr.From.Before(hr.To) {
		return hr, badRequest("from is not before to")
	}
	return hr, nil
}

// number reads an optional number of the query.
func (r *request) number(name string, otherwise, low, high int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, badRequest("%s is not a number from %d to %d", name, low, high)
	}
	return n, nil
}

// duration reads an optional duration of the query.
func (r *request) duration(name string, otherwise, low, high time.Duration) (time.Duration, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < low || d > high {
		return 0, badRequest("%s is not a duration from %s to %s, such as 10s", name, low, high)
	}
	return d, nil
}

// boolean reads an optional yes or no of the query.
func (r *request) boolean(name string) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, badRequest("%s is neither true nor false", name)
	}
	return b, nil
}

// takeTime gives the request more time than others get: what is waited for, and
// some to send it.
func takeTime(w http.ResponseWriter, d time.Duration) error {
	rc := http.NewResponseController(w)
	until := time.Now().Add(d + writeTimeout)
	if err := errors.Join(rc.SetReadDeadline(until), rc.SetWriteDeadline(until)); err != nil {
		return fmt.Errorf("set the deadlines of a request: %w", err)
	}
	return nil
}
