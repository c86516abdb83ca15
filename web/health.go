package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/sourcegraph/conc"
)

// checkTimeout is how long a check may take before it counts as failed.
const checkTimeout = 2 * time.Second

// healthz responds that the process is alive, whatever else may be wrong.
func (s *Server) healthz(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// checkTTL is how long results are shared: anyone may ask, and the checks use
// connections that others need.
const checkTTL = time.Second

// checkResults are the latest results.
type checkResults struct {
	mu     sync.Mutex
	at     time.Time
	failed []bool
}

// check runs the checks, unless their results are fresh, and reports which failed.
func (s *Server) check(ctx context.Context) []bool {
	c := &s.checked
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && time.Since(c.at) < checkTTL {
		return c.failed
	}
	c.failed = make([]bool, len(s.parts.Checks))
	var checks conc.WaitGroup
	for i, check := range s.parts.Checks {
		checks.Go(func() {
			// Others may use the results after this caller has left.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
			defer cancel()
			if err := check.Run(ctx); err != nil {
				s.log.Warn().Err(err).Str("check", check.Name).Bool("advisory", check.Advisory).Msg("readiness check failed")
				c.failed[i] = true
			}
		})
	}
	checks.Wait()
	c.at = time.Now()
	return c.failed
}

// readyz responds whether requests can be served, and which check fails if not. The
// details are in the log only, since anyone may ask.
func (s *Server) readyz(w http.ResponseWriter, r *request) error {
	status, found := http.StatusOK, make(map[string]string, len(s.parts.Checks)+1)
	for i, failed := range s.check(r.Context()) {
		found[s.parts.Checks[i].Name] = "ok"
		if failed {
			found[s.parts.Checks[i].Name] = "failed"
		}
		if failed && !s.parts.Checks[i].Advisory {
			status = http.StatusServiceUnavailable
		}
	}
	if s.draining.Load() {
		found["server"] = "stopping"
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, struct {
		Ready  bool              `json:"ready"`
		Checks map[string]string `json:"checks"`
	}{status == http.StatusOK, found})
}

func (s *Server) version(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"version": s.config.Version})
}
