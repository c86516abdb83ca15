package web

import "net/http"

// page serves the dashboard's files, which hold no data and are open to all.
// Whatever else is asked for is unknown.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if !s.dashboard.Has(r.URL.Path) {
		s.fail(w, r, noSuchRoute())
		return
	}
	noteOf(r.Context()).route = "GET " + pagePattern
	s.dashboard.ServeHTTP(w, r)
}

const (
	pagePattern  = "/{$}"
	filesPattern = "/assets/"
)
