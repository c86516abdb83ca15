package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"gorgone/web/auth"
)

const (
	issuer = "https://ref.supabase.example/auth/v1"
	userID = "5f0c9d0e-3a52-4c1d-9a52-0d3f7a1b2c3d"
	secret = "a-shared-secret-of-the-project-000000000"
)

// signers are the private keys of an issuer and of a stranger.
type signers struct {
	ec, otherEC *ecdsa.PrivateKey
	rsa         *rsa.PrivateKey
}

func newSigners(tb testing.TB) signers {
	tb.Helper()
	var s signers
	var err error
	if s.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		tb.Fatal(err)
	}
	s.ec, s.otherEC = newEC(tb, elliptic.P256()), newEC(tb, elliptic.P256())
	return s
}

func newEC(tb testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func ecJWK(tb testing.TB, id string, key *ecdsa.PublicKey) map[string]any {
	tb.Helper()
	point, err := key.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	half := (len(point) - 1) / 2
	return map[string]any{
		"kty": "EC", "kid": id, "crv": key.Params().Name, "alg": "ES256", "use": "sig", "key_ops": []string{"verify"}, "ext": true,
		"x": b64(point[1 : 1+half]), "y": b64(point[1+half:]),
	}
}

func rsaJWK(id string, key *rsa.PublicKey) map[string]any {
	return map[string]any{
		"kty": "RSA", "kid": id, "alg": "RS256", "use": "sig",
		"n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
	}
}

func keySet(tb testing.TB, keys ...map[string]any) []byte {
	tb.Helper()
	if keys == nil {
		keys = []map[string]any{}
	}
	set, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// session are the claims of a signed-in user's token.
func session() jwt.MapClaims {
	return jwt.MapClaims{
		"iss": issuer, "aud": "authenticated", "sub": userID, "role": "authenticated", "is_anonymous": false,
		"iat": epoch.Unix(), "exp": epoch.Add(time.Hour).Unix(), "session_id": "2b1d6f0a-7d0e-4c56-8d64-4d1f5a0c9e11", "aal": "aal1",
		"user_metadata": map[string]any{"role": "super_admin"}, "app_metadata": map[string]any{"provider": "email"},
	}
}

func kid(id string) map[string]any { return map[string]any{"kid": id} }

// newUsers returns a Users whose issuer's keys are fetched, of which "ec" and
// "rsa" are ours.
func newUsers(tb testing.TB, s signers, secret string) *auth.Users {
	tb.Helper()
	keys, _ := startKeys(tb, keySet(tb, ecJWK(tb, "ec", &s.ec.PublicKey), rsaJWK("rsa", &s.rsa.PublicKey)))
	u, err := auth.NewUsers(auth.UserConfig{Issuer: issuer, Keys: keys, Secret: []byte(secret), Now: now})
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func TestUsersAccept(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	u := newUsers(t, s, secret)
	for name, token := range map[string]string{
		"ES256":               sign(t, jwt.SigningMethodES256, s.ec, kid("ec"), session()),
		"RS256":               sign(t, jwt.SigningMethodRS256, s.rsa, kid("rsa"), session()),
		"HS256":               sign(t, jwt.SigningMethodHS256, []byte(secret), nil, session()),
		"HS256 with a key id": sign(t, jwt.SigningMethodHS256, []byte(secret), kid("legacy"), session()),
		"several audiences": sign(t, jwt.SigningMethodES256, s.ec, kid("ec"),
			claimsWith(session(), jwt.MapClaims{"aud": []string{"x", "authenticated"}})),
		"without is_anonymous": sign(t, jwt.SigningMethodES256, s.ec, kid("ec"),
			claimsWith(session(), jwt.MapClaims{"is_anonymous": nil})),
		"ended within the leeway": sign(t, jwt.SigningMethodES256, s.ec, kid("ec"),
			claimsWith(session(), jwt.MapClaims{"exp": epoch.Add(-4 * time.Second).Unix()})),
	} {
		p, err := u.Verify(token)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Kind != auth.KindUser || p.UserID.String() != userID || p.Name != userID || p.Message != nil {
			t.Errorf("%s: principal %+v", name, p)
		}
		for _, scope := range auth.Scopes() {
			if p.Can(scope) {
				t.Errorf("%s: a user can %s in every zone", name, scope)
			}
		}
	}
}

func TestUsersRefuse(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	u := newUsers(t, s, secret)
	claim := func(name string, value any) string {
		return sign(t, jwt.SigningMethodES256, s.ec, kid("ec"), claimsWith(session(), jwt.MapClaims{name: value}))
	}
	public, err := x509.MarshalPKIXPublicKey(&s.ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	point, err := s.ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token string
		want  auth.Reason
	}{
		// signature
		"another's key":        {sign(t, jwt.SigningMethodES256, s.otherEC, kid("ec"), session()), auth.ReasonSignature},
		"key of an unknown id": {sign(t, jwt.SigningMethodES256, s.ec, kid("new"), session()), auth.ReasonUnknownKey},
		"without a key id":     {sign(t, jwt.SigningMethodES256, s.ec, nil, session()), auth.ReasonUnknownKey},
		"key id is a number":   {sign(t, jwt.SigningMethodES256, s.ec, map[string]any{"kid": 1}, session()), auth.ReasonUnknownKey},
		"key brought along": {sign(t, jwt.SigningMethodES256, s.otherEC, map[string]any{
			"kid": "mine", "jwk": ecJWK(t, "mine", &s.otherEC.PublicKey), "jku": "https://evil.example.org/jwks.json",
		}, session()), auth.ReasonUnknownKey},
		"not signed":                   {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid("ec"), session()), auth.ReasonAlgorithm},
		"RSA key for ES256":            {sign(t, jwt.SigningMethodES256, s.ec, kid("rsa"), session()), auth.ReasonAlgorithm},
		"EC key for RS256":             {sign(t, jwt.SigningMethodRS256, s.rsa, kid("ec"), session()), auth.ReasonAlgorithm},
		"PS256":                        {sign(t, jwt.SigningMethodPS256, s.rsa, kid("rsa"), session()), auth.ReasonAlgorithm},
		"RS512":                        {sign(t, jwt.SigningMethodRS512, s.rsa, kid("rsa"), session()), auth.ReasonAlgorithm},
		"HS512":                        {sign(t, jwt.SigningMethodHS512, []byte(secret), nil, session()), auth.ReasonAlgorithm},
		"another secret":               {sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 40)), nil, session()), auth.ReasonSignature},
		"empty secret":                 {sign(t, jwt.SigningMethodHS256, []byte(""), nil, session()), auth.ReasonSignature},
		"public key as secret (DER)":   {sign(t, jwt.SigningMethodHS256, public, kid("ec"), session()), auth.ReasonSignature},
		"public key as secret (point)": {sign(t, jwt.SigningMethodHS256, point, kid("ec"), session()), auth.ReasonSignature},
		"critical extension":           {sign(t, jwt.SigningMethodES256, s.ec, map[string]any{"kid": "ec", "crit": []string{"exp"}}, session()), auth.ReasonMalformed},

		// claims
		"expired":              {claim("exp", epoch.Add(-6*time.Second).Unix()), auth.ReasonExpired},
		"not valid yet":        {claim("nbf", epoch.Add(6*time.Second).Unix()), auth.ReasonNotYet},
		"without exp":          {claim("exp", nil), auth.ReasonClaim},
		"another project":      {claim("iss", "https://other.supabase.example/auth/v1"), auth.ReasonIssuer},
		"without iss":          {claim("iss", nil), auth.ReasonClaim},
		"another audience":     {claim("aud", "anon"), auth.ReasonAudience},
		"without aud":          {claim("aud", nil), auth.ReasonClaim},
		"no audience of many":  {claim("aud", []string{}), auth.ReasonClaim},
		"service role":         {claim("role", "service_role"), auth.ReasonRole},
		"without a role":       {claim("role", nil), auth.ReasonRole},
		"roles in a list":      {claim("role", []string{"authenticated"}), auth.ReasonMalformed},
		"anonymous":            {claim("is_anonymous", true), auth.ReasonAnonymous},
		"anonymous, in words":  {claim("is_anonymous", "true"), auth.ReasonMalformed},
		"without sub":          {claim("sub", nil), auth.ReasonSubject},
		"sub is no UUID":       {claim("sub", "admin' or '1'='1"), auth.ReasonSubject},
		"sub in another form":  {claim("sub", "urn:uuid:"+userID), auth.ReasonSubject},
		"sub without dashes":   {claim("sub", strings.ReplaceAll(userID, "-", "")), auth.ReasonSubject},
		"sub is the zero UUID": {claim("sub", uuid.Nil.String()), auth.ReasonSubject},

		// the project's own API keys, signed with the same secret
		"anon key": {sign(t, jwt.SigningMethodHS256, []byte(secret), nil, jwt.MapClaims{
			"iss": "supabase", "ref": "ref", "role": "anon", "iat": epoch.Unix(), "exp": epoch.AddDate(9, 0, 0).Unix(),
		}), auth.ReasonClaim},
		"service_role key": {sign(t, jwt.SigningMethodHS256, []byte(secret), nil, jwt.MapClaims{
			"iss": "supabase", "ref": "ref", "role": "service_role", "iat": epoch.Unix(), "exp": epoch.AddDate(9, 0, 0).Unix(),
		}), auth.ReasonClaim},

		// form
		"empty":     {"", auth.ReasonMalformed},
		"dots":      {"..", auth.ReasonMalformed},
		"no JSON":   {"bm8.bm8.bm8", auth.ReasonMalformed},
		"too large": {strings.Repeat("a", 16<<10+1), auth.ReasonTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := u.Verify(c.token)
			wantReason(t, err, c.want)
			if p.Kind != "" {
				t.Errorf("a refused caller is %+v", p)
			}
		})
	}
}

