package web_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/internal/enginetest"
	"gorgone/internal/testkit"
	"gorgone/web"
	"gorgone/web/auth"
)

// fill puts ids into the wildcards of a pattern.
func (e *engine) fill(pattern string) string {
	row, _ := e.row(0)
	return strings.NewReplacer("{id}", row.String(), "{zone}", e.zone.String(), "{request}", uuid.NewString(), "{seq}", "1").Replace(pattern)
}

// TestEveryRouteRefuses walks the router: no route answers without credentials,
// with bad ones, or with ones that are not for it.
func TestEveryRouteRefuses(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	_, stranger := e.user("operator", false)
	forged, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": issuer, "aud": "authenticated", "sub": uuid.NewString(), "role": "authenticated", "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte("another secret of at least thirty-two bytes"))
	testkit.Must(t, err)
	open := map[string]bool{"/healthz": true, "/readyz": true, "/version": true, "/openapi.json": true}
	for _, rt := range web.Routes() {
		path := e.fill(rt.Pattern)
		if rt.Need == web.Open {
			if !open[rt.Pattern] {
				t.Errorf("%s %s is open to all", rt.Method, rt.Pattern)
			}
			e.ok(200, rt.Method, path, "", "")
			continue
		}
		for what, headers := range map[string][]string{
			"nothing":              nil,
			"an empty token":       {"Authorization", "Bearer "},
			"another scheme":       {"Authorization", "Basic " + e.service},
			"an unknown token":     {"Authorization", "Bearer " + strings.Repeat("a", 60)},
			"a forged session":     {"Authorization", "Bearer " + forged},
			"a signature":          {auth.HeaderSignature, "x.y.z", auth.HeaderMessageID, "m"},
			"another key":          {"X-API-Key", "not-the-key-that-it-sends"},
			"no key":               {"X-API-Key", ""},
			"the provider's key":   {"X-API-Key", enginetest.ProviderKey},
			"a cookie":             {"Cookie", "sb-access-token=" + forged},
			"a token in the query": {"X-Nothing", ""},
		} {
			target := path
			if what == "a token in the query" {
				target += "?token=" + e.service + "&access_token=" + e.service
			}
			a := e.do(rt.Method, target, "", "{}", headers...)
			// Guessing too often from one address is answered 429.
			if a.status != 401 && a.status != 429 {
				t.Errorf("%s %s with %s: status %d", rt.Method, rt.Pattern, what, a.status)
			}
		}
		switch rt.Pattern {
		case "/api/twitter/alerts", "/api/twitter/schedule/trials", "/api/twitter/engagement/top", "/api/twitter/engagement/events", "/api/twitter/zones":
			continue // all of nothing is an answer too
		case "/api/twitter/tweets":
			if rt.Method == http.MethodGet {
				continue // likewise
			}
		case "/api/session/local":
			continue // it takes a code, and nothing else; see session_test.go
		case "/api/webhooks/twitter":
			continue // not for users at all; its key was tried above
		}
		if a := e.do(rt.Method, path, stranger, "{}"); a.status != 403 && a.status != 404 {
			t.Errorf("%s %s as a user without zones: status %d", rt.Method, rt.Pattern, a.status)
		}
	}
	if strings.Contains(e.log.String(), e.service) || strings.Contains(e.log.String(), stranger) || strings.Contains(e.log.String(), forged) {
		t.Error("a token is in the log")
	}
	if !strings.Contains(e.log.String(), "bad_signature") {
		t.Error("refusals are not in the log")
	}
}

