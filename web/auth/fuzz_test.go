package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"gorgone/web/auth"
)

// FuzzQStash accepts nothing but the one delivery that is signed.
func FuzzQStash(f *testing.F) {
	genuine := sign(f, jwt.SigningMethodHS256, []byte(currentKey), nil, delivery(epoch))
	f.Add(genuine, "msg_26hZ", target, []byte(body))
	for _, forged := range forgeries(f) {
		header, target, body := forged.request(f)
		f.Add(header.Get("Upstash-Signature"), header.Get("Upstash-Message-Id"), target, []byte(body[:min(len(body), 100)]))
	}
	q := newQStash(f, qstashConfig())
	f.Fuzz(func(t *testing.T, signature, message, path string, sent []byte) {
		header := http.Header{"Upstash-Signature": {signature}, "Upstash-Message-Id": {message}}
		m, err := q.Verify(header, path, sent)
		if _, refused := auth.Refused(err); refused == (err == nil) {
			t.Fatalf("neither accepted nor refused: %v", err)
		}
		if err == nil && (signature != genuine || path != target || string(sent) != body || m.ID != message) {
			t.Fatalf("accepted %+v", m)
		}
	})
}

// FuzzQStashClaims has any claims signed with the right key: whatever they are,
// they are for this URL and body, or refused.
func FuzzQStashClaims(f *testing.F) {
	f.Add([]byte(`{"iss":"Upstash","sub":"` + publicURL + target + `","jti":"j","nbf":1772366400,"exp":1772366700,"body":"` + bodyHash(body) + `"}`))
	f.Add([]byte(`{"iss":["Upstash"],"sub":null,"exp":1e300,"nbf":-1e300,"body":{}}`))
	f.Add([]byte(`[]`))
	q := newQStash(f, qstashConfig())
	f.Fuzz(func(t *testing.T, claims []byte) {
		signed := b64([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + b64(claims)
		mac, err := jwt.SigningMethodHS256.Sign(signed, []byte(currentKey))
		if err != nil {
			t.Fatal(err)
		}
		m, err := q.Verify(deliveryHeader(signed+"."+b64(mac)), target, []byte(body))
		if _, refused := auth.Refused(err); refused == (err == nil) {
			t.Fatalf("neither accepted nor refused: %v", err)
		}
		if err != nil {
			return
		}
		if m.TokenID == "" || m.Expires.Before(epoch.Add(-auth.QStashLeeway)) ||
			!strings.Contains(string(claims), strings.TrimRight(bodyHash(body), "=")) && !strings.Contains(string(claims), `\u`) {
			t.Fatalf("accepted %+v for %s", m, claims)
		}
	})
}

// FuzzUser accepts nothing but what was signed.
func FuzzUser(f *testing.F) {
	// The same key in each of the processes that fuzz.
	ec, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	s := newSigners(f)
	s.ec = ec
	u := newUsers(f, s, secret)
	genuine := make(map[string]bool) // what is signed, without the signature
	for _, token := range []string{
		sign(f, jwt.SigningMethodES256, s.ec, kid("ec"), session()),
		sign(f, jwt.SigningMethodHS256, []byte(secret), nil, session()),
	} {
		f.Add(token)
		f.Add(token[:len(token)-1])
		genuine[token[:strings.LastIndexByte(token, '.')]] = true
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := u.Verify(token)
		if _, refused := auth.Refused(err); refused == (err == nil) {
			t.Fatalf("neither accepted nor refused: %v", err)
		}
		if err == nil && !genuine[token[:strings.LastIndexByte(token, '.')]] {
			t.Fatalf("accepted %+v for %q", p, token)
		}
	})
}

func FuzzBearer(f *testing.F) {
	for _, s := range []string{"Bearer abc", "bearer  a.b.c==", "Bearer", "Basic x", "Bearer a,b", "Bearer \x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		token, err := auth.Bearer(http.Header{"Authorization": {line}})
		if (token == "") != (err != nil) {
			t.Fatalf("token %q, error %v", token, err)
		}
		if err == nil && (!strings.HasSuffix(line, token) || !strings.EqualFold(line[:7], "Bearer ") || strings.ContainsAny(token, " ,\"\r\n\x00")) {
			t.Fatalf("token %q of %q", token, line)
		}
	})
}

// FuzzForwardedFor never believes a caller that is not a proxy, and always finds
// an address.
func FuzzForwardedFor(f *testing.F) {
	for _, s := range []string{"203.0.113.9", "1.1.1.1, 10.0.0.1", ",,", "[::1]:80", "::ffff:10.0.0.1", "unknown", strings.Repeat("10.0.0.1,", 50)} {
		f.Add(s, s)
	}
	trusted := proxies(f, "10.0.0.0/8", "::1")
	f.Fuzz(func(t *testing.T, first, second string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {first, second}}}
		if got := trusted.ClientAddr(r); !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("address %v", got)
		}
		r.RemoteAddr = "203.0.113.9:1"
		if got := trusted.ClientAddr(r).String(); got != "203.0.113.9" {
			t.Fatalf("a caller was believed to be %s", got)
		}
	})
}

func FuzzTokenEntry(f *testing.F) {
	f.Add("web:read+refresh:" + strings.Repeat("0", 64))
	f.Add("::")
	f.Fuzz(func(t *testing.T, entry string) {
		tokens, err := auth.NewTokens([]string{entry})
		if (tokens == nil) != (err != nil) {
			t.Fatalf("tokens %v, error %v", tokens, err)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	s := newSigners(f)
	f.Add(keySet(f, ecJWK(f, "ec", &s.ec.PublicKey), rsaJWK("rsa", &s.rsa.PublicKey)))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AA"},{"kty":"oct","kid":"b","k":"c2VjcmV0"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if n, err := auth.ParseKeySet(body); err != nil && n != 0 {
			t.Fatalf("%d keys and the error %v", n, err)
		}
	})
}
