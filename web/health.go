package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/sourcegraph/conc"
)

// checkTimeout is how long a check may take before what it looks at counts as
// away.
const checkTimeout = 2 * time.Second

// healthz says that the process is alive, whatever else may be wrong.
func (s *Server) healthz(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// checkedFor is how long what was found serves those who ask next: everybody may
// ask, and the checks use connections that others need.
const checkedFor = time.Second

// checkup is what was found last.
type checkup struct {
	mu     sync.Mutex
	at     time.Time
	failed []bool
}

// check runs the checks, unless that was done a moment ago, and tells which failed.
func (s *Server) check(ctx context.Context) []bool {
	c := &s.checked
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && time.Since(c.at) < checkedFor {
		return c.failed
	}
	c.failed = make([]bool, len(s.parts.Checks))
	var checks conc.WaitGroup
	for i, check := range s.parts.Checks {
		checks.Go(func() {
			// What is found is for others too, who stay when this caller leaves.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
			defer cancel()
			if err := check.Run(ctx); err != nil {
				s.log.Warn().Err(err).Str("check", check.Name).Msg("not ready")
				c.failed[i] = true
			}
		})
	}
	checks.Wait()
	c.at = time.Now()
	return c.failed
}

// readyz says whether requests can be answered, and what is wrong if not. It
// tells nothing but that: the log has the details.
func (s *Server) readyz(w http.ResponseWriter, r *request) error {
	status, found := http.StatusOK, make(map[string]string, len(s.parts.Checks)+1)
	for i, failed := range s.check(r.Context()) {
		found[s.parts.Checks[i].Name] = "ok"
		if failed {
			found[s.parts.Checks[i].Name] = "failed"
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
