package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/sourcegraph/conc"

	"gorgone/web/auth"
)

// issuerServer publishes keys, or what else it is told to answer.
type issuerServer struct {
	mu     sync.Mutex
	status int
	body   []byte
	err    error // of the connection
	asked  []time.Time
}

func (s *issuerServer) set(status int, body []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body, s.err = status, body, err
}

func (s *issuerServer) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.asked...)
}

func (s *issuerServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(s.status)
	_, _ = w.Write(s.body)
}

// RoundTrip answers without a network, as in a bubble of testing/synctest there
// can be none.
func (s *issuerServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		s.ServeHTTP(httptest.NewRecorder(), r)
		return nil, err
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

// startKeys serves a key set over loopback and returns Keys that fetched it.
func startKeys(tb testing.TB, set []byte) (*auth.Keys, *issuerServer) {
	tb.Helper()
	s := &issuerServer{status: http.StatusOK, body: set}
	server := httptest.NewServer(s)
	tb.Cleanup(server.Close)
	fetched := make(chan error, 100)
	keys, err := auth.NewKeys(auth.KeysConfig{URL: server.URL + "/auth/v1/.well-known/jwks.json", OnFetch: func(err error) { fetched <- err }})
	if err != nil {
		tb.Fatal(err)
	}
	run(tb, keys)
	if err := <-fetched; err != nil {
		tb.Fatal(err)
	}
	return keys, s
}

// run runs Keys until the test ends.
func run(tb testing.TB, keys *auth.Keys) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	var wg conc.WaitGroup
	wg.Go(func() { keys.Run(ctx) })
	tb.Cleanup(func() { cancel(); wg.Wait() })
}

// bubble is an issuer and a Users that trusts it, in a bubble of time.
type bubble struct {
	*testing.T
	signers
	*issuerServer
	users *auth.Users
	keys  *auth.Keys

	mu     sync.Mutex
	errors []error
}

func inBubble(t *testing.T, status int, test func(b *bubble)) {
	t.Helper()
	s := newSigners(t)
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{T: t, signers: s, issuerServer: &issuerServer{}}
		b.set(status, keySet(t, ecJWK(t, "ec", &s.ec.PublicKey)), nil)
		var err error
		b.keys, err = auth.NewKeys(auth.KeysConfig{
			URL: issuer + "/.well-known/jwks.json", Client: &http.Client{Transport: b.issuerServer}, OnFetch: b.report,
		})
		if err != nil {
			t.Fatal(err)
		}
		b.users, err = auth.NewUsers(auth.UserConfig{Issuer: issuer, Keys: b.keys})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg conc.WaitGroup
		wg.Go(func() { b.users.Run(ctx) })
		synctest.Wait()
		test(b)
		cancel()
		wg.Wait()
	})
}

func (b *bubble) report(err error) {
	if err == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errors = append(b.errors, err)
}

// after lets time pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// verify checks a new token that names a key.
func (b *bubble) verify(key string) error {
	b.Helper()
	claims := claimsWith(session(), jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix()})
	began := time.Now()
	_, err := b.users.Verify(sign(b, jwt.SigningMethodES256, b.ec, kid(key), claims))
	if waited := time.Since(began); waited != 0 {
		b.Errorf("a check waited %s", waited)
	}
	return err
}

func TestKeysRefresh(t *testing.T) {
	t.Parallel()
	inBubble(t, http.StatusOK, func(b *bubble) {
		wantReason(b, b.verify("ec"), "")
		after(16 * time.Minute)
		times := b.times()
		if len(times) != 4 {
			b.Fatalf("fetched %d times in 16 min, want 4", len(times))
		}
		for i := 1; i < len(times); i++ {
			if d := times[i].Sub(times[i-1]); d != 5*time.Minute {
				b.Errorf("fetched again after %s", d)
			}
		}
	})
}

// A token of a key that the issuer has revoked is refused after the next fetch.
func TestKeysRevoked(t *testing.T) {
	t.Parallel()
	inBubble(t, http.StatusOK, func(b *bubble) {
		b.set(http.StatusOK, keySet(b, ecJWK(b, "next", &b.ec.PublicKey)), nil)
		wantReason(b, b.verify("ec"), "")
		after(5 * time.Minute)
		wantReason(b, b.verify("ec"), auth.ReasonUnknownKey)
		wantReason(b, b.verify("next"), "")
		b.set(http.StatusOK, keySet(b), nil)
		after(5 * time.Minute)
		wantReason(b, b.verify("next"), auth.ReasonUnknownKey)
	})
}