// TestScopes gives each route every token that is for something else.
func TestScopes(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	needs := map[string]auth.Scope{
		"POST /api/twitter/engagement/update":            auth.ScopeDispatch,
		"GET /api/twitter/engagement/update":             auth.ScopeRead,
		"POST /api/twitter/tweets/{id}/refresh":          auth.ScopeRefresh,
		"GET /api/twitter/tweets/{id}/refresh":           auth.ScopeRead,
		"GET /api/twitter/tweets/{id}/refresh/{request}": auth.ScopeRefresh,
		"POST /api/twitter/tweets":                       auth.ScopeTrack,
		"GET /api/twitter/alerts":                        auth.ScopeRead,
		"GET /api/twitter/alerts/rules":                  auth.ScopeOperate,
		"POST /api/twitter/alerts/rules":                 auth.ScopeOperate,
		"POST /api/twitter/alerts/rules/{id}":            auth.ScopeOperate,
		"POST /api/twitter/alerts/rules/{id}/remove":     auth.ScopeOperate,
		"GET /api/twitter/alerts/webhooks":               auth.ScopeOperate,
		"POST /api/twitter/alerts/webhooks":              auth.ScopeOperate,
		"POST /api/twitter/alerts/webhooks/{id}":         auth.ScopeOperate,
		"POST /api/twitter/alerts/webhooks/{id}/test":    auth.ScopeOperate,
		"POST /api/twitter/alerts/webhooks/{id}/remove":  auth.ScopeOperate,
		"GET /api/twitter/zones":                         auth.ScopeRead,
		"POST /api/twitter/zones/{zone}":                 auth.ScopeOperate,
		"POST /api/twitter/pauses":                       auth.ScopeOperate,
		"POST /api/twitter/pauses/resume":                auth.ScopeOperate,
		"POST /api/twitter/dead-letters/retry":           auth.ScopeOperate,
		"POST /api/twitter/dead-letters/drop":            auth.ScopeOperate,
		"GET /api/twitter/schedule/trials":               auth.ScopeRead,
		"GET /api/twitter/cost":                          auth.ScopeRead,
		"GET /api/twitter/budgets":                       auth.ScopeOperate,
		"POST /api/twitter/zones/{zone}/budget":          auth.ScopeOperate,
		"POST /api/twitter/clients/{client}/budget":      auth.ScopeOperate,
		"GET /api/twitter/keys":                          auth.ScopeOperate,
		"POST /api/twitter/clients/{client}/key":         auth.ScopeOperate,
		"POST /api/twitter/clients/{client}/key/remove":  auth.ScopeOperate,
		"GET /api/twitter/overview":                      auth.ScopeRead,
		"GET /api/twitter/tweets":                        auth.ScopeRead,
		"GET /api/session":                               auth.ScopeRead,
		"POST /api/session/end":                          auth.ScopeRead,
		"GET /api/twitter/dead-letters":                  auth.ScopeOperate,
		"GET /api/twitter/dead-letters/{seq}":            auth.ScopeOperate,
		"POST /api/twitter/dead-letters/{seq}/retry":     auth.ScopeOperate,
		"POST /api/twitter/dead-letters/{seq}/drop":      auth.ScopeOperate,
		"POST /api/session/code":                         auth.ScopeOperate,
		"GET /api/twitter/engagement/top":                auth.ScopeRead,
		"GET /api/twitter/engagement/events":             auth.ScopeRead,
		"GET /api/twitter/engagement/{id}":               auth.ScopeRead,
		"GET /api/twitter/zones/{zone}/export.csv":       auth.ScopeRead,
	}
	for _, rt := range web.Routes() {
		if rt.Need == web.Open || rt.Need == web.WebhookKey || rt.Need == web.LoginCode {
			continue
		}
		need, known := needs[rt.Method+" "+rt.Pattern]
		if !known {
			t.Errorf("%s %s is not in this table", rt.Method, rt.Pattern)
		}
		for _, scope := range auth.Scopes() {
			if scope == need {
				continue
			}
			if a := e.do(rt.Method, e.fill(rt.Pattern), scopedToken(scope), "{}"); a.status != 403 {
				t.Errorf("%s %s with the scope %s: status %d", rt.Method, rt.Pattern, scope, a.status)
			}
		}
		if rt.Method == http.MethodGet { // QStash may trigger and nothing else
			path := e.fill(rt.Pattern)
			if a := e.do(rt.Method, path, "", "", delivery(t, path, "", "m"+rt.Pattern)...); a.status != 489 && a.status != 403 {
				t.Errorf("%s %s by QStash: status %d", rt.Method, rt.Pattern, a.status)
			}
		}
	}
	if a := e.do("GET", updatePath, scopedToken(auth.ScopeRead), ""); a.status != 200 {
		t.Errorf("statistics with the scope read: %d %s", a.status, a.body)
	}
}

