package auth_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gorgone/store/access"
	"gorgone/web/auth"
)

// Keys of one region and of another, of the form QStash's have.
const (
	currentKey   = "sig_test_current_000000000000000"
	nextKey      = "sig_test_next_000000000000000000"
	otherCurrent = "sig_test_current_111111111111111"
	otherNext    = "sig_test_next_111111111111111111"

	publicURL = "https://engine.example.org"
	target    = "/api/twitter/engagement/update?wait=30s"
	body      = `{"limit":500}`
)

// noUses is for tests that do not get as far.
type noUses struct{}

func (noUses) UseToken(context.Context, access.QStashToken) (bool, error) { return true, nil }

func qstashConfig() auth.QStashConfig {
	return auth.QStashConfig{
		Keys:      []auth.KeyPair{{Current: currentKey, Next: nextKey}, {Current: otherCurrent, Next: otherNext}},
		PublicURL: publicURL, Uses: noUses{}, Now: now,
	}
}

func newQStash(tb testing.TB, config auth.QStashConfig) *auth.QStash {
	tb.Helper()
	q, err := auth.NewQStash(config)
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

func bodyHash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return base64.URLEncoding.EncodeToString(sum[:])
}

// delivery are the claims of a genuine delivery at a time.
func delivery(at time.Time) jwt.MapClaims {
	return jwt.MapClaims{
		"iss": "Upstash", "sub": publicURL + target, "jti": "jwt_7c1b", "body": bodyHash(body),
		"iat": at.Unix(), "nbf": at.Unix(), "exp": at.Add(5 * time.Minute).Unix(),
	}
}

func deliveryHeader(token string) http.Header {
	return http.Header{"Upstash-Signature": {token}, "Upstash-Message-Id": {"msg_26hZ"}, "Upstash-Schedule-Id": {"gorgone"}}
}

