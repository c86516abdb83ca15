package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"

	"gorgone/store/access"
	"gorgone/web/auth"
)

// door is a Guard with everything configured, what it wrote and what it counted.
type door struct {
	*auth.Guard
	log     bytes.Buffer
	counted map[auth.Reason]int
	now     time.Time

	service string // token
	signers signers
}

func newDoor(t *testing.T, trusted ...string) *door {
	t.Helper()
	d := &door{counted: make(map[auth.Reason]int), now: epoch, service: newToken(t), signers: newSigners(t)}
	d.Guard = auth.NewGuard(auth.GuardConfig{
		QStash: newQStash(t, qstashConfig()), Tokens: newTokens(t, entry(t, "cron", d.service, auth.ScopeDispatch)),
		Users: newUsers(t, d.signers, secret), Proxies: proxies(t, trusted...), Log: zerolog.New(&d.log),
		OnRefused: func(reason auth.Reason) { d.counted[reason]++ }, Now: func() time.Time { return d.now },
	})
	return d
}

func request(header http.Header) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, http.NoBody)
	r.Header = header
	return r
}

func TestGuardIdentifies(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	delivered := deliveryHeader(sign(t, jwt.SigningMethodHS256, []byte(currentKey), nil, delivery(epoch)))
	delivered.Set("Authorization", "Bearer "+d.service) // not looked at
	for name, c := range map[string]struct {
		header http.Header
		kind   auth.Kind
		name   string
		can    []auth.Scope
	}{
		"QStash":  {delivered, auth.KindQStash, "qstash", []auth.Scope{auth.ScopeDispatch}},
		"service": {bearer(d.service), auth.KindService, "cron", []auth.Scope{auth.ScopeDispatch}},
		"user":    {bearer(sign(t, jwt.SigningMethodES256, d.signers.ec, kid("ec"), session())), auth.KindUser, userID, nil},
	} {
		r := request(c.header)
		r.Host = "evil.example.org" // what a request says of its host counts for nothing
		r.Header.Set("X-Forwarded-Host", "evil.example.org")
		p, err := d.Identify(r, []byte(body))
		if err != nil || p.Kind != c.kind || p.Name != c.name || fmt.Sprint(p.Scopes) != fmt.Sprint(c.can) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if (p.Message != nil) != (c.kind == auth.KindQStash) {
			t.Errorf("%s: message %v", name, p.Message)
		}
	}
}

func TestGuardRefuses(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	foreign := deliveryHeader(sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), nil, delivery(epoch)))
	foreign.Set("Authorization", "Bearer "+d.service)
	for name, c := range map[string]struct {
		header http.Header
		want   auth.Reason
	}{
		"nothing":                      {http.Header{}, auth.ReasonNone},
		"cookie":                       {http.Header{"Cookie": {"sb-access-token=" + d.service}}, auth.ReasonNone},
		"provider's key header":        {http.Header{"X-Api-Key": {d.service}}, auth.ReasonNone},
		"unknown token":                {bearer(newToken(t)), auth.ReasonToken},
		"unknown key":                  {bearer(sign(t, jwt.SigningMethodES256, d.signers.ec, kid("new"), session())), auth.ReasonUnknownKey},
		"forged delivery with a token": {foreign, auth.ReasonSignature},
		"empty signature with a token": {http.Header{"Upstash-Signature": {""}, "Authorization": {"Bearer " + d.service}}, auth.ReasonNone},
	} {
		p, err := d.Identify(request(c.header), []byte(body))
		wantReason(t, err, c.want)
		if p.Kind != "" {
			t.Errorf("%s: is taken for %+v", name, p)
		}
	}
}

// What is not configured admits no one.
func TestGuardWithNothing(t *testing.T) {
	t.Parallel()
	g := auth.NewGuard(auth.GuardConfig{})
	es256 := sign(t, jwt.SigningMethodES256, newSigners(t).ec, kid("ec"), session())
	signed := deliveryHeader(sign(t, jwt.SigningMethodHS256, []byte(""), nil, delivery(time.Now())))
	for _, c := range []struct {
		header http.Header
		want   auth.Reason
	}{
		{http.Header{}, auth.ReasonNone},
		{signed, auth.ReasonNone},
		{bearer(newToken(t)), auth.ReasonToken},
		{bearer(es256), auth.ReasonToken},
	} {
		_, err := g.Identify(request(c.header), []byte(body))
		wantReason(t, err, c.want)
		if refusal := g.Refuse(request(c.header), auth.Principal{}, err); refusal.Status != http.StatusUnauthorized {
			t.Errorf("answer %+v", refusal)
		}
	}
}