// A key that is not known is refused at once and asked for in the background, at
// most every 30 s however many ask.
func TestKeysUnknown(t *testing.T) {
	t.Parallel()
	inBubble(t, http.StatusOK, func(b *bubble) {
		for range 1000 {
			wantReason(b, b.verify("new"), auth.ReasonUnknownKey)
		}
		synctest.Wait()
		if n := len(b.times()); n != 1 {
			b.Errorf("fetched %d times within the cooldown, want 1", n)
		}
		b.set(http.StatusOK, keySet(b, ecJWK(b, "ec", &b.ec.PublicKey), ecJWK(b, "new", &b.ec.PublicKey)), nil)
		after(30 * time.Second)
		wantReason(b, b.verify("new"), "")
		wantReason(b, b.verify("ec"), "")
		if n := len(b.times()); n != 2 {
			b.Errorf("fetched %d times, want 2", n)
		}

		// Invented ids, all the time: one fetch each 30 s.
		for range 60 {
			wantReason(b, b.verify("invented"), auth.ReasonUnknownKey)
			after(time.Second)
		}
		if n := len(b.times()); n != 4 {
			b.Errorf("fetched %d times, want 4", n)
		}

		// Long after the last fetch, one is made at once.
		after(4 * time.Minute)
		n := len(b.times())
		wantReason(b, b.verify("invented"), auth.ReasonUnknownKey)
		synctest.Wait()
		if got := len(b.times()); got != n+1 {
			b.Errorf("%d fetches for an unknown key, want 1", got-n)
		}
	})
}

// While the issuer is down, whatever way, the keys it published serve.
func TestKeysStale(t *testing.T) {
	t.Parallel()
	good := ecJWK(t, "ec", &newSigners(t).ec.PublicKey)
	for name, c := range map[string]struct {
		status int
		body   string
		err    error
	}{
		"no connection":  {200, "", errors.New("connection refused")},
		"server error":   {500, "{}", nil},
		"redirect":       {302, `{"keys":[]}`, nil},
		"an HTML page":   {200, "<html>", nil},
		"an empty body":  {200, "", nil},
		"another object": {200, `{"message":"ok"}`, nil},
		"garbled key":    {200, string(keySet(t, claimsWith(good, jwt.MapClaims{"y": "AAAA"}))), nil},
		"too large":      {200, `{"keys":[` + strings.Repeat(" ", 300<<10) + `]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, http.StatusOK, func(b *bubble) {
				b.set(c.status, []byte(c.body), c.err)
				after(time.Hour)
				wantReason(b, b.verify("ec"), "")
				wantReason(b, b.verify("new"), auth.ReasonUnknownKey)
				if b.mu.Lock(); len(b.errors) < 100 {
					b.Errorf("%d failed fetches were reported", len(b.errors))
				}
				b.mu.Unlock()
			})
		})
	}
}

// A start while the issuer is down: no caller is called a forger, and the first keys
// that come serve.
func TestKeysStartWhileIssuerIsDown(t *testing.T) {
	t.Parallel()
	inBubble(t, http.StatusBadGateway, func(b *bubble) {
		err := b.verify("ec")
		if !errors.Is(err, auth.ErrUnavailable) || auth.Status(err) != http.StatusServiceUnavailable {
			b.Errorf("error %v, want unavailable", err)
		}
		b.set(http.StatusOK, keySet(b, ecJWK(b, "ec", &b.ec.PublicKey)), nil)
		after(5 * time.Second)
		wantReason(b, b.verify("ec"), "")
	})
}

// An issuer that accepts and never answers is given up on.
func TestKeysSilentIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		keys, err := auth.NewKeys(auth.KeysConfig{
			URL: issuer + "/jwks.json", OnFetch: func(err error) { failed <- err },
			Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				body, w := io.Pipe()
				context.AfterFunc(r.Context(), func() { _ = w.CloseWithError(context.Cause(r.Context())) })
				return &http.Response{StatusCode: http.StatusOK, Body: body, Request: r}, nil
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg conc.WaitGroup
		began := time.Now()
		wg.Go(func() { keys.Run(ctx) })
		if err := <-failed; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("gave up after %s", d)
		}
		cancel()
		wg.Wait()
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestKeysConfigRefused(t *testing.T) {
	t.Parallel()
	url := issuer + "/jwks.json"
	for name, config := range map[string]auth.KeysConfig{
		"no URL":                {},
		"plain http":            {URL: "http://supabase.example/jwks.json"},
		"too seldom":            {URL: url, Refresh: 11 * time.Minute},
		"too often":             {URL: url, Refresh: time.Millisecond},
		"cooldown too short":    {URL: url, Cooldown: time.Millisecond},
		"cooldown over refresh": {URL: url, Cooldown: 6 * time.Minute},
	} {
		if keys, err := auth.NewKeys(config); err == nil || keys != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	keys, err := auth.NewKeys(auth.KeysConfig{Refresh: time.Hour, Cooldown: 1})
	if n := allFaults(err); n != 3 || keys != nil {
		t.Errorf("%d faults at once, want 3: %v", n, fmt.Sprint(err))
	}
}