// TestUsers: what each role may do in a zone of its client, and in another's.
func TestUsers(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	row, _ := e.row(0)
	read := []string{"/api/twitter/engagement/" + row.String(), "/api/twitter/engagement/" + row.String() + ".csv", refreshPath(row), "/api/twitter/zones/" + e.zone.String() + "/export.csv", "/api/twitter/engagement/top?zone=" + e.zone.String()}
	for _, tc := range []struct {
		role string
		own  bool
		want int
	}{
		{"super_admin", false, 200},
		{"admin", false, 200},
		{"operator", true, 200},
		{"manager", true, 200},
		{"operator", false, 404},
		{"manager", false, 404},
	} {
		_, token := e.user(tc.role, tc.own)
		for _, path := range read {
			if a := e.do("GET", path, token, ""); a.status != tc.want {
				t.Errorf("%s (own client %v) GET %s: status %d, want %d", tc.role, tc.own, path, a.status, tc.want)
			}
		}
		e.ok(403, "POST", updatePath, token, "{}")
		e.ok(403, "POST", "/api/twitter/tweets", token, "{}")
	}
	_, admin := e.user("super_admin", false)
	e.ok(404, "GET", "/api/twitter/zones/"+uuid.NewString()+"/export.csv", admin, "")
	e.exec(`update zones set is_active = false`)
	for _, path := range read {
		e.ok(404, "GET", path, admin, "")
	}
}

func TestTheShell(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	a := e.ok(200, "GET", "/healthz", "", "", "X-Request-Id", "from-the-proxy.1", "Origin", "https://app.example.com")
	h := a.header
	if h.Get("X-Request-Id") != "from-the-proxy.1" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" ||
		h.Get("Access-Control-Allow-Origin") != "https://app.example.com" || h.Get("Vary") == "" {
		t.Errorf("headers %v", h)
	}
	a = e.ok(200, "GET", "/healthz", "", "", "X-Request-Id", "bad id\"", "Origin", "https://evil.example.com")
	if a.header.Get("Access-Control-Allow-Origin") != "" || strings.Contains(a.header.Get("X-Request-Id"), "bad id") {
		t.Errorf("headers %v", a.header)
	}
	pre := e.ok(204, "OPTIONS", updatePath, "", "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "POST")
	if !strings.Contains(pre.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight %v", pre.header)
	}
	pre = e.ok(403, "OPTIONS", updatePath, "", "", "Origin", "https://evil.example.com", "Access-Control-Request-Method", "POST")
	if pre.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight for a stranger %v", pre.header)
	}
	e.ok(404, "GET", "/nothing", "", "")
	if a := e.ok(405, "DELETE", updatePath, e.service, ""); a.header.Get("Allow") == "" {
		t.Errorf("headers %v", a.header)
	}
	huge := strings.Repeat("x", 10<<20)
	for _, path := range []string{updatePath, "/api/twitter/tweets", "/api/webhooks/twitter"} {
		token, headers := e.service, []string{"X-API-Key", webhookKey}
		if a := e.do("POST", path, token, huge, headers...); a.status != 413 {
			t.Errorf("10 MiB at %s: status %d", path, a.status)
		}
	}
	if a := e.do("GET", "/healthz", "", "", "X-Long", strings.Repeat("x", 64<<10)); a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 64 KiB: status %d", a.status)
	}
}

