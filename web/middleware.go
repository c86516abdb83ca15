package web

import (
	"context"
	"fmt"
	stdlog "log"
	"net/http"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/web/auth"
)

// note collects facts about a request for its log line.
type note struct {
	id, route, caller string

	quiet bool // logged at debug level
}

type noteKey struct{}

func noteOf(ctx context.Context) *note {
	if n, ok := ctx.Value(noteKey{}).(*note); ok {
		return n
	}
	return &note{}
}

// recorder records the status and size of a response.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// middleware wraps the handler of all requests: it sets the request id and the headers of
// every response, answers preflight requests, recovers from panics and logs the request.
func (s *Server) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		n := &note{id: requestID(r)}
		rec := &recorder{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), noteKey{}, n))
		defer func() {
			if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint,err113 // the very value
				defer panic(p)
			} else if p != nil {
				s.log.Error().Str("panic", fmt.Sprint(p)).Str("request", n.id).Str("route", n.route).Bytes("stack", debug.Stack()).Msg("a request panicked")
				if rec.status == 0 {
					s.fail(rec, r, &failure{status: http.StatusInternalServerError, code: "internal", message: "internal error"})
				}
			}
			took := time.Since(started)
			s.config.OnRequest(n.route, rec.status, took)
			s.logRequest(rec, r, n, took)
		}()
		h := rec.Header()
		h.Set("X-Request-Id", n.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if s.preflight(rec, r) {
			return
		}
		next.ServeHTTP(rec, r)
	})
}

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID returns the id that a proxy gave the request, if it is well-formed, or a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); requestIDPattern.MatchString(id) {
		return id
	}
	return uuid.NewString()
}

// preflight sets the CORS headers. It reports whether the request was a preflight and is
// answered.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	h := w.Header()
	h.Add("Vary", "Origin")
	allowed := origin != "" && slices.Contains(s.config.Origins, origin)
	if allowed {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", exposedHeaders)
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if !allowed {
		s.fail(w, r, &failure{
			status: http.StatusForbidden, code: string(auth.ReasonOrigin),
			message: "pages of this site may not call: add it to GORGONE_WEB_ORIGINS, or pass calls on from the site's own server",
		})
		return true
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// exposedHeaders are those that a page of an allowed origin may read: all that the
// OpenAPI document describes but the cookie, which browsers keep from pages.
const exposedHeaders = "Content-Disposition, Idempotent-Replayed, Location, Retry-After, " +
	"Upstash-NonRetryable-Error, WWW-Authenticate, X-Request-Id"

// fail responds with a failure, and logs the cause, which the caller is not told.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, f *failure) {
	n := noteOf(r.Context())
	if f.cause != nil && r.Context().Err() == nil {
		s.log.Error().Err(f.cause).Str("request", n.id).Str("route", n.route).Int("status", f.status).Msg("request failed")
	}
	setRetryAfter(w.Header(), f.retryAfter)
	_ = writeJSON(w, f.status, fault{Error: f.message, Code: f.code, RequestID: n.id, Timestamp: s.parts.Clock.Database(), Cap: f.cap})
}

// logRequest logs a request. Paths, queries and headers may hold secrets, so it names the
// route.
func (s *Server) logRequest(w *recorder, r *http.Request, n *note, took time.Duration) {
	level := zerolog.InfoLevel
	switch {
	case w.status >= http.StatusInternalServerError:
		level = zerolog.WarnLevel
	case n.quiet:
		level = zerolog.DebugLevel
	}
	s.log.WithLevel(level).Str("request", n.id).Str("method", r.Method).Str("route", n.route).Int("status", w.status).Int64("bytes", w.bytes).
		Dur("took_ms", took).Stringer("remote", s.parts.Proxies.ClientAddr(r)).Str("caller", n.caller).Msg("http")
}

// newErrorLog returns the logger of net/http, which mostly reports broken connections.
func newErrorLog(log zerolog.Logger) *stdlog.Logger {
	return stdlog.New(errorLog{log}, "", 0)
}

type errorLog struct{ log zerolog.Logger }

func (e errorLog) Write(p []byte) (int, error) {
	e.log.Debug().Str("detail", strings.TrimSpace(string(p))).Msg("http server")
	return len(p), nil
}
