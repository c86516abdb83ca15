package web_test

import (
	"bytes"
	"cmp"
	"context"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"
	"go.uber.org/goleak"

	"gorgone/deadletter"
	"gorgone/dispatcher"
	"gorgone/internal/clock"
	"gorgone/internal/enginetest"
	"gorgone/internal/natsserver/natstest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/twitter/twittertest"
	"gorgone/web"
	"gorgone/web/auth"
	"gorgone/worker"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(runner(func() int { return pgtest.Run(m) }))
}

// runner is what runs the tests.
type runner func() int

func (r runner) Run() int { return r() }

const (
	webhookKey = "key-that-the-provider-sends"
	issuer     = "https://project.supabase.test/auth/v1"
)

var userSecret = []byte("a shared secret of at least thirty-two bytes")

// engine is everything behind the server under test: its own database, streams and
// provider double, a dispatcher, and workers when asked for.
type engine struct {
	t          *testing.T
	url        string // of the server
	db         *store.DB
	store      *store.Store
	clock      *clock.Clock
	nats       *natstest.Server
	conn       *queue.Conn
	queue      *queue.Queue
	source     queue.Source
	double     *twittertest.Server
	providerAt string
	zone       uuid.UUID // of the tweets
	client     uuid.UUID // that the zone belongs to
	sql        *pgx.Conn
	log        *logBuffer
	document   document
	stop       func() // stops the server and waits for it

	service string // token that may do everything
	local   *auth.Local
}

type options struct {
	tweets   int // in the double, all of them tracked
	workers  int
	config   func(*web.Config)
	parts    func(*web.Parts)
	provider twittertest.Config
	listener func(net.Listener) net.Listener // wraps the server's; may be nil
	database string                          // URL; empty: a new one
}

func newEngine(t *testing.T, o options) *engine {
	t.Helper()
	g := enginetest.On(t, cmp.Or(o.database, pgtest.NewDatabase(t)), queue.Config{Memory: true})
	e := &engine{
		t: t, service: newToken(t), log: &logBuffer{}, document: readDocument(t),
		db: g.DB, store: g.Store, clock: g.Clock, nats: g.NATS, conn: g.Conn, queue: g.Queue,
		zone: g.Zone.ID, client: g.Zone.ClientID, sql: pgtest.Connect(t, g.URL),
	}
	e.source = g.Source(t, twitter.TwitterAPIName, "test", 0, time.Hour)
	e.double, e.providerAt = g.Double(t, max(o.tweets, 1), o.provider)
	if o.tweets > 0 {
		e.track()
	}
	for range o.workers {
		e.startWorker()
	}
	e.startServer(o)
	return e
}

// track tracks the whole population without known counts, so that all is due.
func (e *engine) track() {
	e.t.Helper()
	_, err := e.store.Track(e.t.Context(), e.zone, enginetest.Tweets(e.double))
	must(e.t, err)
}

type openGate struct{}

func (openGate) Closed() string { return "" }

func (e *engine) startWorker() {
	e.t.Helper()
	ctx := e.t.Context()
	client, err := twitter.NewTwitterAPI(twitter.Config{Key: enginetest.DoubleKey, BaseURL: e.providerAt, Now: e.clock.Now})
	must(e.t, err)
	batches, err := e.queue.Batches(ctx)
	must(e.t, err)
	refreshes, err := e.queue.Refreshes(ctx)
	must(e.t, err)
	exhausted, err := e.queue.Exhausted(ctx)
	must(e.t, err)
	audience, err := queue.NewAudience(e.queue)
	must(e.t, err)
	w := worker.New(worker.Config{
		BatchSlots: 4, RefreshSlots: 2, Writes: 2, CallTimeout: 2 * time.Second, Grace: 10 * time.Second,
		RatePause: 200 * time.Millisecond,
	}, worker.Parts{
		Batches: batches, Refreshes: refreshes, Exhausted: exhausted,
		Providers: []*worker.Provider{enginetest.Provider(e.source, client)},
		Sink:      e.store, Requests: e.store, Announcer: e.queue, Audience: audience, Clock: e.clock, Random: rand.Float64, Log: zerolog.Nop(),
	})
	background(e.t, w.Run)
}

