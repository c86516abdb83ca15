package auth_test

import (
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorgone/web/auth"
)

func newLocal(t *testing.T, now func() time.Time) *auth.Local {
	t.Helper()
	l, err := auth.NewLocal(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// pageRequest is a request as a page of the server makes it.
func pageRequest(method string, cookie *http.Cookie) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:8080/api/session", nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if cookie != nil {
		r.AddCookie(cookie)
	}
	return r
}

func TestLocalLogin(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := newLocal(t, func() time.Time { return now })
	code, err := l.Code()
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Enter(pageRequest("POST", nil), code[:len(code)-1])
	wantReason(t, err, auth.ReasonCode)
	cookie, err := l.Enter(pageRequest("POST", nil), code)
	if err != nil {
		t.Fatal(err)
	}
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Domain != "" || cookie.Name != "gorgone_session_8080" {
		t.Errorf("cookie %s", cookie)
	}
	_, err = l.Enter(pageRequest("POST", nil), code)
	wantReason(t, err, auth.ReasonCode) // once only

	guard := auth.NewGuard(auth.GuardConfig{Local: l})
	p, err := guard.Identify(pageRequest("POST", cookie), nil)
	if err != nil || p.Kind != auth.KindLocal {
		t.Fatalf("%+v %v", p, err)
	}
	for _, scope := range auth.Scopes() {
		if !p.Can(scope) {
			t.Errorf("may not %s", scope)
		}
	}
	// A bearer token beside it is what counts.
	r := pageRequest("GET", cookie)
	r.Header.Set("Authorization", "Bearer x")
	_, err = guard.Identify(r, nil)
	wantReason(t, err, auth.ReasonToken)

	now = now.Add(25 * time.Hour)
	_, err = l.Verify(pageRequest("GET", cookie))
	wantReason(t, err, auth.ReasonSession)
}

func TestLocalLoginEnds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := newLocal(t, func() time.Time { return now })
	code, err := l.Code()
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(13 * time.Hour)
	_, err = l.Enter(pageRequest("POST", nil), code)
	wantReason(t, err, auth.ReasonCode)
	if code, err = l.Code(); err != nil {
		t.Fatal(err)
	}
	cookie, err := l.Enter(pageRequest("POST", nil), code)
	if err != nil {
		t.Fatal(err)
	}
	if gone := l.Leave(pageRequest("POST", cookie)); gone.MaxAge >= 0 || gone.Name != cookie.Name {
		t.Errorf("cookie %s", gone)
	}
	_, err = l.Verify(pageRequest("GET", cookie))
	wantReason(t, err, auth.ReasonSession)
}

// TestLocalFromElsewhere: neither another site, nor another port, nor a name that
// was made to lead to this machine can use a session or a code.
func TestLocalFromElsewhere(t *testing.T) {
	t.Parallel()
	l := newLocal(t, time.Now)
	code, err := l.Code()
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := l.Enter(pageRequest("POST", nil), code)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*http.Request)
		want   auth.Reason
	}{
		"the page itself":  {func(*http.Request) {}, ""},
		"localhost":        {func(r *http.Request) { r.Host = "localhost:8080" }, ""},
		"the IPv6 address": {func(r *http.Request) { r.Host = "[::1]:8080" }, ""},
		"another site":     {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, auth.ReasonOrigin},
		"another port":     {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, auth.ReasonOrigin},
		"an older browser": {func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "http://127.0.0.1:3000")
		}, auth.ReasonOrigin},
		"a rebound name": {func(r *http.Request) { r.Host = "evil.example:8080" }, auth.ReasonHost},
		"no host":        {func(r *http.Request) { r.Host = "" }, auth.ReasonHost},
		"a broken host":  {func(r *http.Request) { r.Host = "[" }, auth.ReasonHost},
		"two cookies":    {func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookie.Name, Value: "x"}) }, auth.ReasonMalformed},
	} {
		r := pageRequest("POST", cookie)
		tc.change(r)
		_, err := l.Verify(r)
		if got, _ := auth.Refused(err); got != tc.want {
			t.Errorf("%s: refused as %q, want %q", name, got, tc.want)
		}
	}
	code, err = l.Code()
	if err != nil {
		t.Fatal(err)
	}
	r := pageRequest("POST", nil)
	r.Host = "evil.example:8080"
	_, err = l.Enter(r, code)
	wantReason(t, err, auth.ReasonHost)
}

func TestNoLocalLoginForOthers(t *testing.T) {
	t.Parallel()
	for _, addr := range []net.Addr{
		&net.TCPAddr{IP: net.IPv4zero, Port: 1}, &net.TCPAddr{IP: net.IPv6zero, Port: 1},
		&net.TCPAddr{IP: net.IPv4(192, 168, 1, 5), Port: 1}, &net.TCPAddr{Port: 1}, &net.UnixAddr{Name: "x"},
	} {
		if _, err := auth.NewLocal(addr, rand.Reader, time.Now); !errors.Is(err, auth.ErrNotLocal) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// TestManyCodes: one more than are kept ends the oldest, and locks no one out.
func TestManyCodes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := newLocal(t, func() time.Time { now = now.Add(time.Second); return now })
	codes := make([]string, 1001)
	for i := range codes {
		var err error
		if codes[i], err = l.Code(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := l.Enter(pageRequest("POST", nil), codes[0])
	wantReason(t, err, auth.ReasonCode)
	for _, code := range []string{codes[1], codes[1000]} {
		if _, err := l.Enter(pageRequest("POST", nil), code); err != nil {
			t.Error(err)
		}
	}
}

// TestLocalSessionsOutliveTheProcess, but for those that were ended, and those whose time
// is over; the file is no way to sign in.
func TestLocalSessionsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "sessions.json")
	start := func() *auth.Local {
		t.Helper()
		l := newLocal(t, func() time.Time { return now })
		if err := l.KeepIn(file); err != nil {
			t.Fatal(err)
		}
		return l
	}
	enter := func(l *auth.Local) *http.Cookie {
		t.Helper()
		code, err := l.Code()
		if err != nil {
			t.Fatal(err)
		}
		cookie, err := l.Enter(pageRequest("POST", nil), code)
		if err != nil {
			t.Fatal(err)
		}
		return cookie
	}
	first := start()
	stays, ended := enter(first), enter(first)
	first.Leave(pageRequest("POST", ended))
	unused, err := first.Code()
	if err != nil {
		t.Fatal(err)
	}
	again := start()
	if _, err := again.Verify(pageRequest("GET", stays)); err != nil {
		t.Errorf("a restart signs out: %v", err)
	}
	_, err = again.Verify(pageRequest("GET", ended))
	wantReason(t, err, auth.ReasonSession)
	_, err = again.Enter(pageRequest("POST", nil), unused)
	wantReason(t, err, auth.ReasonCode)

	text, err := os.ReadFile(file)
	info, statErr := os.Stat(file)
	if err != nil || statErr != nil || info.Mode().Perm() != 0o600 || strings.Contains(string(text), stays.Value) {
		t.Errorf("%v %v %v: %s", err, statErr, info, text)
	}
	now = now.Add(25 * time.Hour)
	_, err = start().Verify(pageRequest("GET", stays))
	wantReason(t, err, auth.ReasonSession)
	if err := os.WriteFile(file, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	enter(start())
}