// What is not configured is refused.
func TestUsersModes(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	hs256 := sign(t, jwt.SigningMethodHS256, []byte(secret), nil, session())
	es256 := sign(t, jwt.SigningMethodES256, s.ec, kid("ec"), session())

	_, err := newUsers(t, s, "").Verify(hs256)
	wantReason(t, err, auth.ReasonAlgorithm)

	secretOnly, err := auth.NewUsers(auth.UserConfig{Issuer: issuer + "/", Secret: []byte(secret), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	secretOnly.Run(t.Context()) // has nothing to do
	_, err = secretOnly.Verify(es256)
	wantReason(t, err, auth.ReasonAlgorithm)
	if _, err := secretOnly.Verify(hs256); err != nil {
		t.Error(err)
	}
}

func TestUsersConfigRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config auth.UserConfig
		faults int
	}{
		"nothing":          {auth.UserConfig{}, 2},
		"no way to verify": {auth.UserConfig{Issuer: issuer}, 1},
		"issuer is no URL": {auth.UserConfig{Issuer: "supabase", Secret: []byte(secret)}, 1},
		"secret too short": {auth.UserConfig{Issuer: issuer, Secret: []byte("short")}, 1},
	} {
		u, err := auth.NewUsers(c.config)
		if n := allFaults(err); n != c.faults || u != nil {
			t.Errorf("%s: %d faults, want %d: %v", name, n, c.faults, err)
		}
	}
}

// TestIssuer: the log names the issuer that is accepted, and nothing of the token.
func TestIssuer(t *testing.T) {
	t.Parallel()
	const other = "https://auth.example.com/auth/v1"
	users, err := auth.NewUsers(auth.UserConfig{Issuer: other + "/", Secret: []byte(secret), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	_, err = users.Verify(sign(t, jwt.SigningMethodHS256, []byte(secret), nil, session()))
	wantReason(t, err, auth.ReasonIssuer)
	if text := err.Error(); !strings.Contains(text, other) || strings.Contains(text, issuer) {
		t.Errorf("the error says: %s", text)
	}
	own := sign(t, jwt.SigningMethodHS256, []byte(secret), nil, claimsWith(session(), jwt.MapClaims{"iss": other}))
	if _, err := users.Verify(own); err != nil {
		t.Errorf("a token of this issuer: %v", err)
	}
}
