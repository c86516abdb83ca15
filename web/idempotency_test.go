package web_test

import (
	"testing"
)

// TestIdempotencyKey: a service that repeats a request with its key gets the first answer.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3, workers: 1})
	row, _ := e.row(0)
	other, _ := e.row(1)
	press := refreshPath(row) + "?force=true"
	first := e.ok(200, "POST", press, e.service, "", "Idempotency-Key", "one")
	again := e.ok(200, "POST", press, e.service, "", "Idempotency-Key", "one")
	if string(first.body) != string(again.body) || again.header.Get("Idempotent-Replayed") != "true" || first.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("first %s, again %s", first.body, again.body)
	}
	if n := e.double.Stats().Calls; n != 1 {
		t.Errorf("%d calls", n)
	}
	if a := e.ok(409, "POST", refreshPath(other), e.service, "", "Idempotency-Key", "one"); a.code(t) != "key_in_use" {
		t.Errorf("another request: %s", a.body)
	}
	// Keys are each service's own, and no key at all is no key.
	e.ok(200, "POST", press, scopedToken("refresh"), "", "Idempotency-Key", "one")
	e.ok(200, "POST", press, e.service, "")
	if n := e.double.Stats().Calls; n != 3 {
		t.Errorf("%d calls", n)
	}

	// An answer of later is repeated with where it will be.
	later := e.ok(202, "POST", refreshPath(other)+"?wait=0", e.service, "", "Idempotency-Key", "two")
	again = e.ok(202, "POST", refreshPath(other)+"?wait=0", e.service, "", "Idempotency-Key", "two")
	if at := later.header.Get("Location"); at == "" || again.header.Get("Location") != at {
		t.Errorf("%v and %v", later.header, again.header)
	}

	// What failed may be tried again, and bad keys are named.
	body := `{"limit": 0}`
	e.ok(400, "POST", updatePath, e.service, body, "Idempotency-Key", "three")
	e.ok(200, "POST", updatePath, e.service, "", "Idempotency-Key", "three")
	if a := e.ok(200, "POST", updatePath, e.service, "", "Idempotency-Key", "three"); a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%v", a.header)
	}
	e.ok(400, "POST", updatePath, e.service, "", "Idempotency-Key", "\xff")
}