func TestGuardLogsAndCounts(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "192.0.2.0/24")
	token := newToken(t)
	r := request(bearer(token))
	r.RemoteAddr, r.Pattern = "192.0.2.1:999", "POST /api/twitter/engagement/update"
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	_, err := d.Identify(r, nil)
	refusal := d.Refuse(r, auth.Principal{}, err)
	if refusal != (auth.Refusal{Status: http.StatusUnauthorized, Reason: auth.ReasonToken}) {
		t.Errorf("answer %+v", refusal)
	}
	var line map[string]any
	if err := json.Unmarshal(d.log.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, d.log.String())
	}
	for field, want := range map[string]any{
		"level": "warn", "remote": "203.0.113.9", "reason": "unknown_token", "method": "POST",
		"route": "POST /api/twitter/engagement/update", "message": "refused",
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
	}
	if strings.Contains(d.log.String(), token) {
		t.Error("the log holds the token")
	}
	if d.counted[auth.ReasonToken] != 1 || len(d.counted) != 1 {
		t.Errorf("counted %v", d.counted)
	}
}

func TestGuardLimitsRefusals(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	forge := func(remote string) auth.Refusal {
		r := request(bearer(newToken(t)))
		r.RemoteAddr = remote
		_, err := d.Identify(r, nil)
		return d.Refuse(r, auth.Principal{}, err)
	}
	for i := range 20 {
		if refusal := forge("203.0.113.9:1"); refusal.Status != http.StatusUnauthorized {
			t.Fatalf("attempt %d: %+v", i, refusal)
		}
	}
	lines := bytes.Count(d.log.Bytes(), []byte("\n"))
	want := auth.Refusal{Status: http.StatusTooManyRequests, Reason: auth.ReasonTooMany, RetryAfter: 3 * time.Second}
	if refusal := forge("203.0.113.9:2"); refusal != want {
		t.Errorf("answer %+v, want %+v", refusal, want)
	}
	if n := bytes.Count(d.log.Bytes(), []byte("\n")); n != lines {
		t.Error("is logged beyond the limit")
	}
	if d.counted[auth.ReasonToken] != 21 || d.counted[auth.ReasonTooMany] != 1 {
		t.Errorf("counted %v", d.counted)
	}
	if refusal := forge("203.0.113.10:1"); refusal.Status != http.StatusUnauthorized {
		t.Errorf("another address: %+v", refusal)
	}

	// Who has good credentials is served at the same address.
	r := request(bearer(d.service))
	r.RemoteAddr = "203.0.113.9:3"
	if _, err := d.Identify(r, nil); err != nil {
		t.Error(err)
	}
	// To ask for other people's zones is not to guess at credentials: there the
	// answer stays what it would be for a zone that does not exist.
	if refusal := d.Refuse(r, auth.Principal{}, &auth.RefusedError{Reason: auth.ReasonForeignZone}); refusal.Status != http.StatusNotFound {
		t.Errorf("another's zone: %+v", refusal)
	}
	d.now = d.now.Add(time.Minute)
	if refusal := forge("203.0.113.9:4"); refusal.Status != http.StatusUnauthorized {
		t.Errorf("after a minute: %+v", refusal)
	}
}

// A caller that cannot be checked is not refused: it is told to retry.
func TestGuardUnavailable(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	config := qstashConfig()
	config.Uses = brokenUses{}
	g := auth.NewGuard(auth.GuardConfig{QStash: newQStash(t, config), Log: zerolog.New(&d.log), OnRefused: func(r auth.Reason) { d.counted[r]++ }})
	r := request(deliveryHeader(sign(t, jwt.SigningMethodHS256, []byte(currentKey), nil, delivery(epoch))))
	_, err := g.Identify(r, []byte(body))
	if !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	for range 30 {
		if refusal := g.Refuse(r, auth.Principal{}, err); refusal != (auth.Refusal{Status: 503, RetryAfter: 5 * time.Second}) {
			t.Fatalf("answer %+v", refusal)
		}
	}
	if len(d.counted) != 0 || !strings.Contains(d.log.String(), `"level":"error"`) {
		t.Errorf("counted %v, logged %s", d.counted, d.log.String())
	}
}

var errBroken = errors.New("connection refused")

type brokenUses struct{}

func (brokenUses) UseToken(context.Context, access.QStashToken) (bool, error) {
	return false, errBroken
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{
		&auth.RefusedError{Reason: auth.ReasonNone}:        401,
		&auth.RefusedError{Reason: auth.ReasonReplayed}:    401,
		&auth.RefusedError{Reason: auth.ReasonScope}:       403,
		&auth.RefusedError{Reason: auth.ReasonForeignZone}: 404,
		&auth.RefusedError{Reason: auth.ReasonTooMany}:     429,
		auth.ErrUnavailable:                                503,
		errBroken:                                          503,
	} {
		if got := auth.Status(fmt.Errorf("wrapped: %w", err)); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	err := fmt.Errorf("wrapped: %w", &auth.RefusedError{Reason: auth.ReasonExpired, Detail: "x"})
	if !errors.Is(err, &auth.RefusedError{Reason: auth.ReasonExpired}) || errors.Is(err, &auth.RefusedError{Reason: auth.ReasonBody}) {
		t.Error("errors.Is does not go by the reason")
	}
}
