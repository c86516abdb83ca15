package app

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/internal/config"
	"gorgone/internal/failure"
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

// Monitor serves what supervisors ask a role for, on an address of its own that is
// not for the public: /healthz, /readyz and /metrics. A nil Monitor, which is one that
// no address is set for, does nothing.
type Monitor struct {
	listener net.Listener
	handler  http.Handler
	log      zerolog.Logger
	close    func()

	mu     sync.Mutex
	state  string
	checks []web.Check
}

// OpenMonitor serves on the configured address until Close; it returns nil when none
// is set. The role is not ready before an App runs with it.
func (p *Process) OpenMonitor(ctx context.Context, cfg config.Monitor) (*Monitor, error) {
	if cfg.Listen == "" {
		return nil, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, failure.Usagef("GORGONE_METRICS_ADDR: %w", err)
	}
	m := &Monitor{listener: l, log: p.Log, state: stateStarting}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", m.healthz)
	mux.HandleFunc("GET /readyz", m.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.Registry, promhttp.HandlerOpts{Registry: p.Registry, Timeout: monitorTimeout / 2}))
	m.handler = mux
	m.close = m.serve()
	p.Log.Info().Stringer("address", l.Addr()).Msg("serving health and metrics")
	return m, nil
}

// Address returns the host and port it serves on; "" of nil.
func (m *Monitor) Address() string {
	if m == nil {
		return ""
	}
	return m.listener.Addr().String()
}

// Close stops serving, and waits for it.
func (m *Monitor) Close() {
	if m != nil {
		m.close()
	}
}

// serve answers until stop is called, which waits for it.
func (m *Monitor) serve() (stop func()) {
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
func (m *Monitor) running(checks []web.Check) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.state, m.checks = stateRunning, checks
	}
}

// stopping makes the role not ready, whatever the checks say.
func (m *Monitor) stopping() {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.state = stateStopping
	}
}

// healthz says that the process is alive, whatever else may be wrong: restarting it
// would mend nothing else.
func (m *Monitor) healthz(w http.ResponseWriter, _ *http.Request) {
	writeStatus(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether the role can work, and which check failed if not. The log
// has the details.
func (m *Monitor) readyz(w http.ResponseWriter, r *http.Request) {
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
			answer.Ready, answer.Checks[c.Name] = answer.Ready && c.Advisory, "failed"
			m.log.Warn().Err(err).Str("check", c.Name).Bool("advisory", c.Advisory).Msg("readiness check failed")
		}
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	writeStatus(w, status, answer)
}

func (m *Monitor) check(ctx context.Context, c web.Check) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return c.Run(ctx)
}

func writeStatus(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the reader went away
}
