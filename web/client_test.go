package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gorgone/internal/testkit"
	"gorgone/web/auth"
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// into decodes the body.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("status %d, body %.300s: %v", a.status, a.body, err)
	}
}

// code is the machine-readable reason of a failure.
func (a answer) code(t *testing.T) string {
	t.Helper()
	var f struct{ Code string }
	a.into(t, &f)
	return f.Code
}

// do sends a request. token may be empty.
func (e *engine) do(method, path, token, body string, headers ...string) answer {
	e.t.Helper()
	r, err := http.NewRequestWithContext(e.t.Context(), method, e.url+path, strings.NewReader(body))
	testkit.Must(e.t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		e.t.Errorf("%s %s: %v", method, path, err)
		return answer{}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Errorf("%s %s: %v", method, path, err)
	}
	a := answer{res.StatusCode, res.Header, data}
	e.conform(method, path, a)
	return a
}

// ok is do, for what must succeed with a status.
func (e *engine) ok(status int, method, path, token, body string, headers ...string) answer {
	e.t.Helper()
	a := e.do(method, path, token, body, headers...)
	if a.status != status {
		e.t.Fatalf("%s %s: status %d, want %d: %.500s", method, path, a.status, status, a.body)
	}
	return a
}

// row returns the row and the id of the nth tweet.
func (e *engine) row(n int) (row uuid.UUID, tweetID string) {
	e.t.Helper()
	testkit.Must(e.t, e.sql.QueryRow(e.t.Context(), `select id, tweet_id from twitter_tweets where zone_id = $2 order by tweet_id offset $1 limit 1`, n, e.zone).Scan(&row, &tweetID))
	return row, tweetID
}

func (e *engine) count(query string, args ...any) (n int) {
	e.t.Helper()
	testkit.Must(e.t, e.sql.QueryRow(e.t.Context(), query, args...).Scan(&n))
	return n
}

func (e *engine) exec(query string, args ...any) {
	e.t.Helper()
	_, err := e.sql.Exec(e.t.Context(), query, args...)
	testkit.Must(e.t, err)
}

const (
	publicURL = "https://gorgone.example.com"
	qstashKey = "sig_a_signing_key_of_thirty_two_bytes_x"
)

// delivery signs a request as QStash does.
func delivery(tb testing.TB, path, body, messageID string) []string {
	tb.Helper()
	sum := sha256.Sum256([]byte(body))
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "Upstash", "sub": publicURL + path, "jti": uuid.NewString(),
		"iat": time.Now().Unix(), "nbf": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(),
		"body": base64.URLEncoding.EncodeToString(sum[:]),
	}).SignedString([]byte(qstashKey))
	testkit.Must(tb, err)
	return []string{auth.HeaderSignature, token, auth.HeaderMessageID, messageID}
}

// publishDead puts a message among the dead letters, as a worker does.
func (e *engine) publishDead(nc *nats.Conn, lane, subject, body string) {
	e.t.Helper()
	js, err := jetstream.New(nc)
	testkit.Must(e.t, err)
	m := nats.NewMsg("t.dlq." + lane)
	m.Data = []byte(body)
	m.Header.Set("Eng-Reason", "for a test")
	m.Header.Set("Eng-Subject", subject)
	m.Header.Set("Eng-Deliveries", "3")
	_, err = js.PublishMsg(e.t.Context(), m)
	testkit.Must(e.t, err)
}
