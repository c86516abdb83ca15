package web_test

import (
	"cmp"
	"context"
	cryptorand "crypto/rand"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"gorgone/alert"
	"gorgone/dispatcher"
	"gorgone/internal/clock"
	"gorgone/internal/enginetest"
	"gorgone/internal/natsserver/natstest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/store/access"
	"gorgone/store/history"
	"gorgone/store/keys"
	"gorgone/store/pause"
	"gorgone/store/postgres"
	"gorgone/store/pushed"
	"gorgone/store/report"
	"gorgone/store/trial"
	"gorgone/throttle"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
	"gorgone/web"
	"gorgone/web/auth"
	"gorgone/worker"
	"gorgone/worker/lookup"
)

func TestMain(m *testing.M) {
	testkit.Main(m)
}

const (
	webhookKey = "key-that-the-provider-sends"
	issuer     = "https://project.supabase.test/auth/v1"
)

var userSecret = []byte("a shared secret of at least thirty-two bytes")

// engine is everything behind the server under test: its own database, streams and
// provider double, a dispatcher, and workers when asked for.
type engine struct {
	t          testing.TB
	url        string // of the server
	db         *postgres.DB
	store      *store.Store
	ledger     *store.Store // with the budget, if there is one
	alerts     *alert.Manager
	clock      *clock.Clock
	nats       *natstest.Server
	conn       *queue.Conn
	queue      *queue.Queue
	source     throttle.Provider
	double     *fakeprovider.Server
	providerAt string
	zone       uuid.UUID // of the tweets
	client     uuid.UUID // that the zone belongs to
	sql        *pgx.Conn
	log        *testkit.Log
	document   document
	stop       func() // stops the server and waits for it

	caller  *http.Client // nil: the default one
	service string       // token that may do everything
	local   *auth.Local
}

type options struct {
	tweets   int // in the double, all of them tracked
	workers  int
	budget   store.Budget // a tweet costs a cent
	config   func(*web.Config)
	parts    func(*web.Parts)
	provider fakeprovider.Config
	listener func(net.Listener) net.Listener // wraps the server's; may be nil
	database string                          // URL; empty: a new one
}

func newEngine(tb testing.TB, o options) *engine {
	tb.Helper()
	g := enginetest.On(tb, cmp.Or(o.database, pgtest.NewDatabase(tb)), queue.Config{Memory: true})
	e := &engine{
		t: tb, service: newToken(tb), log: &testkit.Log{}, document: readDocument(tb),
		db: g.DB, store: g.Store, alerts: g.Alerts, clock: g.Clock, nats: g.NATS, conn: g.Conn, queue: g.Queue,
		zone: g.Zone.ID, client: g.Zone.ClientID, sql: pgtest.Connect(tb, g.URL),
	}
	e.source = g.Source(tb, twitter.TwitterAPIName, "test", 0, time.Hour)
	e.double, e.providerAt = g.FakeProvider(tb, max(o.tweets, 1), o.provider)
	if o.tweets > 0 {
		e.track()
	}
	e.ledger = e.store
	if o.budget != (store.Budget{}) {
		e.ledger = store.New(e.db, e.clock, store.Options{Budget: o.budget, Prices: store.Prices{twitter.TwitterAPIName: {Dollars: 0.01}}, Provider: twitter.TwitterAPIName})
	}
	for range o.workers {
		e.startWorker()
	}
	e.startServer(o)
	return e
}

// in is e for another test, or for one run of a fuzz target.
func (e *engine) in(tb testing.TB) *engine {
	tb.Helper()
	other := *e
	other.t = tb
	return &other
}

// track tracks the whole population without known counts, so that all is due.
func (e *engine) track() {
	e.t.Helper()
	_, err := e.store.Track(e.t.Context(), e.zone, enginetest.Tweets(e.double))
	testkit.Must(e.t, err)
}

type openGate struct{}

func (openGate) Closed() string { return "" }

func (e *engine) startWorker() {
	e.t.Helper()
	ctx := e.t.Context()
	client, err := twitter.NewTwitterAPI(twitter.Config{Key: enginetest.ProviderKey, BaseURL: e.providerAt, Now: e.clock.Now})
	testkit.Must(e.t, err)
	batches, err := e.queue.ConsumeBatches(ctx)
	testkit.Must(e.t, err)
	refreshes, err := e.queue.ConsumeRefreshes(ctx)
	testkit.Must(e.t, err)
	exhausted, err := e.queue.ConsumeMaxDeliveries(ctx)
	testkit.Must(e.t, err)
	kept, err := e.queue.ConsumeKept(ctx)
	testkit.Must(e.t, err)
	audience, err := queue.NewSubscribers(e.queue)
	testkit.Must(e.t, err)
	w := worker.New(worker.Config{
		BatchSlots: 4, RefreshSlots: 2, Writes: 2, Grace: 10 * time.Second,
	}, worker.Parts{
		Batches: batches, Refreshes: refreshes, Exhausted: exhausted, Keeper: e.queue, Kept: kept,
		Lookups: lookup.New(lookup.Config{CallTimeout: 2 * time.Second, RatePause: 200 * time.Millisecond}, lookup.Parts{
			Providers: []*lookup.Provider{enginetest.Provider(e.source, client)}, Tweets: e.store, Clock: e.clock, Random: rand.Float64, Log: zerolog.Nop(),
		}),
		Store: e.store, Requests: e.store, Admission: e.admission(), Announcer: e.queue, Subscribers: audience, Clock: e.clock, Random: rand.Float64, Log: zerolog.Nop(),
	})
	testkit.Background(e.t, w.Run)
}

