package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"gorgone/web/auth"
)

const (
	rulesPath = "/api/twitter/alerts/rules"
	hooksPath = "/api/twitter/alerts/webhooks"
)

// TestAlertRulesAreKept from the page: made, changed, switched off and removed, by those
// only who may operate.
func TestAlertRulesAreKept(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	type rule struct {
		ID        uuid.UUID
		Name      string
		ZoneID    *uuid.UUID `json:"zone_id"`
		Kind      string
		Threshold float64
		Enabled   bool
	}
	var one struct{ Data rule }
	operate := scopedToken(auth.ScopeOperate)
	e.ok(200, "POST", rulesPath, operate, fmt.Sprintf(`{"kind": "burst", "zone_id": %q}`, e.zone)).into(t, &one)
	if r := one.Data; r.Threshold != 6 || !r.Enabled || r.ZoneID == nil || *r.ZoneID != e.zone || r.Name == "" {
		t.Errorf("added %+v", r)
	}
	at := rulesPath + "/" + one.Data.ID.String()
	e.ok(200, "POST", at, operate, `{"kind": "velocity", "threshold": 700, "name": "fast", "enabled": false}`).into(t, &one)
	var list struct{ Data []rule }
	e.ok(200, "GET", rulesPath, operate, "").into(t, &list)
	last := list.Data[len(list.Data)-1]
	if last != one.Data || last.Name != "fast" || last.Threshold != 700 || last.Enabled || last.ZoneID != nil {
		t.Errorf("changed to %+v, listed %+v", one.Data, last)
	}
	for _, bad := range []string{`{}`, `{"kind": "other"}`, `{"kind": "velocity", "threshold": -1}`, `{"kind": "burst", "window_seconds": 1e300}`, `{"kind": "burst", "colour": 1}`} {
		e.ok(400, "POST", rulesPath, operate, bad)
		e.ok(400, "POST", at, operate, bad)
	}
	e.ok(404, "POST", rulesPath, operate, fmt.Sprintf(`{"kind": "burst", "zone_id": %q}`, uuid.New()))
	e.ok(404, "POST", rulesPath+"/"+uuid.NewString(), operate, `{"kind": "burst"}`)
	_, manager := e.user("manager", true)
	_, admin := e.user("admin", false)
	for token, status := range map[string]int{scopedToken(auth.ScopeRead): 403, manager: 403, admin: 200} {
		e.ok(status, "GET", rulesPath, token, "")
		e.ok(status, "POST", rulesPath, token, `{"kind": "deleted"}`)
		e.ok(status, "POST", at, token, `{"kind": "tier"}`)
	}
	e.ok(403, "POST", at+"/remove", manager, "")
	e.ok(200, "POST", at+"/remove", operate, "")
	e.ok(404, "POST", at+"/remove", operate, "")
}

// TestWebhooksAreKept from the page: made with a secret that is shown once, tested, changed,
// switched off and removed.
func TestWebhooksAreKept(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	got := make(chan string, 10)
	var status atomic.Int64
	status.Store(http.StatusOK)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(hook.Close)
	operate := scopedToken(auth.ScopeOperate)
	var one struct {
		Data struct {
			ID                   uuid.UUID
			To, Format, Disabled string
			Secret               string
			Enabled              bool
		}
	}
	add := e.ok(200, "POST", hooksPath, operate, fmt.Sprintf(`{"url": %q}`, hook.URL+"/a-secret-path"))
	add.into(t, &one)
	if !strings.HasPrefix(one.Data.Secret, "whsec_") || !one.Data.Enabled || one.Data.Format != "json" {
		t.Errorf("added %s", add.body)
	}
	secret, at := one.Data.Secret, hooksPath+"/"+one.Data.ID.String()
	var result struct {
		Data struct {
			Delivered bool
			Error     string
		}
	}
	e.ok(200, "POST", at+"/test", operate, "").into(t, &result)
	if body := <-got; !result.Data.Delivered || !strings.Contains(body, `"test":true`) {
		t.Errorf("%+v, posted %s", result.Data, body)
	}
	status.Store(http.StatusTeapot)
	e.ok(200, "POST", at+"/test", operate, "").into(t, &result)
	if result.Data.Delivered || !strings.Contains(result.Data.Error, "418") {
		t.Errorf("%+v", result.Data)
	}
	e.ok(200, "POST", at, operate, `{"enabled": false, "format": "slack"}`).into(t, &one)
	if one.Data.Enabled || one.Data.Disabled == "" || one.Data.Format != "slack" {
		t.Errorf("changed to %+v", one.Data)
	}
	if n := e.count(`select count(*) from gorgone.webhooks where url like '%/a-secret-path'`); n != 1 {
		t.Error("a change without an address lost the address")
	}
	if list := string(e.ok(200, "GET", hooksPath, operate, "").body); strings.Contains(list, secret) || strings.Contains(list, "a-secret-path") {
		t.Errorf("the list shows what is secret: %s", list)
	}
	for _, bad := range []string{`{}`, `{"url": "http://example.com/"}`, fmt.Sprintf(`{"url": %q, "format": "xml"}`, hook.URL)} {
		e.ok(400, "POST", hooksPath, operate, bad)
	}
	e.ok(404, "POST", at, operate, fmt.Sprintf(`{"zone_id": %q}`, uuid.New()))
	e.ok(404, "POST", hooksPath+"/"+uuid.NewString()+"/test", operate, "")
	_, manager := e.user("manager", true)
	for _, path := range []string{hooksPath, at, at + "/test", at + "/remove"} {
		e.ok(403, "POST", path, manager, `{}`)
	}
	e.ok(403, "GET", hooksPath, manager, "")
	e.ok(200, "POST", at+"/remove", operate, "")
	e.ok(404, "POST", at+"/remove", operate, "")
}
