package web

import (
	"fmt"
	"net/http"

	"gorgone/web/auth"
)

// need is what a caller must be allowed to do before a handler runs.
type need int

const (
	_ need = iota // a route that says nothing is refused at the start

	// open: nothing. For what tells whether the server works, and what it is.
	open
	// everywhere: the scope in every zone, which services have and users do not.
	everywhere
	// somewhere: the scope in one zone at least. The answer holds nothing of any zone.
	somewhere
	// here: the scope in the zone that the request is about. Only the handler can
	// tell which that is; it asks through [request.mayIn] or [request.zonesFor].
	here
	// webhookKey: the key that the provider sends with what it pushes.
	webhookKey
	// loginCode: a code of the local login, which the handler takes from the body.
	loginCode
)

// route is one line of the table.
type route struct {
	method  string
	pattern string // as http.ServeMux has it
	need    need
	scope   auth.Scope
	maxBody int64
	handle  func(s *Server, w http.ResponseWriter, r *request) error
}

// routes is everything the server answers.
func routes() []route {
	return []route{
		{http.MethodPost, "/api/twitter/engagement/update", everywhere, auth.ScopeDispatch, maxPlainBody, (*Server).trigger},
		{http.MethodGet, "/api/twitter/engagement/update", somewhere, auth.ScopeRead, 0, (*Server).statistics},
		{http.MethodPost, "/api/twitter/tweets/{id}/refresh", here, auth.ScopeRefresh, maxPlainBody, (*Server).refresh},
		{http.MethodGet, "/api/twitter/tweets/{id}/refresh", here, auth.ScopeRead, 0, (*Server).current},
		{http.MethodGet, "/api/twitter/tweets/{id}/refresh/{request}", here, auth.ScopeRefresh, 0, (*Server).poll},
		{http.MethodGet, "/api/twitter/alerts", here, auth.ScopeRead, 0, (*Server).alerts},
		{http.MethodGet, "/api/twitter/cost", somewhere, auth.ScopeRead, 0, (*Server).cost},
		{http.MethodGet, "/api/twitter/overview", somewhere, auth.ScopeRead, 0, (*Server).overview},
		{http.MethodGet, "/api/twitter/tweets", here, auth.ScopeRead, 0, (*Server).list},
		{http.MethodPost, "/api/twitter/tweets", everywhere, auth.ScopeTrack, maxTrackBody, (*Server).track},
		{http.MethodPost, "/api/webhooks/twitter", webhookKey, "", maxWebhookBody, (*Server).webhook},
		{http.MethodGet, "/api/twitter/engagement/top", here, auth.ScopeRead, 0, (*Server).top},
		{http.MethodGet, "/api/twitter/engagement/events", here, auth.ScopeRead, 0, (*Server).events},
		{http.MethodGet, "/api/twitter/engagement/{id}", here, auth.ScopeRead, 0, (*Server).history},
		{http.MethodGet, "/api/twitter/zones/{zone}/export.csv", here, auth.ScopeRead, 0, (*Server).export},
		{http.MethodGet, "/api/twitter/dead-letters", somewhere, auth.ScopeOperate, 0, (*Server).deadLetters},
		{http.MethodGet, "/api/twitter/dead-letters/{seq}", somewhere, auth.ScopeOperate, 0, (*Server).showLetter},
		{http.MethodPost, "/api/twitter/dead-letters/{seq}/retry", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).retryLetter},
		{http.MethodPost, "/api/twitter/dead-letters/{seq}/drop", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).dropLetter},
		{http.MethodPost, "/api/session/local", loginCode, "", maxPlainBody, (*Server).enter},
		{http.MethodPost, "/api/session/code", everywhere, auth.ScopeOperate, maxPlainBody, (*Server).invite},
		{http.MethodGet, "/api/session", somewhere, auth.ScopeRead, 0, (*Server).whoAmI},
		{http.MethodPost, "/api/session/end", somewhere, auth.ScopeRead, maxPlainBody, (*Server).leave},
		{http.MethodGet, "/healthz", open, "", 0, (*Server).healthz},
		{http.MethodGet, "/readyz", open, "", 0, (*Server).readyz},
		{http.MethodGet, "/version", open, "", 0, (*Server).version},
		{http.MethodGet, "/openapi.json", open, "", 0, (*Server).openAPI},
	}
}

// newMux puts the routes behind what they need.
func (s *Server) newMux(routes []route) (*http.ServeMux, error) {
	mux := http.NewServeMux()
	for _, rt := range routes {
		if rt.need == 0 || rt.need > loginCode || (rt.scope == "") != (rt.need == open || rt.need == webhookKey || rt.need == loginCode) {
			return nil, fmt.Errorf("route %s %s does not say who may use it", rt.method, rt.pattern)
		}
		mux.Handle(rt.method+" "+rt.pattern, s.behind(rt))
	}
	mux.HandleFunc("GET "+pagePattern, s.page)
	mux.HandleFunc("GET "+filesPattern, s.page)
	mux.HandleFunc("/", s.unknown)
	return mux, nil
}

// unknown answers what no route does.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	probe := r.Clone(r.Context())
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		probe.Method = method
		if _, pattern := s.mux.Handler(probe); pattern != "/" {
			w.Header().Add("Allow", method)
		}
	}
	f := noSuchRoute()
	if w.Header().Get("Allow") != "" {
		f = &failure{status: http.StatusMethodNotAllowed, code: "method", message: "this route does not take " + r.Method}
	}
	s.fail(w, r, f)
}

func noSuchRoute() *failure {
	return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such route; /openapi.json lists them"}
}
