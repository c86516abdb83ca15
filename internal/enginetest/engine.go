// Package enginetest gives tests the ground that dispatcher, worker and web stand
// on: a database, a queue and a fake provider, of their own and real.
//
// A package that uses it has a TestMain, see package pgtest.
package enginetest

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gorgone/alert"
	"gorgone/internal/clock"
	"gorgone/internal/natsserver/natstest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/throttle"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
	"gorgone/worker/lookup"
)

// ProviderKey is the API key that the fake provider takes.
const ProviderKey = "key-of-the-double"

// Ground is what an engine is built on. It goes with the test.
type Ground struct {
	URL    string // of the database
	DB     *postgres.DB
	Store  *store.Store
	Alerts *alert.Manager // watches what the store writes
	Clock  *clock.Clock
	NATS   *natstest.Server // nil on a cluster
	Conn   *queue.Conn
	Queue  *queue.Queue
	Zone   store.Zone // an active one
}

// New returns a ground on a new database and a NATS server of its own. The queue's
// streams are in memory, and named after T where q does not say otherwise.
func New(tb testing.TB, q queue.Config) *Ground {
	tb.Helper()
	q.Memory = true
	return On(tb, pgtest.NewDatabase(tb), q)
}

// On is [New] on a database that is there, and migrated; streams are in memory only
// if q says so.
func On(tb testing.TB, url string, q queue.Config) *Ground {
	tb.Helper()
	server := natstest.Start(tb)
	g := on(tb, url, server.ClientURL(), q)
	g.NATS = server
	return g
}

// OnCluster is [On] with the streams on three servers each.
func OnCluster(tb testing.TB, cluster *natstest.Cluster, q queue.Config) *Ground {
	tb.Helper()
	q.Replicas = 3
	return on(tb, pgtest.NewDatabase(tb), cluster.URL(), q)
}

func on(tb testing.TB, url, nats string, q queue.Config) *Ground {
	tb.Helper()
	ctx := tb.Context()
	g := &Ground{URL: url}
	var err error
	g.DB, err = postgres.Connect(ctx, postgres.Config{URL: g.URL, MaxConns: 16})
	must(tb, err)
	tb.Cleanup(g.DB.Close)
	g.Clock, err = clock.New(ctx, g.DB, clock.Setting{})
	must(tb, err)
	g.Alerts = alert.NewManager(g.DB, g.Clock)
	g.Store = store.New(g.DB, g.Clock, store.Options{Watcher: g.Alerts})
	g.Conn, err = queue.Connect(ctx, queue.Options{URL: nats, Log: zerolog.Nop()})
	must(tb, err)
	tb.Cleanup(g.Conn.Close)
	if q.Prefix == "" {
		q.Prefix = "T"
	}
	g.Queue, err = queue.Open(ctx, g.Conn, q)
	must(tb, err)
	g.Zone, err = g.Store.CreateZone(ctx, store.Zone{Name: "test"})
	must(tb, err)
	return g
}

// FakeProvider starts a fake provider that knows n tweets, of which the oldest
// is 50 minutes old. It returns the address, too.
func (g *Ground) FakeProvider(tb testing.TB, n int, config fakeprovider.Config) (double *fakeprovider.Server, url string) {
	tb.Helper()
	population, err := fakeprovider.NewSynthetic(fakeprovider.Options{
		N: n, Seed: 7, Start: g.Clock.Now().Add(-50 * time.Minute), Spread: 40 * time.Minute,
	})
	if err != nil {
		tb.Fatal(err)
	}
	config.Population, config.Now, config.Key, config.LogSize = population, g.Clock.Now, ProviderKey, 10_000
	if double, err = fakeprovider.NewServer(config); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(double.Close)
	if url, err = double.Listen(tb.Context(), ""); err != nil {
		tb.Fatal(err)
	}
	return double, url
}

// Tweets are all that a fake provider knows, to be tracked without known counts.
func Tweets(double *fakeprovider.Server) (tweets []store.NewTweet) {
	for tw := range double.Population().All() {
		tweets = append(tweets, store.NewTweet{TweetID: tw.ID, CreatedAt: tw.CreatedAt, Text: "tweet " + tw.ID})
	}
	return tweets
}

// Source joins the pace, the circuit breaker and the account of a key, as a replica
// of its own. The breaker rests for as long as given at first, and up to seven times
// as long later.
func (g *Ground) Source(tb testing.TB, name, key string, rate float64, rest time.Duration) throttle.Provider {
	tb.Helper()
	ctx := tb.Context()
	pace, err := throttle.NewLimiter(ctx, g.Queue, throttle.LimiterConfig{Key: key, Rate: rate}, g.Clock)
	must(tb, err)
	tb.Cleanup(pace.Close)
	breaker, err := throttle.NewBreaker(ctx, g.Queue, throttle.BreakerConfig{
		Key: key, Provider: name, Rest: rest, MaxRest: 7 * rest, Streak: 12,
	}, g.Clock)
	must(tb, err)
	tb.Cleanup(breaker.Close)
	account, err := throttle.NewAccount(ctx, g.Queue, key, g.Clock)
	must(tb, err)
	return throttle.Provider{Name: name, Limiter: pace, Breaker: breaker, Account: account}
}

// Client is one of the clients of package twitter, through a gate.
type Client interface {
	LookupOnce(ctx context.Context, ids []string) (twitter.Answer, error)
	Balance(ctx context.Context) (twitter.Balance, error)
	MaxIDs() int
	Larger(ids int) bool
}

// throughGate is a client that makes its calls through a gate.
type throughGate[C Client] interface {
	Client
	Through(gate twitter.Gate) C
}

// Provider is a source as a worker asks it, by a client of its.
func Provider[C Client](s throttle.Provider, client throughGate[C]) *lookup.Provider {
	return &lookup.Provider{
		Name: s.Name, KeyID: "test", MaxIDs: client.MaxIDs, Larger: client.Larger,
		Lookup: func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			return client.Through(gate).LookupOnce(ctx, ids)
		},
		Balance: func(ctx context.Context, gate twitter.Gate) (twitter.Balance, error) {
			return client.Through(gate).Balance(ctx)
		},
		Batch: s.Limiter.Class(queue.ClassBatch), Refresh: s.Limiter.Class(queue.ClassRefresh),
		Limiter: s.Limiter, Breaker: s.Breaker, Account: s.Account,
	}
}
