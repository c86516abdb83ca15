package web

import (
	"fmt"
	"net/http"

	"gorgone/web/auth"
)

// need is what a caller must be allowed to do before a handler runs.
type need int

const (
	_ need = iota // New fails for a route that names no need

	// open: nothing. For health checks and the description of the server.
	open
	// everywhere: the scope in every zone, which only services have.
	everywhere
	// somewhere: the scope in at least one zone. The response holds no zone's data.
	somewhere
	// here: the scope in the zone of the request. The handler finds out which that is
	// and checks it with [request.mayIn] or [request.zonesFor].
	here
	// webhookKey: the key that the provider sends with its deliveries.
	webhookKey
	// loginCode: a code of the local login, which the handler reads from the body.
	loginCode
)

// route is one row of the table.
type route struct {
	method  string
	pattern string // as http.ServeMux has it
	need    need
	scope   auth.Scope
	maxBody int64
	handle  func(s *Server, w http.ResponseWriter, r *request) error
}

// routes returns all routes.
func routes() []route {
	return []route{
		{http.MethodPost, "/api/twitter/engagement/update", everywhere, auth.ScopeDispatch, maxPlainBody, (*Server).trigger},
		{http.MethodGet, "/api/twitter/engagement/update", somewhere, auth.ScopeRead, 0, (*Server).statistics},
		{http.MethodPost, "/api/twitter/tweets/{id}/refresh", here, auth.ScopeRefresh, maxPlainBody, (*Server).refresh},
		{http.MethodGet, "/api/twitter/tweets/{id}/refresh", here, auth.ScopeRead, 0, (*Server).current},
		{http.MethodGet, "/api/twitter/tweets/{id}/refresh/{request}", here, auth.ScopeRefresh, 0, (*Server).poll},
		{http.MethodGet, "/api/twitter/alerts", here, auth.ScopeRead, 0, (*Server).alerts},
		{http.MethodGet, "/api/twitter/alerts/rules", somewhere, auth.ScopeOperate, 0, of((*Server).rules, keptRules.all)},
		{http.MethodPost, "/api/twitter/alerts/rules", somewhere, auth.ScopeOperate, maxPlainBody, of((*Server).rules, keptRules.add)},
		{http.MethodPost, "/api/twitter/alerts/rules/{id}", somewhere, auth.ScopeOperate, maxPlainBody, of((*Server).rules, keptRules.change)},
		{http.MethodPost, "/api/twitter/alerts/rules/{id}/remove", somewhere, auth.ScopeOperate, maxPlainBody, of((*Server).rules, keptRules.remove)},
		{http.MethodGet, "/api/twitter/alerts/webhooks", somewhere, auth.ScopeOperate, 0, of((*Server).webhooks, keptWebhooks.all)},
		{http.MethodPost, "/api/twitter/alerts/webhooks", somewhere, auth.ScopeOperate, maxPlainBody, of((*Server).webhooks, keptWebhooks.add)},
		{http.MethodPost, "/api/twitter/alerts/webhooks/{id}", somewhere, auth.ScopeOperate, maxPlainBody, of((*Server).webhooks, keptWebhooks.change)},
		{http.MethodPost, "/api/twitter/alerts/webhooks/{id}/test", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).testWebhook},
		{http.MethodPost, "/api/twitter/alerts/webhooks/{id}/remove", somewhere, auth.ScopeOperate, maxPlainBody, of((*Server).webhooks, keptWebhooks.remove)},
		{http.MethodGet, "/api/twitter/schedule/trials", here, auth.ScopeRead, 0, (*Server).trials},
		{http.MethodGet, "/api/twitter/cost", somewhere, auth.ScopeRead, 0, (*Server).cost},
		{http.MethodGet, "/api/twitter/overview", somewhere, auth.ScopeRead, 0, (*Server).overview},
		{http.MethodGet, "/api/twitter/tweets", here, auth.ScopeRead, 0, (*Server).list},
		{http.MethodPost, "/api/twitter/tweets", everywhere, auth.ScopeTrack, maxTrackBody, (*Server).track},
		{http.MethodPost, "/api/webhooks/twitter", webhookKey, "", maxWebhookBody, (*Server).webhook},
		{http.MethodGet, "/api/twitter/engagement/top", here, auth.ScopeRead, 0, (*Server).top},
		{http.MethodGet, "/api/twitter/engagement/events", here, auth.ScopeRead, 0, (*Server).events},
		{http.MethodGet, "/api/twitter/engagement/{id}", here, auth.ScopeRead, 0, (*Server).history},
		{http.MethodGet, "/api/twitter/zones", here, auth.ScopeRead, 0, (*Server).zoneStates},
		{http.MethodPost, "/api/twitter/zones/{zone}", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).changeZone},
		{http.MethodGet, "/api/twitter/budgets", somewhere, auth.ScopeOperate, 0, (*Server).budgets},
		{http.MethodPost, "/api/twitter/zones/{zone}/budget", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).setZoneBudget},
		{http.MethodPost, "/api/twitter/clients/{client}/budget", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).setClientBudget},
		{http.MethodGet, "/api/twitter/keys", somewhere, auth.ScopeOperate, 0, (*Server).clientKeys},
		{http.MethodPost, "/api/twitter/clients/{client}/key", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).setClientKey},
		{http.MethodPost, "/api/twitter/clients/{client}/key/remove", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).removeClientKey},
		{http.MethodPost, "/api/twitter/pauses", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).setPause},
		{http.MethodPost, "/api/twitter/pauses/resume", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).resume},
		{http.MethodPost, "/api/twitter/dead-letters/retry", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).retryDeadLetters},
		{http.MethodPost, "/api/twitter/dead-letters/drop", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).dropDeadLetters},
		{http.MethodGet, exportRoute, here, auth.ScopeRead, 0, (*Server).export},
		{http.MethodGet, "/api/twitter/dead-letters", somewhere, auth.ScopeOperate, 0, (*Server).deadLetters},
		{http.MethodGet, "/api/twitter/dead-letters/{seq}", somewhere, auth.ScopeOperate, 0, (*Server).showDeadLetter},
		{http.MethodPost, "/api/twitter/dead-letters/{seq}/retry", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).retryDeadLetter},
		{http.MethodPost, "/api/twitter/dead-letters/{seq}/drop", somewhere, auth.ScopeOperate, maxPlainBody, (*Server).dropDeadLetter},
		{http.MethodPost, "/api/session/local", loginCode, "", maxPlainBody, (*Server).localLogin},
		{http.MethodPost, "/api/session/code", everywhere, auth.ScopeOperate, maxPlainBody, (*Server).newLoginCode},
		{http.MethodGet, "/api/session", somewhere, auth.ScopeRead, 0, (*Server).showSession},
		{http.MethodPost, "/api/session/end", somewhere, auth.ScopeRead, maxPlainBody, (*Server).endSession},
		{http.MethodGet, "/healthz", open, "", 0, (*Server).healthz},
		{http.MethodGet, "/readyz", open, "", 0, (*Server).readyz},
		{http.MethodGet, "/version", open, "", 0, (*Server).version},
		{http.MethodGet, "/openapi.json", open, "", 0, (*Server).openAPI},
	}
}

