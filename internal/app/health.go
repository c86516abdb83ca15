package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"gorgone/internal/failure"
)

// The paths that AskHealth asks.
const (
	Alive = "/healthz" // is the process alive
	Ready = "/readyz"  // can it work
)

// AskHealth returns nil when the role that listens on a host and port answers that it can
// work, and else an error that names the checks that failed. It asks a Monitor, or the web
// server. A role can work while checks fail that are not its own fault, which it returns.
func AskHealth(ctx context.Context, address, path string) (failed []string, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, failure.Usagef("the address to ask: %w", err)
	}
	// An address to listen on everywhere is no address to call.
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return nil, failure.Usagef("the address to ask: %w", err)
	}
	req.Close = true // one question, no connection left behind
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for health: %w", err)
	}
	defer res.Body.Close()
	var answer readiness
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("ask for health: status %d, is that a gorgone?", res.StatusCode)
	}
	failed = answer.failed()
	slices.Sort(failed)
	if res.StatusCode == http.StatusOK {
		return failed, nil
	}
	return failed, fmt.Errorf("not ready: %s", strings.Join(failed, ", "))
}

// readiness is the answer of /readyz, here and in package web.
type readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"`
}

// failed names what is not well.
func (r readiness) failed() (names []string) {
	for name, state := range r.Checks {
		if state != "ok" {
			names = append(names, fmt.Sprintf("%s: %s", name, state))
		}
	}
	return names
}

// LookBack is how far back health checks look at what came of calls.
const LookBack = 10 * time.Minute

// lastCalls returns what is wrong with the calls to the provider, whatever the state of its
// circuit breaker.
func (a *App) lastCalls(ctx context.Context) error {
	r, err := a.db.Report.Recent(ctx, a.db.Clock.Now().Add(-a.db.Clock.Engine(LookBack)), 1)
	if err != nil {
		return err
	}
	return r.Fault()
}

// streamsEvery is how long the result of a check of the streams, which writes to them, is
// good for.
const streamsEvery = 10 * time.Second

// streamsCheck finds out whether the streams take writes.
type streamsCheck struct {
	space func(context.Context) error

	mu   sync.Mutex
	at   time.Time
	last error
}

func (s *streamsCheck) check(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || time.Since(s.at) > streamsEvery {
		s.last, s.at = s.space(ctx), time.Now()
	}
	return s.last
}
