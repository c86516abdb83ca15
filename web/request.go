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

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/web/auth"
)

// request is a request with its authenticated caller.
type request struct {
	*http.Request

	server *Server
	caller auth.Principal
	scope  auth.Scope
	body   []byte  // all of it
	quotas []quota // what a dear read counts under

	left <-chan struct{} // closed when the caller of a dear read has left
}

// authorized returns a handler that runs the route's once the caller may use the route.
func (s *Server) authorized(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		note := noteOf(hr.Context())
		note.route, note.quiet = rt.method+" "+rt.pattern, rt.need == open
		r := &request{Request: hr, server: s, scope: rt.scope}
		err := s.admit(w, r, rt) //nolint:contextcheck // the request carries it
		note.caller = r.caller.Name
		_, dear := dearReads[rt.pattern]
		switch {
		case err != nil:
		case dear && rt.method == http.MethodGet:
			err = s.read(w, r, rt) //nolint:contextcheck // the request carries it
		default:
			err = s.once(w, r, rt) //nolint:contextcheck // the request carries it
		}
		if err != nil {
			s.refuse(w, r, err) //nolint:contextcheck // the request carries it
		}
	})
}

// admit authenticates the caller, checks its permission, and reads the body.
func (s *Server) admit(w http.ResponseWriter, r *request, rt route) (err error) {
	if rt.need == open {
		return nil
	}
	signed := rt.need != webhookKey && rt.need != loginCode && auth.Signed(r.Request)
	if signed {
		// The signature covers the body.
		if r.body, err = readBody(w, r.Request, maxPlainBody); err != nil {
			return err
		}
	}
	switch rt.need {
	case webhookKey:
		err = s.checkWebhookKey(r.Request)
	case loginCode:
		// The handler checks the code, which is in the body.
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
		// A service without the scope is refused before the handler runs.
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

// refuse responds with an error. The guard counts, logs and limits refusals.
func (s *Server) refuse(w http.ResponseWriter, r *request, err error) {
	if _, refused := auth.Refused(err); refused {
		verdict := s.parts.Guard.Refuse(r.Request, r.caller, err)
		f := refusal(verdict.Reason, verdict.Status)
		f.retryAfter = verdict.RetryAfter
		switch f.status {
		case http.StatusTooManyRequests:
			noteOf(r.Context()).quiet = true // or guesses fill the log
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", challenge(verdict.Reason, f.message))
		}
		// net/http reads the rest of the body before it responds. A refused caller gets
		// less time for that than others.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(refusedBodyTimeout))
		s.fail(w, r.Request, f)
		return
	}
	f := failureOf(err)
	if r.caller.Kind == auth.KindQStash && f.status >= 400 && f.status < 500 && f.status != http.StatusTooManyRequests {
		// QStash would deliver the same message again, with the same result.
		f.status = statusNonRetryable
		s.log.Warn().Str("request", noteOf(r.Context()).id).Str("schedule", r.caller.Message.ScheduleID).Str("reason", f.message).
			Msg("a delivery of QStash's is dropped for good: correct its schedule")
		w.Header().Set("Upstash-NonRetryable-Error", "true")
	}
	s.fail(w, r.Request, f)
}

// statusNonRetryable tells QStash not to retry a delivery.
const statusNonRetryable = 489

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLong *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLong) {
		return nil, &failure{status: http.StatusBadRequest, code: "bad_request", message: "the body could not be read", cause: err}
	}
	return body, err
}

// checkWebhookKey compares the provider's key in constant time, whatever its length.
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

// mayIn returns nil if the caller has the route's scope in a zone.
func (r *request) mayIn(zone uuid.UUID) error {
	return r.server.parts.Access.Check(r.Context(), r.caller, zone, r.scope)
}

// zones returns the zones in which the caller has the route's scope.
func (r *request) zones(ctx context.Context) (zones []store.Zone, all bool, err error) {
	return r.server.parts.Access.Zones(ctx, r.caller, r.scope)
}

// zonesFor returns the ids of the zones of a request: the one that the query names, or
// all in which the caller has the scope; nil means every zone.
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

// tweet returns the row that the path names by its id, or by the platform's id or the
// tweet's address, which name a row in each zone that has the tweet: the first in which the
// caller has the route's scope. A row in a foreign zone is reported like one that does not exist.
func (r *request) tweet(ref string) (store.Tweet, error) {
	if _, err := pathID(ref); err != nil {
		if _, err := engagement.ParseTweetRef(ref); err != nil {
			return store.Tweet{}, badRequest("the id in the path is neither the UUID of a row nor the platform's id of a tweet, nor its address")
		}
	}
	tweets, err := r.server.parts.Tweets.FindTweet(r.Context(), ref)
	if err != nil {
		return store.Tweet{}, err
	}
	var refused error
	for _, t := range tweets {
		switch err := r.mayIn(t.ZoneID); {
		case err == nil:
			return t, nil
		case refused == nil || !foreign(err):
			refused = err
		}
	}
	if foreign(refused) {
		r.server.parts.Guard.Refuse(r.Request, r.caller, refused) // to count and log it
		return store.Tweet{}, tweetNotFound()
	}
	return store.Tweet{}, refused
}

func foreign(err error) bool {
	reason, _ := auth.Refused(err)
	return reason == auth.ReasonForeignZone
}

// pathID parses a UUID in its canonical form; uuid.Parse accepts others too.
func pathID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != len(id.String()) {
		return uuid.Nil, badRequest("the id in the path is not a UUID")
	}
	return id, nil
}

// timeOf parses an optional time of the query: RFC 3339, or a date.
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
	return time.Time{}, badRequest("%s is neither a time such as 2026-11-23T09:30:00Z nor a date such as 2026-11-23", name)
}

// between parses the optional range of the query.
func (r *request) between() (hr history.Range, err error) {
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

// number parses an optional number of the query.
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

// duration parses an optional duration of the query: seconds, or with units such as 1m30s.
func (r *request) duration(name string, otherwise, low, high time.Duration) (time.Duration, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if _, e := strconv.ParseFloat(text, 64); e == nil {
		d, err = time.ParseDuration(text + "s")
	}
	if err != nil || d < low || d > high {
		return 0, badRequest("%s is not a duration from %s to %s: give seconds, such as 10", name, low, high)
	}
	return d, nil
}

// boolean parses an optional boolean of the query.
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

// extendDeadlines gives the request more time than others: d, which the handler waits,
// and the usual time to write the response.
func extendDeadlines(w http.ResponseWriter, d time.Duration) error {
	rc := http.NewResponseController(w)
	until := time.Now().Add(d + writeTimeout)
	if err := errors.Join(rc.SetReadDeadline(until), rc.SetWriteDeadline(until)); err != nil {
		return fmt.Errorf("set the deadlines of a request: %w", err)
	}
	return nil
}
