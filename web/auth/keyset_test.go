package auth_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"gorgone/web/auth"
)

func TestParseKeySet(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ec := ecJWK(t, "ec", &s.ec.PublicKey)
	rs := rsaJWK("rsa", &s.rsa.PublicKey)
	with := func(key map[string]any, name string, value any) map[string]any {
		return claimsWith(key, jwt.MapClaims{name: value})
	}
	for name, c := range map[string]struct {
		keys []map[string]any
		n    int // -1: an error
	}{
		"none, as with a shared secret": {nil, 0},
		"both kinds":                    {[]map[string]any{ec, rs}, 2},
		"standby key":                   {[]map[string]any{ec, with(ec, "kid", "standby")}, 2},
		"without alg and use":           {[]map[string]any{with(with(ec, "alg", nil), "use", nil)}, 1},

		"not for signatures": {[]map[string]any{with(ec, "use", "enc")}, 0},
		"without an id":      {[]map[string]any{with(ec, "kid", nil)}, 0},
		"shared secret":      {[]map[string]any{{"kty": "oct", "kid": "s", "k": "c2VjcmV0", "alg": "HS256"}}, 0},
		"EdDSA":              {[]map[string]any{{"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": "AAAA"}, ec}, 1},
		"P-384":              {[]map[string]any{with(ecJWK(t, "big", &newEC(t, elliptic.P384()).PublicKey), "alg", "ES384")}, 0},
		"RSA for PS256":      {[]map[string]any{with(rs, "alg", "PS256")}, 0},
		"EC for HS256":       {[]map[string]any{with(ec, "alg", "HS256")}, 0},

		"not on the curve":       {[]map[string]any{with(ec, "y", ec["x"])}, -1},
		"zero point":             {[]map[string]any{with(with(ec, "x", b64(make([]byte, 32))), "y", b64(make([]byte, 32)))}, -1},
		"coordinate cut":         {[]map[string]any{with(ec, "x", b64(make([]byte, 31)))}, -1},
		"coordinate not base64":  {[]map[string]any{with(ec, "x", "*")}, -1},
		"weak RSA key":           {[]map[string]any{rsaJWK("weak", &weak.PublicKey)}, -1},
		"enormous RSA key":       {[]map[string]any{with(rs, "n", b64(append([]byte{1}, make([]byte, 2048)...)))}, -1},
		"exponent of one":        {[]map[string]any{with(rs, "e", "AQ")}, -1},
		"even exponent":          {[]map[string]any{with(rs, "e", "BA")}, -1},
		"enormous exponent":      {[]map[string]any{with(rs, "e", b64([]byte{1, 0, 0, 0, 1}))}, -1},
		"modulus not base64":     {[]map[string]any{with(rs, "n", "*")}, -1},
		"one id for two keys":    {[]map[string]any{ec, with(rs, "kid", "ec")}, -1},
		"one bad key spoils all": {[]map[string]any{rs, with(ec, "x", "")}, -1},
	} {
		n, err := auth.ParseKeySet(keySet(t, c.keys...))
		if n != max(c.n, 0) || (err != nil) != (c.n < 0) {
			t.Errorf("%s: %d keys, %v", name, n, err)
		}
	}
	for _, body := range []string{"", "null", "[]", "{}", `{"keys":null}`, `{"keys":{}}`, `{"keys":[]} trailing`} {
		if n, err := auth.ParseKeySet([]byte(body)); err == nil {
			t.Errorf("%q: %d keys", body, n)
		}
	}
}