// newMux returns a mux whose routes check what they need.
func (s *Server) newMux(routes []route) (*http.ServeMux, error) {
	mux := http.NewServeMux()
	for _, rt := range routes {
		if rt.need == 0 || rt.need > loginCode || (rt.scope == "") != (rt.need == open || rt.need == webhookKey || rt.need == loginCode) {
			return nil, fmt.Errorf("route %s %s names no permission", rt.method, rt.pattern)
		}
		mux.Handle(rt.method+" "+rt.pattern, s.authorized(rt))
	}
	mux.HandleFunc("GET "+pagePattern, s.page)
	mux.HandleFunc("GET "+filesPattern, s.page)
	mux.HandleFunc("/", s.unknown)
	return mux, nil
}

// unknown responds to requests that match no route.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	probe := r.Clone(r.Context())
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		probe.Method = method
		if _, pattern := s.mux.Handler(probe); pattern != "/" {
			w.Header().Add("Allow", method)
		}
	}
	f := routeNotFound()
	if w.Header().Get("Allow") != "" {
		f = &failure{status: http.StatusMethodNotAllowed, code: "method", message: "this route does not support " + r.Method}
	}
	s.fail(w, r, f)
}

func routeNotFound() *failure {
	return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such route; /openapi.json lists them"}
}
