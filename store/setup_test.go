package store_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"gorgone/engagement"
	"gorgone/internal/postgres/pgtest"
	"gorgone/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(runner(func() int { return pgtest.Run(m) }))
}

type runner func() int

func (r runner) Run() int { return r() }

// epoch is when the tests' time begins.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// handClock is a clock that is moved by hand.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) Engine(d time.Duration) time.Duration { return d }

func (c *handClock) Real(d time.Duration) time.Duration { return d }

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// env is a database of a test's own with one zone in it.
type env struct {
	*store.Store
	db    *store.DB
	clock *handClock
	zone  uuid.UUID
	url   string        // direct
	raw   *pgxpool.Pool // what the database really holds
}

// inEachMode runs a test with prepared statements and without, as behind a
// transaction pooler.
func inEachMode(t *testing.T, test func(t *testing.T, e *env)) {
	t.Helper()
	for _, mode := range []store.ExecMode{store.ExecPrepared, store.ExecPooled} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			test(t, newEnv(t, mode))
		})
	}
}

func newEnv(tb testing.TB, mode store.ExecMode) *env {
	tb.Helper()
	e := openEnv(tb, pgtest.NewDatabase(tb), mode)
	e.zone = e.newZone(tb)
	return e
}

// openEnv opens a migrated database.
func openEnv(tb testing.TB, url string, mode store.ExecMode) *env {
	tb.Helper()
	e := &env{url: url, clock: &handClock{now: epoch}, raw: connectRaw(tb, url)}
	via := url
	if mode == store.ExecPooled {
		via = throughPooler(tb, url)
	}
	e.db = connect(tb, store.Config{URL: via, ExecMode: mode, MaxConns: 12})
	e.Store = store.New(e.db, e.clock, store.Options{Random: func() float64 { return 0.5 }})
	return e
}

func connect(tb testing.TB, config store.Config) *store.DB {
	tb.Helper()
	db, err := store.Connect(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db
}

func connectRaw(tb testing.TB, url string) *pgxpool.Pool {
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
	program := os.Getenv("GORGONE_TEST_PGBOUNCER")
	if program == "" {
		return url
	}
	return startPgBouncer(tb, program, url)
}

func (e *env) newZone(tb testing.TB) uuid.UUID {
	tb.Helper()
	zone, err := e.CreateZone(tb.Context(), store.Zone{Name: "zone"})
	if err != nil {
		tb.Fatal(err)
	}
	return zone.ID
}

// track tracks n tweets, posted just now, without counts: due at once.
func (e *env) track(tb testing.TB, n int) []store.Tracked {
	tb.Helper()
	return e.trackIn(tb, e.zone, newTweets(e.clock.Now(), n))
}

func (e *env) trackIn(tb testing.TB, zone uuid.UUID, tweets []store.NewTweet) []store.Tracked {
	tb.Helper()
	tracked, err := e.Track(tb.Context(), zone, tweets)
	if err != nil {
		tb.Fatal(err)
	}
	return tracked
}

func newTweets(at time.Time, n int) []store.NewTweet {
	tweets := make([]store.NewTweet, n)
	for i := range tweets {
		tweets[i] = store.NewTweet{TweetID: engagement.TweetIDAt(at, int64(i)), CreatedAt: at}
	}
	return tweets
}

// claim claims everything that is due, in one batch.
func (e *env) claim(tb testing.TB) store.Batch {
	tb.Helper()
	claimed := e.claimIn(tb, 100_000)
	if len(claimed.Batches) != 1 {
		tb.Fatalf("claimed %d batches, want 1: %+v", len(claimed.Batches), claimed)
	}
	return claimed.Batches[0]
}

const lease = 3 * time.Minute

func (e *env) claimIn(tb testing.TB, batchTweets int) store.Claimed {
	tb.Helper()
	claimed, err := e.Claim(tb.Context(), store.ClaimRequest{
		Tweets: 100_000, BatchTweets: batchTweets, BatchRows: 100_000, Lease: lease,
	})
	if err != nil {
		tb.Fatal(err)
	}
	if claimed.Busy {
		tb.Fatal("claim lock is busy")
	}
	return claimed
}

// found answers every tweet of a batch with n likes, seen now.
func (e *env) found(batch store.Batch, n int64) store.Work {
	work := store.Work{ClaimID: batch.ClaimID}
	for _, w := range batch.Tweets {
		work.Results = append(work.Results, store.Result{
			TweetID: w.TweetID, Rows: w.Rows, Kind: store.Found,
			Observation: engagement.Observation{At: e.clock.Now(), Metrics: likes(n)},
		})
	}
	return work
}

func (e *env) apply(tb testing.TB, work store.Work) store.Applied {
	tb.Helper()
	applied, err := e.Apply(tb.Context(), work)
	if err != nil {
		tb.Fatal(err)
	}
	return applied
}

// likes are metrics with n likes and all other counts 0.
func likes(n int64) engagement.Metrics {
	zero := engagement.Known(0)
	return engagement.Metrics{
		Retweets: zero, Replies: zero, Likes: engagement.Known(n), Quotes: zero, Views: zero, Bookmarks: zero,
	}
}

func (e *env) exec(tb testing.TB, sql string, args ...any) int {
	tb.Helper()
	tag, err := e.raw.Exec(tb.Context(), sql, args...)
	if err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return int(tag.RowsAffected())
}

func (e *env) count(tb testing.TB, sql string, args ...any) int {
	tb.Helper()
	return scalar[int](tb, e, sql, args...)
}

func scalar[T any](tb testing.TB, e *env, sql string, args ...any) T {
	tb.Helper()
	var v T
	if err := e.raw.QueryRow(tb.Context(), sql, args...).Scan(&v); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return v
}

// wantOutcomes checks how many rows had which outcome.
func wantOutcomes(tb testing.TB, applied store.Applied, want map[store.Outcome]int) {
	tb.Helper()
	got := make(map[store.Outcome]int)
	for _, r := range applied.Rows {
		got[r.Outcome]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		tb.Errorf("outcomes %v, want %v", got, want)
	}
}

// snapshots returns the history of a row.
func (e *env) snapshots(tb testing.TB, row uuid.UUID) []engagement.Snapshot {
	tb.Helper()
	points, err := e.History(context.WithoutCancel(tb.Context()), row, store.HistoryRange{})
	if err != nil {
		tb.Fatal(err)
	}
	return points
}

// asRole returns the url with another role.
func asRole(tb testing.TB, dsn, role, password string) string {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	u.User = url.UserPassword(role, password)
	return u.String()
}

// must returns a value, or fails the test on an error: must(f())(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}
