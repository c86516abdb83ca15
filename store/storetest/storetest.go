// Package storetest gives tests a database of their own, with everything that reads and writes the schedule open on it,
// a clock that is moved by hand, and short ways to track, claim and answer tweets.
package storetest

import (
	"context"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/postgres/pgtest"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/postgres"
	"gorgone/store/report"
)

// Epoch is when the clock of an Env begins: 1 March 2026, 12:00 UTC.
func Epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// ShortSpan is how long a tweet must be missing here: four misses when it was seen before,
// six otherwise.
const ShortSpan = engagement.GoneSpan(6 * time.Minute)

// Lease is how long claims of an Env last.
const Lease = 3 * time.Minute

// Clock is a clock that is moved by hand. It is safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	now  time.Time
	leap time.Duration // the database's clock ahead of this machine's
}

// Now implements store.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Engine implements store.Clock: engine time is as fast as real time.
func (c *Clock) Engine(d time.Duration) time.Duration { return d }

// Real implements store.Clock.
func (c *Clock) Real(d time.Duration) time.Duration { return d }

// Agrees implements store.Clock.
func (c *Clock) Agrees() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leap.Abs() > clock.MaxDisagreement {
		return clock.ErrDisagreement
	}
	return nil
}

// Leap sets the database's clock forward, or back, and leaves that of this machine.
func (c *Clock) Leap(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.leap = c.now.Add(d), c.leap+d
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Env is a database of a test's own with one zone in it.
type Env struct {
	*store.Store
	*history.Archive
	*report.Reader
	*alert.Manager

	DB     *postgres.DB
	Clock  *Clock
	ZoneID uuid.UUID
	URL    string        // direct, not through a pooler
	Raw    *pgxpool.Pool // what the database really holds
}

// InEachMode runs a test with prepared statements and without, as behind a
// transaction pooler.
func InEachMode(t *testing.T, test func(t *testing.T, e *Env)) {
	t.Helper()
	for _, mode := range []postgres.ExecMode{postgres.ExecPrepared, postgres.ExecPooled} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			test(t, New(t, mode))
		})
	}
}

// New returns an Env on a new database.
func New(tb testing.TB, mode postgres.ExecMode) *Env {
	tb.Helper()
	e := Open(tb, pgtest.NewDatabase(tb), mode)
	e.ZoneID = e.NewZone(tb)
	return e
}

// Open opens a migrated database.
func Open(tb testing.TB, url string, mode postgres.ExecMode) *Env {
	tb.Helper()
	e := &Env{URL: url, Clock: &Clock{now: Epoch()}, Raw: ConnectRaw(tb, url)}
	via := url
	if mode == postgres.ExecPooled {
		via = throughPooler(tb, url)
	}
	e.DB = Connect(tb, postgres.Config{URL: via, ExecMode: mode, MaxConns: 12})
	e.Archive, e.Reader = history.New(e.DB, e.Clock), report.New(e.DB, e.Clock)
	e.Manager = alert.NewManager(e.DB, e.Clock)
	e.Store = store.New(e.DB, e.Clock, store.Options{Watcher: e.Manager, GoneSpan: ShortSpan, Random: func() float64 { return 0.5 }})
	return e
}