// admission admits what is published straight to the queue, with the default limits.
func (e *engine) admission() *refresh.Admission {
	return &refresh.Admission{Requests: e.store, Tweets: e.store, UserLimits: store.Limits{Cooldown: 2 * time.Second, Allowance: 120}}
}

func (e *engine) startServer(o options) {
	e.t.Helper()
	tokens := []string{e.entry("all", auth.Scopes(), e.service)}
	for _, scope := range auth.Scopes() {
		tokens = append(tokens, e.entry("only-"+string(scope), []auth.Scope{scope}, scopedToken(scope)))
	}
	known, err := auth.NewTokens(tokens)
	testkit.Must(e.t, err)
	users, err := auth.NewUsers(auth.UserConfig{Issuer: issuer, Secret: userSecret})
	testkit.Must(e.t, err)
	callers := access.New(e.db, e.clock)
	qstash, err := auth.NewQStash(auth.QStashConfig{
		Keys:      []auth.KeyPair{{Current: qstashKey, Next: "next-" + qstashKey}},
		PublicURL: publicURL, Uses: callers,
	})
	testkit.Must(e.t, err)
	zones, err := auth.NewZoneAccess(callers, nil, nil)
	testkit.Must(e.t, err)
	log := zerolog.New(e.log).Level(zerolog.InfoLevel) // as gorgone web does
	var lc net.ListenConfig
	listener, err := lc.Listen(e.t.Context(), "tcp", "127.0.0.1:0")
	testkit.Must(e.t, err)
	e.url = "http://" + listener.Addr().String()
	e.local, err = auth.NewLocal(listener.Addr(), cryptorand.Reader, time.Now)
	testkit.Must(e.t, err)
	config := web.Config{Version: "test", WebhookKey: webhookKey, Origins: []string{"https://app.example.com"}, Grace: 2 * time.Second}
	if o.config != nil {
		o.config(&config)
	}
	calls := throttle.Providers{e.source}
	refreshes := &refresh.Service{Requests: e.ledger, Queue: e.queue, Calls: calledWith{calls}, Clock: e.clock, Log: log}
	parts := web.Parts{
		Guard:  auth.NewGuard(auth.GuardConfig{QStash: qstash, Tokens: known, Users: users, Local: e.local, Log: log}),
		Access: zones, Local: e.local,
		Dispatcher: dispatcher.New(dispatcher.Config{
			Every: time.Second, BatchTweets: 100, Window: dispatcher.Window{Lease: e.queue.Lease(), First: 5000},
		}, e.store, e.queue, openGate{}, e.clock, zerolog.Nop()),
		Triggers: callers, Rules: callers, Pushed: pushed.New(e.db, e.clock, e.store), Requests: e.store, Tweets: e.store, Alerts: e.alerts, Poster: alert.NewPoster(2*time.Second, false, time.Now, "test"), Ledger: e.ledger,
		History: history.New(e.db, e.clock), Trials: trial.New(e.db, e.clock, history.New(e.db, e.clock), trial.Options{}), Reports: report.New(e.db, e.clock), Tracker: e.store, Settings: callers, Keys: clientKeys(e.t, e.db, e.clock), Refreshes: refreshes,
		Retrier: dispatcher.Retrier{Queue: e.queue, Rows: e.store, Tweets: e.store, Refreshes: refreshes, Clock: e.clock}, Pruner: e.store,
		Queue: e.queue, Connection: e.conn, Calls: calls, Pauses: pause.New(e.db, e.clock), Clock: e.clock,
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
	testkit.Must(e.t, err)
	if o.listener != nil {
		listener = o.listener(listener)
	}
	e.stop = testkit.Background(e.t, func(ctx context.Context) {
		if err := s.Serve(ctx, listener); err != nil {
			e.t.Errorf("serve: %v", err)
		}
	})
}

func newToken(tb testing.TB) string {
	tb.Helper()
	return "service-token-" + strings.Repeat("x", 20) + uuid.NewString()
}

func scopedToken(scope auth.Scope) string {
	return "token-that-may-only-" + string(scope) + strings.Repeat("-", 20)
}

func (e *engine) entry(name string, scopes []auth.Scope, token string) string {
	e.t.Helper()
	entry, err := auth.TokenEntry(name, scopes, token)
	testkit.Must(e.t, err)
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
	testkit.Must(e.t, err)
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": issuer, "aud": "authenticated", "sub": id.String(), "role": "authenticated",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(userSecret)
	testkit.Must(e.t, err)
	return id, token
}

// calledWith are the calls of tweets that all are looked up by the same key.
type calledWith struct{ throttle.Providers }

func (c calledWith) StoppedIn(uuid.UUID) (throttle.Stop, bool) { return c.Stopped() }

// sealedKeys seals what is set.
type sealedKeys struct {
	*keys.Store

	sealer *keys.Sealer
}

func (k sealedKeys) Set(ctx context.Context, set keys.Setting) (keys.Key, error) {
	return k.Store.Set(ctx, k.sealer, set)
}

func clientKeys(tb testing.TB, db *postgres.DB, clock keys.Clock) sealedKeys {
	tb.Helper()
	sealer, err := keys.ParseSecrets(base64.StdEncoding.EncodeToString([]byte("a secret of thirty-two bytes long")[:32]))
	testkit.Must(tb, err)
	return sealedKeys{keys.New(db, clock), sealer}
}
