package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"gorgone/store/postgres"
	"gorgone/web/auth"
)

// bounds are those of reads that cost the database more than a row or two.
type bounds struct {
	what                  string // as callers are told
	user, tenant, service int    // at once: of a user, of all users of a client, of a service
	retry                 time.Duration
}

var (
	// A user may have as many pages at once as a browser asks for.
	pageBounds   = bounds{what: "reads", user: 6, tenant: 12, service: 16, retry: time.Second}
	exportBounds = bounds{what: "exports", user: 2, tenant: 4, service: 4, retry: 30 * time.Second}
)

// dearTimeout is how long a page may take.
const dearTimeout = 10 * time.Second

// exportRoute is that of exports: pages that follow one another, each with the time of a
// statement, and all of them with [Config.ExportTime].
const exportRoute = "/api/twitter/zones/{zone}/export.csv"

// dearReads are the routes of such reads.
var dearReads = map[string]bounds{
	"/api/twitter/overview":          pageBounds,
	"/api/twitter/engagement/update": pageBounds,
	"/api/twitter/tweets":            pageBounds,
	"/api/twitter/alerts":            pageBounds,
	"/api/twitter/zones":             pageBounds,
	"/api/twitter/engagement/top":    pageBounds,
	"/api/twitter/engagement/{id}":   pageBounds,
	exportRoute:                      exportBounds,
}

// quota is what a caller has of something, counted under a name.
type quota struct {
	name string
	most int
}

// quotas counts what is in use, by name. The zero value is ready to use.
type quotas struct {
	mu    sync.Mutex
	inUse map[string]int
}

// take counts one more of each, unless one of them has all it may have: full is its name.
func (s *quotas) take(wanted []quota) (full string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range wanted {
		if s.inUse[w.name] >= w.most {
			return w.name
		}
	}
	s.add(wanted)
	return ""
}

// hold counts one more of each in any case, until release is called: what a caller began
// goes on when the caller has left.
func (s *quotas) hold(wanted []quota) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(wanted)
	return func() { s.give(wanted) }
}

// add is called with the lock held.
func (s *quotas) add(wanted []quota) {
	if s.inUse == nil {
		s.inUse = make(map[string]int)
	}
	for _, w := range wanted {
		s.inUse[w.name]++
	}
}

func (s *quotas) give(wanted []quota) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range wanted {
		if s.inUse[w.name]--; s.inUse[w.name] == 0 {
			delete(s.inUse, w.name)
		}
	}
}

// tenant is the client whose zones are all that a user may enter; zero for others.
func (r *request) tenant() (uuid.UUID, error) {
	return r.server.parts.Access.Tenant(r.Context(), r.caller)
}

// readQuotas are what a read of the caller's counts under.
func (r *request) readQuotas(b bounds) ([]quota, error) {
	of := b.what + " at once of "
	if r.caller.Kind != auth.KindUser {
		return []quota{{of + string(r.caller.Kind) + ":" + r.caller.Name, b.service}}, nil
	}
	wanted := []quota{{of + "user:" + r.caller.Name, b.user}}
	tenant, err := r.tenant()
	if err == nil && tenant != uuid.Nil {
		wanted = append(wanted, quota{of + "client:" + tenant.String(), b.tenant})
	}
	return wanted, err
}

// read runs a handler that reads much within the bounds of the caller.
func (s *Server) read(w http.ResponseWriter, r *request, rt route) (err error) {
	b, longest := dearReads[rt.pattern], dearTimeout
	if rt.pattern == exportRoute {
		longest = s.config.ExportTime
	}
	if r.quotas, err = r.readQuotas(b); err != nil {
		return err
	}
	if full := s.reads.take(r.quotas); full != "" {
		return &failure{
			status: http.StatusTooManyRequests, code: "limit", retryAfter: b.retry,
			message: fmt.Sprintf("too many %s: wait for their answers", full),
		}
	}
	defer s.reads.give(r.quotas)
	// A caller who leaves frees no place before the read has ended, nor does it cost a
	// connection to the database, as a statement that is cut off does.
	r.left = r.Context().Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), longest)
	defer cancel()
	asked := r.Request
	r.Request = r.WithContext(ctx)
	err = rt.handle(s, w, r)
	r.Request = asked
	if err != nil && (errors.Is(ctx.Err(), context.DeadlineExceeded) || postgres.TookTooLong(err)) {
		return &failure{
			status: http.StatusServiceUnavailable, code: "busy", retryAfter: retryFull, cause: err,
			message: fmt.Sprintf("reading this takes longer than %s: ask for less, such as one zone or a shorter period", longest),
		}
	}
	return err
}
