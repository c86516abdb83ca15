package auth_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gorgone/web/auth"
)

func newToken(tb testing.TB) string {
	tb.Helper()
	token, err := auth.NewToken(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func entry(tb testing.TB, name, token string, scopes ...auth.Scope) string {
	tb.Helper()
	e, err := auth.TokenEntry(name, scopes, token)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func newTokens(tb testing.TB, entries ...string) *auth.Tokens {
	tb.Helper()
	tokens, err := auth.NewTokens(entries)
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

func TestTokens(t *testing.T) {
	t.Parallel()
	web, webNext, cron := newToken(t), newToken(t), newToken(t)
	tokens := newTokens(t,
		entry(t, "web-2026-03", web, auth.ScopeRead, auth.ScopeRefresh),
		entry(t, "web-2026-04", webNext, auth.ScopeRead, auth.ScopeRefresh),
		entry(t, "cron", cron, auth.ScopeDispatch),
	)
	for token, want := range map[string]string{web: "web-2026-03", webNext: "web-2026-04", cron: "cron"} {
		p, err := tokens.Verify(token)
		if err != nil || p.Kind != auth.KindService || p.Name != want {
			t.Errorf("%s: %+v, %v", want, p, err)
		}
		for _, scope := range auth.Scopes() {
			if may := (scope == auth.ScopeDispatch) == (want == "cron") && scope != auth.ScopeTrack && scope != auth.ScopeOperate; p.Can(scope) != may {
				t.Errorf("%s can %s: %t", want, scope, !may)
			}
		}
	}
	hash, err := auth.HashToken(web)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"another":            newToken(t),
		"empty":              "",
		"cut":                web[:len(web)-1],
		"longer":             web + "A",
		"in capitals":        strings.ToUpper(web),
		"the hash":           hash,
		"the entry":          entry(t, "x", web, auth.ScopeRead),
		"two at once":        web + webNext,
		"less than 32 bytes": strings.Repeat("a", 31),
	} {
		p, err := tokens.Verify(token)
		wantReason(t, err, auth.ReasonToken)
		if p.Can(auth.ScopeRead) {
			t.Errorf("%s: is let in", name)
		}
	}
	_, err = newTokens(t).Verify(web)
	wantReason(t, err, auth.ReasonToken)
}

// A short secret is refused even where its hash was configured its hash by hand.
func TestTokensShortSecret(t *testing.T) {
	t.Parallel()
	// SHA-256 of "password".
	tokens := newTokens(t, "legacy:read:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8")
	_, err := tokens.Verify("password")
	wantReason(t, err, auth.ReasonToken)
	if _, err := auth.HashToken("password"); err == nil {
		t.Error("hashes a short secret")
	}
}

func TestTokensConfigRefused(t *testing.T) {
	t.Parallel()
	token, provider := newToken(t), strings.Repeat("provider-key", 4)
	good := entry(t, "web", token, auth.ScopeRead)
	hash := good[strings.LastIndex(good, ":")+1:]
	for name, c := range map[string]struct {
		entries []string
		says    string
	}{
		"empty":                 {[]string{""}, "service token 1: is not of the form"},
		"a token, not its hash": {[]string{"web:read:" + token}, "64 hexadecimal digits"},
		"hash cut":              {[]string{"web:read:" + hash[1:]}, "64 hexadecimal digits"},
		"no scopes":             {[]string{"web::" + hash}, "scopes must be some of [dispatch track read refresh operate]"},
		"unknown scope":         {[]string{"web:read+admin:" + hash}, "scopes must be"},
		"scope twice":           {[]string{"web:read+read:" + hash}, "scopes must be"},
		"no name":               {[]string{":read:" + hash}, "name must be"},
		"name with a line end":  {[]string{"we\nb:read:" + hash}, "name must be"},
		"name twice":            {[]string{good, entry(t, "web", newToken(t), auth.ScopeRead)}, "service token 2: has the name or the hash"},
		"hash twice":            {[]string{good, entry(t, "other", token, auth.ScopeRead)}, "service token 2: has the name or the hash"},
		"provider's key":        {[]string{entry(t, "web", provider, auth.ScopeRead)}, "already used for something else"},
	} {
		tokens, err := auth.NewTokens(c.entries, "", provider)
		switch {
		case err == nil || tokens != nil || !strings.Contains(err.Error(), c.says):
			t.Errorf("%s: error %v, want one that says %q", name, err, c.says)
		case strings.Contains(err.Error(), token), strings.Contains(err.Error(), hash[:32]), strings.Contains(err.Error(), provider):
			t.Errorf("%s: the error holds the secret: %v", name, err)
		}
	}
	_, err := auth.NewTokens([]string{"a", "b", good})
	if n := allFaults(err); n != 2 {
		t.Errorf("%d faults at once, want 2: %v", n, err)
	}
}

func TestNewTokenShortOfRandomness(t *testing.T) {
	t.Parallel()
	if token, err := auth.NewToken(bytes.NewReader(make([]byte, 31))); err == nil || token != "" {
		t.Errorf("made %q of 31 bytes", token)
	}
}

// Whatever is configured, a token opens exactly what its own entry says.
func TestTokensProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		secrets := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Za-z0-9._~+/-]{32,80}`), 1, 8, rapid.ID).Draw(rt, "secrets")
		scopes := make([][]auth.Scope, len(secrets))
		entries := make([]string, len(secrets))
		for i, secret := range secrets {
			scopes[i] = rapid.SliceOfNDistinct(rapid.SampledFrom(auth.Scopes()), 1, 4, rapid.ID).Draw(rt, "scopes")
			var err error
			if entries[i], err = auth.TokenEntry(fmt.Sprintf("s%d", i), scopes[i], secret); err != nil {
				rt.Fatal(err)
			}
		}
		configured := rapid.IntRange(0, len(secrets)).Draw(rt, "configured")
		tokens, err := auth.NewTokens(entries[:configured])
		if err != nil {
			rt.Fatal(err)
		}
		for i, secret := range secrets {
			p, err := tokens.Verify(secret)
			if (err == nil) != (i < configured) {
				rt.Fatalf("token %d of %d: %v", i, configured, err)
			}
			if err == nil && (p.Name != fmt.Sprintf("s%d", i) || !slices.Equal(p.Scopes, scopes[i])) {
				rt.Fatalf("token %d is %+v", i, p)
			}
		}
	})
}