func TestQStashAccepts(t *testing.T) {
	t.Parallel()
	genuine := delivery(epoch)
	for name, c := range map[string]struct {
		key     string
		changes jwt.MapClaims
	}{
		"current key":                    {key: currentKey},
		"next key":                       {key: nextKey},
		"another region's":               {key: otherCurrent},
		"another region's next key":      {key: otherNext},
		"hash without padding":           {key: currentKey, changes: jwt.MapClaims{"body": strings.TrimRight(bodyHash(body), "=")}},
		"ended within the leeway":        {key: currentKey, changes: jwt.MapClaims{"exp": epoch.Add(-4 * time.Second).Unix()}},
		"begins within the leeway":       {key: currentKey, changes: jwt.MapClaims{"nbf": epoch.Add(4 * time.Second).Unix()}},
		"claims that mean nothing to us": {key: currentKey, changes: jwt.MapClaims{"aud": "x", "extra": map[string]any{"a": 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims := claimsWith(genuine, c.changes)
			token := sign(t, jwt.SigningMethodHS256, []byte(c.key), nil, claims)
			m, err := newQStash(t, qstashConfig()).Verify(deliveryHeader(token), target, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			want := auth.Message{
				ID: "msg_26hZ", TokenID: "jwt_7c1b", ScheduleID: "gorgone", BodyHash: sha256.Sum256([]byte(body)),
				Expires: time.Unix(claims["exp"].(int64), 0),
			}
			if m != want {
				t.Errorf("message %+v, want %+v", m, want)
			}
		})
	}
}

// forgery is a delivery that must be refused. Zero values are genuine.
type forgery struct {
	method  jwt.SigningMethod
	key     any
	header  map[string]any // of the token
	changes jwt.MapClaims
	target  string
	body    string
	alter   func(http.Header)
	want    auth.Reason
}

func forgeries(tb testing.TB) map[string]forgery {
	tb.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	claim := func(name string, value any) jwt.MapClaims { return jwt.MapClaims{name: value} }
	set := func(name string, values ...string) func(http.Header) {
		return func(h http.Header) { h[name] = values }
	}
	return map[string]forgery{
		// signature
		"signed with the empty key":  {key: []byte(""), want: auth.ReasonSignature},
		"signed with another key":    {key: []byte("sig_test_current_222222222222222"), want: auth.ReasonSignature},
		"signed with half of a key":  {key: []byte(currentKey[:16]), want: auth.ReasonSignature},
		"not signed":                 {method: jwt.SigningMethodNone, key: jwt.UnsafeAllowNoneSignatureType, want: auth.ReasonAlgorithm},
		"HS384":                      {method: jwt.SigningMethodHS384, want: auth.ReasonAlgorithm},
		"HS512":                      {method: jwt.SigningMethodHS512, want: auth.ReasonAlgorithm},
		"RS256":                      {method: jwt.SigningMethodRS256, key: rsaKey, want: auth.ReasonAlgorithm},
		"HS256 that says RS256":      {header: map[string]any{"alg": "RS256"}, want: auth.ReasonAlgorithm},
		"HS256 that says none":       {header: map[string]any{"alg": "none"}, want: auth.ReasonAlgorithm},
		"HS256 that says NoNe":       {header: map[string]any{"alg": "NoNe"}, want: auth.ReasonAlgorithm},
		"algorithm that is a number": {header: map[string]any{"alg": 256}, want: auth.ReasonMalformed},
		"critical extension":         {header: map[string]any{"crit": []string{"b64"}, "b64": false}, want: auth.ReasonMalformed},

		// claims
		"without exp":             {changes: claim("exp", nil), want: auth.ReasonClaim},
		"without nbf":             {changes: claim("nbf", nil), want: auth.ReasonClaim},
		"without iss":             {changes: claim("iss", nil), want: auth.ReasonClaim},
		"without sub":             {changes: claim("sub", nil), want: auth.ReasonSubject},
		"without body":            {changes: claim("body", nil), want: auth.ReasonBody},
		"without jti":             {changes: claim("jti", nil), want: auth.ReasonClaim},
		"jti too long to keep":    {changes: claim("jti", strings.Repeat("j", 257)), want: auth.ReasonClaim},
		"expired":                 {changes: claim("exp", epoch.Add(-6*time.Second).Unix()), want: auth.ReasonExpired},
		"not valid yet":           {changes: claim("nbf", epoch.Add(6*time.Second).Unix()), want: auth.ReasonNotYet},
		"valid for ever":          {changes: claim("exp", epoch.AddDate(5, 0, 0).Unix()), want: auth.ReasonClaim},
		"exp beyond any calendar": {changes: claim("exp", 1e300), want: auth.ReasonExpired},
		"exp that is text":        {changes: claim("exp", "tomorrow"), want: auth.ReasonMalformed},
		"another issuer":          {changes: claim("iss", "upstash"), want: auth.ReasonIssuer},
		"another host":            {changes: claim("sub", "https://evil.example.org"+target), want: auth.ReasonSubject},
		"another scheme":          {changes: claim("sub", "http://engine.example.org"+target), want: auth.ReasonSubject},
		"a slash more":            {changes: claim("sub", publicURL+"/"+target), want: auth.ReasonSubject},
		"the host alone":          {changes: claim("sub", publicURL), want: auth.ReasonSubject},
		"hash of another body":    {changes: claim("body", bodyHash("{}")), want: auth.ReasonBody},
		"empty hash":              {changes: claim("body", ""), want: auth.ReasonBody},
		"padding for a hash":      {changes: claim("body", "===="), want: auth.ReasonBody},

		// request
		"another body":         {body: `{"limit":501}`, want: auth.ReasonBody},
		"a byte more":          {body: body + "\n", want: auth.ReasonBody},
		"another path":         {target: "/api/twitter/tweets", want: auth.ReasonSubject},
		"another query":        {target: "/api/twitter/engagement/update?wait=1s", want: auth.ReasonSubject},
		"without the query":    {target: "/api/twitter/engagement/update", want: auth.ReasonSubject},
		"body too large":       {body: strings.Repeat(" ", 64<<10+1), want: auth.ReasonTooLarge},
		"signature too large":  {alter: set("Upstash-Signature", strings.Repeat("a", 4<<10+1)), want: auth.ReasonTooLarge},
		"without a signature":  {alter: set("Upstash-Signature"), want: auth.ReasonNone},
		"empty signature":      {alter: set("Upstash-Signature", ""), want: auth.ReasonNone},
		"two signatures":       {alter: set("Upstash-Signature", "a.b.c", "a.b.c"), want: auth.ReasonMalformed},
		"not a token":          {alter: set("Upstash-Signature", "v1=abcdef"), want: auth.ReasonMalformed},
		"dots":                 {alter: set("Upstash-Signature", ".."), want: auth.ReasonMalformed},
		"thousands of dots":    {alter: set("Upstash-Signature", strings.Repeat(".", 4<<10)), want: auth.ReasonMalformed},
		"without a message id": {alter: set("Upstash-Message-Id"), want: auth.ReasonClaim},
		"message id too long":  {alter: set("Upstash-Message-Id", strings.Repeat("m", 257)), want: auth.ReasonClaim},
	}
}

func (f forgery) request(tb testing.TB) (http.Header, string, string) {
	tb.Helper()
	if f.method == nil {
		f.method = jwt.SigningMethodHS256
	}
	if f.key == nil {
		f.key = []byte(currentKey)
	}
	header := deliveryHeader(sign(tb, f.method, f.key, f.header, claimsWith(delivery(epoch), f.changes)))
	if f.alter != nil {
		f.alter(header)
	}
	return header, cmp.Or(f.target, target), cmp.Or(f.body, body)
}

func TestQStashRefuses(t *testing.T) {
	t.Parallel()
	q := newQStash(t, qstashConfig())
	for name, f := range forgeries(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, target, body := f.request(t)
			m, err := q.Verify(header, target, []byte(body))
			wantReason(t, err, f.want)
			if m != (auth.Message{}) {
				t.Errorf("a refused delivery has the message %+v", m)
			}
			// What is refused is not repeated: the header of a token
			// is no secret.
			if token := header.Get("Upstash-Signature"); len(token) > 64 && err != nil && strings.Contains(err.Error(), token[36:]) {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

// A signature that was altered in one place is never good.
func TestQStashAlteredToken(t *testing.T) {
	t.Parallel()
	q := newQStash(t, qstashConfig())
	token := sign(t, jwt.SigningMethodHS256, []byte(currentKey), nil, delivery(epoch))
	for i := range len(token) {
		altered := []byte(token)
		altered[i] ^= 1
		if _, err := q.Verify(deliveryHeader(string(altered)), target, []byte(body)); err == nil {
			t.Errorf("accepted with byte %d altered", i)
		}
	}
	for i := range len(token) {
		if _, err := q.Verify(deliveryHeader(token[:i]), target, []byte(body)); err == nil {
			t.Errorf("accepted when cut to %d bytes", i)
		}
	}
}

func TestQStashPublicURL(t *testing.T) {
	t.Parallel()
	for given, sub := range map[string]string{
		"https://engine.example.org/":     "https://engine.example.org" + target,
		"https://example.org/engine":      "https://example.org/engine" + target,
		"https://example.org/engine//":    "https://example.org/engine" + target,
		"https://engine.example.org:8443": "https://engine.example.org:8443" + target,
		"http://localhost:3000":           "http://localhost:3000" + target,
		"http://127.0.0.1:3000":           "http://127.0.0.1:3000" + target,
	} {
		config := qstashConfig()
		config.PublicURL = given
		token := sign(t, jwt.SigningMethodHS256, []byte(currentKey), nil, claimsWith(delivery(epoch), jwt.MapClaims{"sub": sub}))
		if _, err := newQStash(t, config).Verify(deliveryHeader(token), target, []byte(body)); err != nil {
			t.Errorf("%s: %v", given, err)
		}
	}
}

func TestQStashConfigRefused(t *testing.T) {
	t.Parallel()
	keys := func(pairs ...auth.KeyPair) func(*auth.QStashConfig) {
		return func(c *auth.QStashConfig) { c.Keys = pairs }
	}
	url := func(s string) func(*auth.QStashConfig) {
		return func(c *auth.QStashConfig) { c.PublicURL = s }
	}
	good := auth.KeyPair{Current: currentKey, Next: nextKey}
	for name, c := range map[string]struct {
		change func(*auth.QStashConfig)
		says   string
	}{
		"no keys":              {keys(), "0 pairs of signing keys"},
		"five regions":         {keys(good, good, good, good, good), "5 pairs of signing keys"},
		"both keys empty":      {keys(auth.KeyPair{}), "current signing key of pair 1 is empty"},
		"next key empty":       {keys(auth.KeyPair{Current: currentKey}), "next signing key of pair 1 is empty"},
		"current key empty":    {keys(good, auth.KeyPair{Next: nextKey}), "current signing key of pair 2 is empty"},
		"key too short":        {keys(auth.KeyPair{Current: currentKey, Next: "sig_short"}), "next signing key of pair 1 is too short: it has 9 characters"},
		"line end in a key":    {keys(auth.KeyPair{Current: currentKey + "\n", Next: nextKey}), "current signing key of pair 1 has characters that no key has"},
		"published key":        {keys(auth.KeyPair{Current: currentKey, Next: "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"}), "anyone can sign"},
		"no public URL":        {url(""), "public URL is empty"},
		"public URL is a path": {url("/api"), "must be a scheme, a host"},
		"plain http":           {url("http://engine.example.org"), "must begin with https://"},
		"user in public URL":   {url("https://user@engine.example.org"), "must be a scheme, a host"},
		"query in public URL":  {url("https://engine.example.org?x=1"), "must be a scheme, a host"},
		"another scheme":       {url("ftp://engine.example.org"), "must begin with https://"},
		"negative body":        {func(c *auth.QStashConfig) { c.MaxBody = -1 }, "longest body"},
		"nothing remembers":    {func(c *auth.QStashConfig) { c.Uses = nil }, "the store of used tokens is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := qstashConfig()
			c.change(&config)
			q, err := auth.NewQStash(config)
			if err == nil || q != nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error %v, want one that says %q", err, c.says)
			}
			for _, pair := range config.Keys {
				for _, key := range []string{pair.Current, pair.Next} {
					if key != "" && strings.Contains(err.Error(), key) {
						t.Errorf("the error holds a key: %v", err)
					}
				}
			}
		})
	}

	_, err := auth.NewQStash(auth.QStashConfig{Keys: []auth.KeyPair{{}, {}}, MaxBody: -1})
	if n := allFaults(err); n != 7 {
		t.Errorf("%d faults at once, want 7: %v", n, err)
	}
}

func TestQStashDevelopment(t *testing.T) {
	t.Parallel()
	config := qstashConfig()
	config.Development = true
	config.PublicURL = "http://host.docker.internal:3000"
	config.Keys = []auth.KeyPair{{Current: "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", Next: "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"}}
	if _, err := auth.NewQStash(config); err != nil {
		t.Error(err)
	}
}

func TestQStashReplay(t *testing.T) {
	t.Parallel()
	db, _ := openDatabase(t)
	at := epoch
	config := qstashConfig()
	config.Uses = access.New(db, wallClock{})
	config.Now = func() time.Time { return at }
	q := newQStash(t, config)
	replica := newQStash(t, config)

	token := sign(t, jwt.SigningMethodHS256, []byte(currentKey), nil, delivery(epoch))
	header := deliveryHeader(token)
	first, err := q.Admit(t.Context(), header, target, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	again, err := replica.Admit(t.Context(), header, target, []byte(body))
	if err != nil || again != first {
		t.Errorf("the same delivery again: %+v, %v", again, err)
	}

	other := maps.Clone(header)
	other["Upstash-Message-Id"] = []string{"msg_other"}
	_, err = replica.Admit(t.Context(), other, target, []byte(body))
	wantReason(t, err, auth.ReasonReplayed)

	// Signed by QStash, and yet with the id of a token that was used before.
	reused := sign(t, jwt.SigningMethodHS256, []byte(nextKey), nil, claimsWith(delivery(epoch), jwt.MapClaims{"body": bodyHash("{}")}))
	_, err = q.Admit(t.Context(), deliveryHeader(reused), target, []byte("{}"))
	wantReason(t, err, auth.ReasonReplayed)

	// The message is delivered again, with a token of its own.
	second := sign(t, jwt.SigningMethodHS256, []byte(currentKey), nil, claimsWith(delivery(epoch), jwt.MapClaims{"jti": "jwt_second"}))
	if _, err := q.Admit(t.Context(), deliveryHeader(second), target, []byte(body)); err != nil {
		t.Error(err)
	}

	// Up to the last moment at which the token is good, its use is known.
	at = epoch.Add(5*time.Minute + 4*time.Second)
	_, err = q.Admit(t.Context(), other, target, []byte(body))
	wantReason(t, err, auth.ReasonReplayed)
	at = epoch.Add(5*time.Minute + 6*time.Second)
	_, err = q.Admit(t.Context(), other, target, []byte(body))
	wantReason(t, err, auth.ReasonExpired)
}

// A refused delivery leaves nothing behind: else anybody could use up the ids of
// messages to come.
func TestQStashRefusedIsNotRemembered(t *testing.T) {
	t.Parallel()
	config := qstashConfig()
	uses := &countedUses{}
	config.Uses = uses
	q := newQStash(t, config)
	for name, f := range forgeries(t) {
		header, target, body := f.request(t)
		if _, err := q.Admit(t.Context(), header, target, []byte(body)); err == nil {
			t.Errorf("%s: admitted", name)
		}
	}
	if uses.n != 0 {
		t.Errorf("%d refused deliveries were remembered", uses.n)
	}
}

type countedUses struct{ n int }

func (c *countedUses) UseToken(context.Context, access.QStashToken) (bool, error) {
	c.n++
	return true, nil
}
