package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/metrics"
	"gorgone/web"
)

const (
	// checkTimeout is how long a check may take before what it looks at counts as
	// away.
	checkTimeout = 2 * time.Second

	// monitorTimeout bounds everything about a request to the monitor.
	monitorTimeout = 15 * time.Second
)

// The states of a role before and after the one in which its checks decide.
const (
	stateStarting = "starting"
	stateRunning  = ""
	stateStopping = "stopping"
)

// monitor serves what supervisors ask a role for, on an address of its own that
// is not for the public: /healthz, /readyz and /metrics. A nil monitor, which is
// one that no address is set for, does nothing.
type monitor struct {
	listener net.Listener
	handler  http.Handler
	log      zerolog.Logger

	mu     sync.Mutex
	state  string
	checks []web.Check
}

// newMonitor opens the address to listen on; nil when none is set.
func (a *app) newMonitor(ctx context.Context) (*monitor, error) {
	if a.cfg.Monitor.Listen == "" {
		return nil, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.cfg.Monitor.Listen)
	if err != nil {
		return nil, usageError("GORGONE_METRICS_ADDR: %w", err)
	}
	m := &monitor{listener: l, log: a.log, state: stateStarting}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", m.healthz)
	mux.HandleFunc("GET /readyz", m.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{Registry: a.registry, Timeout: monitorTimeout / 2}))
	m.handler = mux
	a.log.Info().Stringer("address", l.Addr()).Msg("serving health and metrics")
	return m, nil
}

// watchState adds the state of the schedule and the queue to the metrics.
func (a *app) watchState(p parts) {
	metrics.Watch(a.registry, metrics.Source{
		Schedule: p.store.Stats, Depth: p.queue.Depth, Pool: p.db.PoolUse, Paused: p.paused, Providers: p.sources.Status,
	}, time.Now)
}

// serve answers until stop is called, which waits for it.
func (m *monitor) serve() (stop func()) {
	if m == nil {
		return func() {}
	}
	server := &http.Server{
		Handler:      m.handler,
		ReadTimeout:  monitorTimeout,
		WriteTimeout: monitorTimeout,
		IdleTimeout:  time.Minute,
	}
	var serving conc.WaitGroup
	serving.Go(func() {
		if err := server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
			m.log.Error().Err(err).Msg("health and metrics are not served any more")
		}
	})
	return func() {
		_ = server.Close()
		serving.Wait()
	}
}

// running lets the checks decide from now on whether the role is ready.
func (m *monitor) running(checks []web.Check) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.state, m.checks = stateRunning, checks
	}
}

// stopping makes the role not ready, whatever the checks say.
func (m *monitor) stopping() {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.state = stateStopping
	}
}

// healthz says that the process is alive, whatever else may be wrong: starting it
// anew would mend nothing else.
func (m *monitor) healthz(w http.ResponseWriter, _ *http.Request) {
	writeStatus(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether the role can work, and which check failed if not. The log
// has the details.
func (m *monitor) readyz(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	state, checks := m.state, m.checks
	m.mu.Unlock()
	answer := readiness{Ready: true, Checks: make(map[string]string)}
	if state != stateRunning {
		answer.Ready, answer.Checks["role"] = false, state
	}
	for _, c := range checks {
		answer.Checks[c.Name] = "ok"
		if err := m.check(r.Context(), c); err != nil {
			answer.Ready, answer.Checks[c.Name] = false, "failed"
			m.log.Warn().Err(err).Str("check", c.Name).Msg("not ready")
		}
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	writeStatus(w, status, answer)
}

func (m *monitor) check(ctx context.Context, c web.Check) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return c.Run(ctx)
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

func writeStatus(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the reader went away
}