// TestGuessingDoesNotFillTheLog: an address is refused and logged so often, then it
// is told to stay away, and costs no line of the log any more. Who has good
// credentials is served at that address all the same.
func TestGuessingDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	const guesses = 60
	told := 0
	for i := range guesses {
		a := e.do("GET", updatePath, fmt.Sprintf("guess-%d-%s", i, strings.Repeat("x", 40)), "")
		if a.status == http.StatusTooManyRequests && a.code(t) == "too_many_refused" && a.header.Get("Retry-After") != "" {
			told++
		}
	}
	lines := strings.Count(e.log.String(), "\n")
	if told < guesses/2 || lines > 2*(guesses-told) {
		t.Errorf("%d guesses: %d were told to stay away, %d lines in the log", guesses, told, lines)
	}
	for _, want := range []string{`"reason":"unknown_token"`, `"remote":"127.0.0.1"`, `"route":"GET ` + updatePath} {
		if !strings.Contains(e.log.String(), want) {
			t.Errorf("%s is not in the log: %.500s", want, e.log.String())
		}
	}
	if strings.Contains(e.log.String(), "guess-") {
		t.Error("a guess is in the log")
	}
	e.ok(200, "GET", updatePath, e.service, "")
}

// TestReadyzIsCheckedSeldom: everybody may ask, and that costs next to nothing.
func TestReadyzIsCheckedSeldom(t *testing.T) {
	t.Parallel()
	var checked atomic.Int64
	e := newEngine(t, options{parts: func(p *web.Parts) {
		p.Checks = append(p.Checks, web.Check{Name: "counted", Run: func(context.Context) error {
			checked.Add(1)
			return nil
		}})
	}})
	started := time.Now()
	var asking conc.WaitGroup
	for range 50 {
		asking.Go(func() { e.do("GET", "/readyz", "", "") })
	}
	asking.Wait()
	if n, most := checked.Load(), 1+int64(time.Since(started)/time.Second); n < 1 || n > most {
		t.Errorf("checked %d times for 50 who asked, want at most %d", n, most)
	}
}

// TestSlowSender: who sends a request byte by byte is cut off, and blocks no one else.
func TestSlowSender(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	for range 50 {
		var d net.Dialer
		c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(e.url, "http://"))
		testkit.Must(t, err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		testkit.Must(t, err)
		if t.Failed() {
			return
		}
	}
	e.ok(200, "GET", "/healthz", "", "")
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(e.url, "http://"))
	testkit.Must(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n")
	testkit.Must(t, err)
	testkit.Must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.Contains(line, "408") {
		t.Errorf("answered %q", line)
	}
	var timeout net.Error
	if ok := asNetError(err, &timeout); ok && timeout.Timeout() {
		t.Error("the connection is still open after 20 s")
	}
}

// TestChallenge tells what is wrong with a token: which of them a caller can mend, and how.
func TestChallenge(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	session := func(change jwt.MapClaims) string {
		t.Helper()
		claims := jwt.MapClaims{
			"iss": issuer, "aud": "authenticated", "sub": uuid.NewString(), "role": "authenticated", "exp": time.Now().Add(time.Hour).Unix(),
		}
		maps.Copy(claims, change)
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(userSecret)
		testkit.Must(t, err)
		return token
	}
	for what, c := range map[string]struct {
		token, code, challenge string
	}{
		"none":           {"", "no_credentials", "Bearer"},
		"expired":        {session(jwt.MapClaims{"exp": time.Now().Add(-time.Hour).Unix()}), "expired", `error_description="the token has expired`},
		"another issuer": {session(jwt.MapClaims{"iss": "https://other.test/auth/v1"}), "wrong_issuer", `error_description="the token is another issuer's`},
		"unknown":        {strings.Repeat("a", 60), "unknown_token", `error_description="no service has this token`},
	} {
		a := e.ok(401, "GET", updatePath, c.token, "")
		challenge := a.header.Get("WWW-Authenticate")
		if a.code(t) != c.code || !strings.Contains(challenge, c.challenge) || (c.token != "") != strings.HasPrefix(challenge, `Bearer error="invalid_token", `) {
			t.Errorf("%s: %s %s", what, challenge, a.body)
		}
	}
}