func (e *engine) startServer(o options) {
	e.t.Helper()
	tokens := []string{e.entry("all", auth.Scopes(), e.service)}
	for _, scope := range auth.Scopes() {
		tokens = append(tokens, e.entry("only-"+string(scope), []auth.Scope{scope}, scopedToken(scope)))
	}
	known, err := auth.NewTokens(tokens)
	must(e.t, err)
	users, err := auth.NewUsers(auth.UserConfig{Issuer: issuer, Secret: userSecret})
	must(e.t, err)
	qstash, err := auth.NewQStash(auth.QStashConfig{
		Keys:      []auth.KeyPair{{Current: qstashKey, Next: "next-" + qstashKey}},
		PublicURL: publicURL, Uses: e.store,
	})
	must(e.t, err)
	access, err := auth.NewZoneAccess(e.store, nil)
	must(e.t, err)
	log := zerolog.New(e.log).Level(zerolog.InfoLevel) // as gorgone web does
	var lc net.ListenConfig
	listener, err := lc.Listen(e.t.Context(), "tcp", "127.0.0.1:0")
	must(e.t, err)
	e.url = "http://" + listener.Addr().String()
	e.local, err = auth.NewLocal(listener.Addr(), cryptorand.Reader, time.Now)
	must(e.t, err)
	config := web.Config{Version: "test", WebhookKey: webhookKey, Origins: []string{"https://app.example.com"}, Grace: 2 * time.Second}
	if o.config != nil {
		o.config(&config)
	}
	parts := web.Parts{
		Guard:  auth.NewGuard(auth.GuardConfig{QStash: qstash, Tokens: known, Users: users, Local: e.local, Log: log}),
		Access: access, Local: e.local,
		Dispatcher: dispatcher.New(dispatcher.Config{
			Every: time.Second, BatchTweets: 100, Window: dispatcher.Window{Lease: e.queue.Lease(), First: 5000},
		}, e.store, e.queue, openGate{}, e.clock, zerolog.Nop()),
		Triggers: e.store, Requests: e.store, Tweets: e.store, Alerts: e.store, Books: e.store, Tracker: e.store, Letters: deadletter.Retrier{Queue: e.queue, Rows: e.store, Clock: e.clock}, Pruner: e.store,
		Queue: e.queue, Connection: e.conn, Calls: queue.Sources{e.source}, Pauses: e.store, Clock: e.clock,
		DecodePush: decodePush,
		Checks: []web.Check{
			{Name: "database", Run: e.db.Ping},
			{Name: "nats", Run: func(context.Context) error {
				if !e.conn.Connected() {
					return io.EOF
				}
				return nil
			}},
		},
		Log: log,
	}
	if o.parts != nil {
		o.parts(&parts)
	}
	s, err := web.New(config, parts)
	must(e.t, err)
	if o.listener != nil {
		listener = o.listener(listener)
	}
	e.stop = background(e.t, func(ctx context.Context) {
		if err := s.Serve(ctx, listener); err != nil {
			e.t.Errorf("serve: %v", err)
		}
	})
}

// background runs f until the returned function, which waits for it, or the end of
// the test.
func background(t *testing.T, f func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running conc.WaitGroup
	running.Go(func() { f(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func newToken(t *testing.T) string {
	t.Helper()
	return "service-token-" + strings.Repeat("x", 20) + uuid.NewString()
}

func scopedToken(scope auth.Scope) string {
	return "token-that-may-only-" + string(scope) + strings.Repeat("-", 20)
}

func (e *engine) entry(name string, scopes []auth.Scope, token string) string {
	e.t.Helper()
	entry, err := auth.TokenEntry(name, scopes, token)
	must(e.t, err)
	return entry
}

// user returns the id and the token of a new user with a role, of the client that
// the zone belongs to, or of none.
func (e *engine) user(role string, ownClient bool) (id uuid.UUID, token string) {
	e.t.Helper()
	id = uuid.New()
	var client *uuid.UUID
	if ownClient {
		client = &e.client
	}
	_, err := e.sql.Exec(e.t.Context(), `insert into profiles (id, role, client_id) values ($1, $2, $3)`, id, role, client)
	must(e.t, err)
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": issuer, "aud": "authenticated", "sub": id.String(), "role": "authenticated",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(userSecret)
	must(e.t, err)
	return id, token
}

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
	must(e.t, err)
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
	must(e.t, e.sql.QueryRow(e.t.Context(), `select id, tweet_id from twitter_tweets where zone_id = $2 order by tweet_id offset $1 limit 1`, n, e.zone).Scan(&row, &tweetID))
	return row, tweetID
}

func (e *engine) count(query string, args ...any) (n int) {
	e.t.Helper()
	must(e.t, e.sql.QueryRow(e.t.Context(), query, args...).Scan(&n))
	return n
}

func (e *engine) exec(query string, args ...any) {
	e.t.Helper()
	_, err := e.sql.Exec(e.t.Context(), query, args...)
	must(e.t, err)
}

// wait waits for what has no event.
func wait(t *testing.T, until func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(time.Minute)
	defer end.Stop()
	for !until() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatal("it did not happen")
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logBuffer keeps what was logged.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

const (
	publicURL = "https://gorgone.example.com"
	qstashKey = "sig_a_signing_key_of_thirty_two_bytes_x"
)

// delivery signs a request as QStash does.
func delivery(t *testing.T, path, body, messageID string) []string {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "Upstash", "sub": publicURL + path, "jti": uuid.NewString(),
		"iat": time.Now().Unix(), "nbf": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(),
		"body": base64.URLEncoding.EncodeToString(sum[:]),
	}).SignedString([]byte(qstashKey))
	must(t, err)
	return []string{auth.HeaderSignature, token, auth.HeaderMessageID, messageID}
}

// publishDead puts a message among the dead letters, as a worker does.
func (e *engine) publishDead(nc *nats.Conn, lane, subject, body string) {
	e.t.Helper()
	js, err := jetstream.New(nc)
	must(e.t, err)
	m := nats.NewMsg("t.dlq." + lane)
	m.Data = []byte(body)
	m.Header.Set("Eng-Reason", "for a test")
	m.Header.Set("Eng-Subject", subject)
	m.Header.Set("Eng-Deliveries", "3")
	_, err = js.PublishMsg(e.t.Context(), m)
	must(e.t, err)
}