// Connect connects to a database until the test ends.
func Connect(tb testing.TB, config postgres.Config) *postgres.DB {
	tb.Helper()
	db, err := postgres.Connect(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db
}

// ConnectRaw opens a pool past what is under test, until the test ends.
func ConnectRaw(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	pool, err := pgxpool.New(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// throughPooler returns a url for a database that leads through a transaction
// pooler, when the variable GORGONE_TEST_PGBOUNCER names PgBouncer's program, and
// the url itself otherwise.
func throughPooler(tb testing.TB, url string) string {
	tb.Helper()
	if os.Getenv("GORGONE_TEST_PGBOUNCER") == "" {
		return url
	}
	return PgBouncer(tb, url)
}

// NewZone creates an active zone.
func (e *Env) NewZone(tb testing.TB) uuid.UUID {
	tb.Helper()
	zone, err := e.CreateZone(tb.Context(), store.Zone{Name: "zone"})
	if err != nil {
		tb.Fatal(err)
	}
	return zone.ID
}

// TrackNew tracks n tweets, posted just now, without counts: due at once.
func (e *Env) TrackNew(tb testing.TB, n int) []store.Tracked {
	tb.Helper()
	return e.TrackIn(tb, e.ZoneID, NewTweets(e.Clock.Now(), n))
}

// TrackIn tracks tweets in a zone.
func (e *Env) TrackIn(tb testing.TB, zone uuid.UUID, tweets []store.NewTweet) []store.Tracked {
	tb.Helper()
	tracked, err := e.Track(tb.Context(), zone, tweets)
	if err != nil {
		tb.Fatal(err)
	}
	return tracked
}

// NewTweets returns n tweets that were posted at a time, without counts.
func NewTweets(at time.Time, n int) []store.NewTweet {
	tweets := make([]store.NewTweet, n)
	for i := range tweets {
		tweets[i] = store.NewTweet{TweetID: engagement.TweetIDAt(at, int64(i)), CreatedAt: at}
	}
	return tweets
}

// ClaimAll claims everything that is due, in one batch.
func (e *Env) ClaimAll(tb testing.TB) store.Batch {
	tb.Helper()
	claimed := e.ClaimIn(tb, 100_000)
	if len(claimed.Batches) != 1 {
		tb.Fatalf("claimed %d batches, want 1: %+v", len(claimed.Batches), claimed)
	}
	return claimed.Batches[0]
}

// ClaimIn claims everything that is due, in batches of a size.
func (e *Env) ClaimIn(tb testing.TB, batchTweets int) store.Claimed {
	tb.Helper()
	claimed, err := e.Claim(tb.Context(), store.ClaimRequest{
		Tweets: 100_000, BatchTweets: batchTweets, BatchRows: 100_000, Lease: Lease,
	})
	if err != nil {
		tb.Fatal(err)
	}
	if claimed.Busy {
		tb.Fatal("claim lock is busy")
	}
	return claimed
}

// Found answers every tweet of a batch with n likes, seen now.
func (e *Env) Found(batch store.Batch, n int64) store.Work {
	work := store.Work{ClaimID: batch.ClaimID}
	for _, w := range batch.Tweets {
		work.Results = append(work.Results, store.Result{
			TweetID: w.TweetID, Rows: w.Rows, Kind: store.Found,
			Observation: engagement.Observation{At: e.Clock.Now(), Metrics: Likes(n)},
		})
	}
	return work
}

// MustApply applies work.
func (e *Env) MustApply(tb testing.TB, work store.Work) store.Applied {
	tb.Helper()
	applied, err := e.Apply(tb.Context(), work)
	if err != nil {
		tb.Fatal(err)
	}
	return applied
}

// Likes are metrics with n likes and all other counts 0.
func Likes(n int64) engagement.Metrics {
	zero := engagement.Known(0)
	return engagement.Metrics{
		Retweets: zero, Replies: zero, Likes: engagement.Known(n), Quotes: zero, Views: zero, Bookmarks: zero,
	}
}

// Exec runs a statement and returns the number of rows.
func (e *Env) Exec(tb testing.TB, sql string, args ...any) int {
	tb.Helper()
	tag, err := e.Raw.Exec(tb.Context(), sql, args...)
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return int(tag.RowsAffected())
}

// Count returns the number that a query selects.
func (e *Env) Count(tb testing.TB, sql string, args ...any) int {
	tb.Helper()
	return Scalar[int](tb, e, sql, args...)
}

// Scalar returns the value that a query selects.
func Scalar[T any](tb testing.TB, e *Env, sql string, args ...any) T {
	tb.Helper()
	var v T
	if err := e.Raw.QueryRow(tb.Context(), sql, args...).Scan(&v); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return v
}

// Snapshots returns the history of a row.
func (e *Env) Snapshots(tb testing.TB, row uuid.UUID) []engagement.Snapshot {
	tb.Helper()
	points, err := e.History(context.WithoutCancel(tb.Context()), row, history.Range{})
	if err != nil {
		tb.Fatal(err)
	}
	return points
}

// AsRole returns the url with another role.
func AsRole(tb testing.TB, dsn, role, password string) string {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	u.User = url.UserPassword(role, password)
	return u.String()
}

// Refreshed answers a refresh of a tweet with n likes, seen now.
func (e *Env) Refreshed(tweetID string, n int64) store.RefreshResult {
	return store.RefreshResult{
		TweetID: tweetID, RequestedAt: e.Clock.Now(), Kind: store.Found,
		Observation: engagement.Observation{At: e.Clock.Now(), Metrics: Likes(n)},
	}
}

// MustRefresh applies results of refreshes.
func (e *Env) MustRefresh(tb testing.TB, results ...store.RefreshResult) store.Applied {
	tb.Helper()
	applied, err := e.ApplyRefresh(tb.Context(), results)
	if err != nil {
		tb.Fatal(err)
	}
	return applied
}

// Value returns a value, or ends the test on an error: Value(f())(t).
func Value[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}
