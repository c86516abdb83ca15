package web

import (
	"context"
	"net/http"
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

// readyz says whether requests can be answered, and what is wrong if not. It
// tells nothing but that: the log has the details.
func (s *Server) readyz(w http.ResponseWriter, r *request) error {
	faults := make([]error, len(s.parts.Checks))
	var checks conc.WaitGroup
	for i, c := range s.parts.Checks {
		checks.Go(func() {
			ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
			defer cancel()
			faults[i] = c.Run(ctx)
		})
	}
	checks.Wait()
	status, found := http.StatusOK, make(map[string]string, len(faults)+1)
	for i, err := range faults {
		found[s.parts.Checks[i].Name] = "ok"
		if err != nil {
			s.log.Warn().Err(err).Str("check", s.parts.Checks[i].Name).Msg("not ready")
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
