package web_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"gorgone/web/auth"
)

// TestClientKeysAreSetAndNeverShown: who operates in all zones sets and removes a client's key,
// and sees all of it but the key, which no answer and no log has.
func TestClientKeysAreSetAndNeverShown(t *testing.T) {
	t.Parallel()
	const key = "key-of-acme-0123456789"
	e := newEngine(t, options{tweets: 1})
	client := e.client
	at, list := "/api/twitter/clients/"+client.String()+"/key", "/api/twitter/keys"
	operate := scopedToken(auth.ScopeOperate)
	_, manager := e.user("manager", true)
	e.ok(403, "POST", at, manager, `{"provider": "x", "key": "`+key+`"}`)
	e.ok(403, "GET", list, manager, "")
	for _, bad := range []string{`{"provider": "y", "key": "` + key + `"}`, `{"key": "` + key + `"}`, `{"provider": "x", "key": "a b ` + key + `"}`, `{"provider": "x", "key": "` + key + `", "rate": -1}`} {
		if a := e.ok(400, "POST", at, operate, bad); strings.Contains(string(a.body), key) {
			t.Errorf("%s is answered with %s", bad, a.body)
		}
	}
	e.ok(404, "POST", at, operate, `{"shared": true}`)
	e.ok(404, "POST", at+"/remove", operate, "")
	e.ok(404, "POST", "/api/twitter/clients/"+uuid.NewString()+"/key", operate, `{"provider": "x", "key": "`+key+`"}`)
	e.ok(200, "POST", at, operate, `{"provider": "x", "key": "`+key+`", "rate": 2}`)
	type told struct {
		Client          uuid.UUID
		Provider, Ends  string
		Rate            float64
		Shared, Removed bool
	}
	is := func(want told) {
		t.Helper()
		a := e.ok(200, "GET", list, operate, "")
		var got struct{ Data []told }
		a.into(t, &got)
		if strings.Contains(string(a.body), key) || len(got.Data) != 1 || got.Data[0] != want {
			t.Errorf("told %s, want %+v", a.body, want)
		}
	}
	is(told{client, "x", "6789", 2, false, false})
	e.ok(200, "POST", at, operate, `{"shared": true}`)
	is(told{client, "x", "6789", 2, true, false})
	e.ok(200, "POST", at+"/remove", operate, "")
	is(told{client, "x", "", 2, true, true})
	if strings.Contains(e.log.String(), key) {
		t.Errorf("the log has the key")
	}
}
