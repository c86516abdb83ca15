package web_test

import (
	"net/http"
	"strings"
	"testing"

	"gorgone/internal/testkit"
	"gorgone/web/auth"
)

type sessionAnswer struct {
	Data struct {
		Kind  string
		Zones []struct{ ID, Name string }
		May   struct{ Refresh, Operate bool }
		Clock struct{ Speed float64 }
	}
}

// TestLocalSession signs in as the page does, and out again.
func TestLocalSession(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	var invitation struct{ Code string }
	e.ok(200, "POST", "/api/session/code", e.service, "").into(t, &invitation)
	e.ok(401, "POST", "/api/session/local", "", `{"code": "guess"}`)
	e.ok(401, "POST", "/api/session/local", e.service, ``)
	e.ok(400, "POST", "/api/session/local", "", `{"kode": 1}`)
	e.ok(403, "POST", "/api/session/local", "", `{"code": "`+invitation.Code+`"}`, "Origin", "https://evil.example.com")
	e.ok(200, "POST", "/api/session/local", "", `{"code": "`+invitation.Code+`"}`)
	e.ok(401, "POST", "/api/session/local", "", `{"code": "`+invitation.Code+`"}`)

	code, err := e.local.Code()
	testkit.Must(t, err)
	in := e.ok(200, "POST", "/api/session/local", "", `{"code": "`+code+`"}`, "Sec-Fetch-Site", "same-origin")
	cookie, _, _ := strings.Cut(in.header.Get("Set-Cookie"), ";")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(in.header.Get("Set-Cookie"), want) {
			t.Errorf("the cookie lacks %s", want)
		}
	}
	var me sessionAnswer
	e.ok(200, "GET", "/api/session", "", "", "Cookie", cookie).into(t, &me)
	if me.Data.Kind != "local" || len(me.Data.Zones) != 1 || !me.Data.May.Refresh || !me.Data.May.Operate || me.Data.Clock.Speed != 1 {
		t.Errorf("%+v", me)
	}
	row, _ := e.row(0)
	if a := e.ok(403, "POST", refreshPath(row), "", "", "Cookie", cookie, "Sec-Fetch-Site", "same-site"); a.code(t) != "other_origin" {
		t.Errorf("a page of another port: %s", a.body)
	}
	e.ok(200, "POST", "/api/session/end", "", "", "Cookie", cookie)
	e.ok(401, "GET", "/api/session", "", "", "Cookie", cookie)
	if strings.Contains(e.log.String(), code) || strings.Contains(e.log.String(), strings.SplitN(cookie, "=", 2)[1]) {
		t.Error("a secret of the login is in the log")
	}
}

func TestSessionOfOthers(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	e.exec(`insert into zones (id, name, client_id, is_active) values (gen_random_uuid(), 'off', $1, false)`, e.client)
	for _, tc := range []struct {
		role             string
		own              bool
		status           int
		refresh, operate bool
	}{
		{"super_admin", false, 200, true, true},
		{"manager", true, 200, true, false},
		{"operator", false, 403, false, false},
	} {
		_, token := e.user(tc.role, tc.own)
		a := e.ok(tc.status, "GET", "/api/session", token, "")
		if tc.status != 200 {
			continue
		}
		var me sessionAnswer
		a.into(t, &me)
		if me.Data.Kind != "user" || len(me.Data.Zones) != 1 || me.Data.May.Refresh != tc.refresh || me.Data.May.Operate != tc.operate {
			t.Errorf("%s: %+v", tc.role, me)
		}
	}
	var me sessionAnswer
	e.ok(200, "GET", "/api/session", scopedToken(auth.ScopeRead), "").into(t, &me)
	if me.Data.Kind != "service" || len(me.Data.Zones) != 1 || me.Data.May.Refresh || me.Data.May.Operate {
		t.Errorf("a reader: %+v", me)
	}
	e.ok(200, "POST", "/api/session/end", e.service, "") // which ends nothing
	e.ok(200, "GET", "/api/session", e.service, "")
}

// TestThePageIsOpen: to all, and holds no data.
func TestThePageIsOpen(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	row, tweetID := e.row(0)
	for _, path := range []string{"/", "/assets/app.js", "/assets/app.css", "/assets/pages/tweet.js", "/assets/vendor/uPlot.js", "/assets/settings.json"} {
		a := e.ok(200, "GET", path, "", "")
		if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s is sent with %q", path, policy)
		}
		for _, secret := range []string{row.String(), tweetID, e.zone.String()} {
			if strings.Contains(string(a.body), secret) {
				t.Errorf("%s holds data", path)
			}
		}
	}
	for _, path := range []string{"/assets/", "/assets/../routes.go", "/index.html", "/assets/index.html"} {
		if a := e.do("GET", path, "", ""); a.status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, a.status)
		}
	}
}
