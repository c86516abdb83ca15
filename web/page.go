package web

import "net/http"

// page serves the dashboard's files, which hold no data and are open to everyone.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if !s.dashboard.Has(r.URL.Path) {
		s.fail(w, r, routeNotFound())
		return
	}
	noteOf(r.Context()).route = "GET " + pagePattern
	s.dashboard.ServeHTTP(w, r)
}

const (
	pagePattern  = "/{$}"
	filesPattern = "/assets/"
)
