package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"gorgone/internal/devstack/runfile"
)

const (
	attackedURL = "https://gorgone.example.com" // as QStash would call it
	signingKey  = "sig_current_key_of_thirty_two_bytes"
	nextKey     = "sig_next_key_of_thirty_two_bytes_xx"
	userSecret  = "a shared secret of at least thirty-two bytes"
)

// target is a running up that every configured caller may call, and a caller
// who should not.
type target struct {
	t       *testing.T
	up      *up
	url     string
	service string // token of a service
	pushKey string
	key     *ecdsa.PrivateKey // signs the sessions of users
	issuer  string
	user    uuid.UUID // an operator of a client without zones
	tweet   uuid.UUID // of a zone that is not the user's

	mcpURL string // of gorgone mcp, once it runs

	next byte // last byte of the next address to attack from
}

// newTarget starts a stack with everything configured.
func newTarget(t *testing.T) *target {
	t.Helper()
	s := &target{t: t, user: uuid.New()}
	var err error
	s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	point, err := s.key.PublicKey.Bytes()
	s.must(err)
	b64 := base64.RawURLEncoding
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"k1","x":%q,"y":%q}]}`,
			b64.EncodeToString(point[1:33]), b64.EncodeToString(point[33:]))
	}))
	t.Cleanup(issuer.Close)
	s.issuer = issuer.URL + "/auth/v1"
	for name, value := range map[string]string{
		"SUPABASE_URL": issuer.URL, "SUPABASE_JWT_SECRET": userSecret, "GORGONE_WEB_PUBLIC_URL": attackedURL,
		"QSTASH_CURRENT_SIGNING_KEY": signingKey, "QSTASH_NEXT_SIGNING_KEY": nextKey,
	} {
		t.Setenv(name, value)
	}
	dir := madeDir(t)
	s.up = startUp(t, dir, "--tweets", "40", "--listen", "127.0.0.1:0")
	s.up.until("something is tracked", func(s stats) bool { return s.Total > 5 })
	r, err := runfile.Read(dir)
	s.must(err)
	s.url = r.WebURL
	for name, value := range map[string]*string{runfile.TokenName: &s.service, runfile.WebhookKeyName: &s.pushKey} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		s.must(err)
		*value = strings.TrimSpace(string(data))
	}
	conn := s.up.sql()
	client := uuid.New()
	_, err = conn.Exec(t.Context(), `insert into clients (id, name) values ($1, 'another')`, client)
	s.must(err)
	_, err = conn.Exec(t.Context(), `insert into profiles (id, role, client_id) values ($1, 'operator', $2)`, s.user, client)
	s.must(err)
	s.must(conn.QueryRow(t.Context(), `select id from twitter_tweets order by tweet_id limit 1`).Scan(&s.tweet))
	return s
}

func (s *target) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// seen is what an attacker sees.
type seen struct {
	exit   bool // status is the exit code of a command
	status int
	code   string
	body   string
	header http.Header
}

func (a seen) String() string {
	switch {
	case a.exit:
		return fmt.Sprintf("exit %d", a.status)
	case a.status == 0:
		return a.code
	}
	return fmt.Sprintf("%d %s", a.status, a.code)
}

// from sends a request from an address of its own.
func (s *target) from(method, path, body string, headers ...string) seen {
	s.t.Helper()
	return s.send(s.address(), method, path, body, headers...)
}

// address is another one each time.
func (s *target) address() net.IP {
	s.next++
	return net.IPv4(127, 0, 1, s.next)
}

func (s *target) send(addr net.IP, method, path, body string, headers ...string) seen {
	s.t.Helper()
	transport := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: addr}}).DialContext}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	s.must(err)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do(r)
	s.must(err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	s.must(err)
	var fault struct{ Code string }
	_ = json.Unmarshal(data, &fault) // not all answers are faults
	return seen{status: res.StatusCode, code: fault.Code, body: string(data), header: res.Header}
}

// delivery are the headers of one by QStash, after change.
func (s *target) delivery(body string, method jwt.SigningMethod, key any, change func(claims jwt.MapClaims)) []string {
	s.t.Helper()
	sum := sha256.Sum256([]byte(body))
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": "Upstash", "sub": attackedURL + triggerPath, "jti": uuid.NewString(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "body": base64.URLEncoding.EncodeToString(sum[:]),
	}
	if change != nil {
		change(claims)
	}
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	s.must(err)
	return []string{"Upstash-Signature", token, "Upstash-Message-Id", "msg_" + uuid.NewString()}
}

// session is the header with a user's token, after change.
func (s *target) session(method jwt.SigningMethod, key any, change func(claims jwt.MapClaims)) []string {
	s.t.Helper()
	claims := jwt.MapClaims{
		"iss": s.issuer, "aud": "authenticated", "sub": s.user.String(), "role": "authenticated",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	if change != nil {
		change(claims)
	}
	t := jwt.NewWithClaims(method, claims)
	t.Header["kid"] = "k1"
	token, err := t.SignedString(key)
	s.must(err)
	return []string{"Authorization", "Bearer " + token}
}

// attacks are tried in the order of their names; each returns the last answer.
func (s *target) attacks() map[string]func() seen {
	const body = `{"limit":1}`
	qstash := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) func() seen {
		return func() seen {
			return s.from("POST", triggerPath, body, s.delivery(body, method, key, change)...)
		}
	}
	hs256, refresh := jwt.SigningMethodHS256, "/api/twitter/tweets/"+s.tweet.String()+"/refresh"
	user := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) func() seen {
		return func() seen { return s.from("POST", refresh, "", s.session(method, key, change)...) }
	}
	bearer := []string{"Authorization", "Bearer " + s.service}
	set := func(name string, value any) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c[name] = value } }
	return map[string]func() seen{
		"QStash: forged, signed with another key":     qstash(hs256, []byte("sig_of_somebody_else_thirty_two_b"), nil),
		"QStash: signed with an empty key":            qstash(hs256, []byte(""), nil),
		"QStash: signed with the published local key": qstash(hs256, []byte("sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"), nil),
		"QStash: `alg` none":                          qstash(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"QStash: `alg` HS512, with the right key":     qstash(jwt.SigningMethodHS512, []byte(signingKey), nil),
		"QStash: expired":                             qstash(hs256, []byte(signingKey), set("exp", time.Now().Add(-time.Minute).Unix())),
		"QStash: not valid yet":                       qstash(hs256, []byte(signingKey), set("nbf", time.Now().Add(time.Minute).Unix())),
		"QStash: for ever (no `exp`)":                 qstash(hs256, []byte(signingKey), func(c jwt.MapClaims) { delete(c, "exp") }),
		"QStash: of another issuer":                   qstash(hs256, []byte(signingKey), set("iss", "Another")),
		"QStash: signed for another URL":              qstash(hs256, []byte(signingKey), set("sub", "https://other.example.com"+triggerPath)),
		"QStash: another body": func() seen {
			return s.from("POST", triggerPath, `{"limit":10000}`, s.delivery(body, hs256, []byte(signingKey), nil)...)
		},
		"QStash: another query, and another Host": func() seen {
			return s.from("POST", triggerPath+"?wait=2m", body, append(s.delivery(body, hs256, []byte(signingKey), nil), "X-Forwarded-Host", "gorgone.example.com")...)
		},
		"QStash: replayed, as another message": func() seen {
			headers := s.delivery(body, hs256, []byte(signingKey), nil)
			s.accept(s.from("POST", triggerPath, body, headers...))
			headers[3] = "msg_another"
			return s.from("POST", triggerPath, body, headers...)
		},
		"QStash: replayed as it was": func() seen {
			headers := s.delivery(body, hs256, []byte(signingKey), nil)
			s.accept(s.from("POST", triggerPath, body, headers...))
			again := s.from("POST", triggerPath, body, headers...)
			if again.header.Get("Idempotent-Replayed") != "true" {
				s.t.Errorf("it ran again: %s", again.body)
			}
			return again
		},
		"QStash: the URL in other letters, with the default port": qstash(hs256, []byte(signingKey), set("sub", "HTTPS://Gorgone.Example.com:443"+triggerPath)),
		"QStash: the path in other letters":                       qstash(hs256, []byte(signingKey), set("sub", attackedURL+strings.ToUpper(triggerPath))),
		"QStash: the body of another program": func() seen {
			const other = `{"source":"cron","limit":1}`
			return s.from("POST", triggerPath, other, s.delivery(other, hs256, []byte(signingKey), nil)...)
		},
		"QStash: a body that is no trigger's": func() seen {
			const other = `{"limit":"all"}`
			return s.from("POST", triggerPath, other, s.delivery(other, hs256, []byte(signingKey), nil)...)
		},
		"QStash: a good signature, for the refresh of a tweet": func() seen {
			return s.from("POST", refresh, "", s.delivery("", hs256, []byte(signingKey), set("sub", attackedURL+refresh))...)
		},
		"QStash: a bad signature, beside a good token": func() seen {
			return s.from("POST", triggerPath, body, append(s.delivery(body, hs256, []byte("sig_of_somebody_else_thirty_two_b"), nil), bearer...)...)
		},
		"user: forged, signed with another key": func() seen {
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			s.must(err)
			return user(jwt.SigningMethodES256, other, nil)()
		},
		"user: `alg` HS256, with the public key as secret": func() seen {
			der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
			s.must(err)
			return user(hs256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil)()
		},
		"user: `alg` none":                  user(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"user: `alg` HS512":                 user(jwt.SigningMethodHS512, []byte(userSecret), nil),
		"user: signed with an empty secret": user(hs256, []byte(""), nil),
		"user: expired":                     user(jwt.SigningMethodES256, s.key, set("exp", time.Now().Add(-time.Minute).Unix())),
		"user: of another project":          user(jwt.SigningMethodES256, s.key, set("iss", "https://other.supabase.co/auth/v1")),
		"user: an anonymous session":        user(jwt.SigningMethodES256, s.key, set("is_anonymous", true)),
		"user: the project's `service_role` key": user(hs256, []byte(userSecret), func(c jwt.MapClaims) {
			c["iss"], c["role"] = "supabase", "service_role"
			delete(c, "aud")
			delete(c, "sub")
		}),
		"user: a tweet of another zone": user(jwt.SigningMethodES256, s.key, nil),
		"user: a tweet that does not exist": func() seen {
			return s.from("POST", "/api/twitter/tweets/"+uuid.NewString()+"/refresh", "", s.session(jwt.SigningMethodES256, s.key, nil)...)
		},
		"user: `super_admin`, as the token claims": user(jwt.SigningMethodES256, s.key, set("user_metadata", map[string]any{"role": "super_admin"})),
		"user: the trigger": func() seen {
			return s.from("POST", triggerPath, body, s.session(jwt.SigningMethodES256, s.key, nil)...)
		},
		"no credentials": func() seen { return s.from("POST", refresh, "") },
		"a token in the query, and in a cookie": func() seen {
			return s.from("POST", refresh+"?access_token="+s.service+"&token="+s.service, "", "Cookie", "sb-access-token="+s.service)
		},
		"the provider's key, as a service's token": func() seen {
			return s.from("POST", refresh, "", "Authorization", "Bearer "+s.pushKey)
		},
		"a service's token, as the provider's key": func() seen {
			return s.from("POST", "/api/webhooks/twitter", `{"event_type":"test_webhook_url"}`, "X-API-Key", s.service)
		},
		"60 guesses at a token from one address": func() (last seen) {
			for range 60 {
				last = s.send(net.IPv4(127, 0, 2, 1), "GET", triggerPath, "", "Authorization", "Bearer "+strings.Repeat("a", 50), "X-Forwarded-For", uuid.NewString())
			}
			return last
		},
		"SQL in an id": func() (last seen) {
			for _, id := range []string{"1%20or%201=1", "%27;drop%20table%20zones--", s.tweet.String() + "'--", "..%2f..%2fetc", "%00"} {
				last = s.from("POST", "/api/twitter/tweets/"+id+"/refresh", "", bearer...)
			}
			return last
		},
		"SQL in the query": func() seen {
			return s.from("GET", "/api/twitter/engagement/top?by=engagement%27%20or%20true--", "", bearer...)
		},
		"a body of 10 MiB, with a good token": func() seen {
			return s.from("POST", "/api/twitter/tweets", strings.Repeat(" ", 10<<20), bearer...)
		},
		"a body of 10 MiB, without a signature": func() seen {
			return s.from("POST", triggerPath, strings.Repeat(" ", 10<<20), s.delivery("", hs256, []byte("sig_of_somebody_else_thirty_two_b"), nil)...)
		},
		"a header of 64 KiB": func() seen { return s.from("GET", "/healthz", "", "X-Long", strings.Repeat("x", 64<<10)) },
		"a page of another site": func() seen {
			a := s.from("OPTIONS", refresh, "", "Origin", "https://evil.example.com", "Access-Control-Request-Method", "POST")
			if a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Access-Control-Allow-Methods") != "" {
				s.t.Errorf("it may call: %v", a.header)
			}
			return a
		},
	}
}

// accept fails unless what should have been accepted was.
func (s *target) accept(a seen) {
	s.t.Helper()
	if a.status != http.StatusOK {
		s.t.Errorf("a genuine request was answered %s: %s", a, a.body)
	}
}

// TestAttacks tries every attack of the table in docs/security.md against a
// running up, and holds what comes back against the table. Who is genuine is let
// in all the while.
func TestAttacks(t *testing.T) { //nolint:paralleltest // it counts refusals of one address
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	expected := make(map[string]string)
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+?) \| (\d+ [a-z_]*|\d+|exit \d|refused) \|$`).FindAllStringSubmatch(string(page), -1) {
		expected[row[1]] = strings.TrimSpace(row[2])
	}
	s := newTarget(t)
	genuine := func() {
		t.Helper()
		const body = `{"limit":1}`
		for _, key := range []string{signingKey, nextKey} {
			s.accept(s.from("POST", triggerPath, body, s.delivery(body, jwt.SigningMethodHS256, []byte(key), nil)...))
		}
		s.accept(s.from("GET", "/api/twitter/engagement/top", "", s.session(jwt.SigningMethodES256, s.key, nil)...))
		s.accept(s.from("GET", "/api/twitter/engagement/top", "", s.session(jwt.SigningMethodHS256, []byte(userSecret), nil)...))
		s.accept(s.send(net.IPv4(127, 0, 2, 1), "GET", triggerPath, "", "Authorization", "Bearer "+s.service))
		s.accept(s.from("POST", "/api/webhooks/twitter", `{"event_type":"test_webhook_url"}`, "X-API-Key", s.pushKey))
	}
	genuine()
	attacks := s.attacks()
	maps.Copy(attacks, s.badInput())
	maps.Copy(attacks, s.mistakes())
	maps.Copy(attacks, s.overuse())
	maps.Copy(attacks, s.around())
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		want, documented := expected[name]
		if !documented {
			t.Errorf("%q is not in the table", name)
		}
		a := attacks[name]()
		if a.String() != want && fmt.Sprint(a.status) != want {
			t.Errorf("%s: %s, the table says %q: %.300s", name, a, want, a.body)
		}
		delete(expected, name)
	}
	for name := range expected {
		t.Errorf("%q is in the table and was not tried", name)
	}
	genuine()
	s.up.run("doctor") // and nothing is broken
}
