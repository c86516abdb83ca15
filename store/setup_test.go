package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// epoch is when the tests' time begins.
var epoch = storetest.Epoch()

const (
	lease     = storetest.Lease
	shortSpan = storetest.ShortSpan
)

// env is a [storetest.Env], with shorter names and what only the tests of this package need.
type env struct {
	*storetest.Env
	db    *postgres.DB
	clock *handClock
	zone  uuid.UUID
	url   string
	raw   *pgxpool.Pool
}

// handClock is a clock that is moved by hand.
type handClock struct{ *storetest.Clock }

func (c handClock) advance(d time.Duration) { c.Advance(d) }

func envOf(e *storetest.Env) *env {
	return &env{Env: e, db: e.DB, clock: &handClock{e.Clock}, zone: e.ZoneID, url: e.URL, raw: e.Raw}
}

func inEachMode(t *testing.T, test func(t *testing.T, e *env)) {
	t.Helper()
	storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) { t.Helper(); test(t, envOf(e)) })
}

func newEnv(tb testing.TB, mode postgres.ExecMode) *env {
	tb.Helper()
	return envOf(storetest.New(tb, mode))
}

func openEnv(tb testing.TB, url string, mode postgres.ExecMode) *env {
	tb.Helper()
	return envOf(storetest.Open(tb, url, mode))
}

func connect(tb testing.TB, config postgres.Config) *postgres.DB {
	tb.Helper()
	return storetest.Connect(tb, config)
}

func connectRaw(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	return storetest.ConnectRaw(tb, url)
}

func asRole(tb testing.TB, dsn, role, password string) string {
	tb.Helper()
	return storetest.AsRole(tb, dsn, role, password)
}

func newTweets(at time.Time, n int) []store.NewTweet { return storetest.NewTweets(at, n) }

func likes(n int64) engagement.Metrics { return storetest.Likes(n) }

func (e *env) newZone(tb testing.TB) uuid.UUID { tb.Helper(); return e.NewZone(tb) }

func (e *env) track(tb testing.TB, n int) []store.Tracked {
	tb.Helper()
	return e.trackIn(tb, e.zone, newTweets(e.clock.Now(), n))
}

func (e *env) trackIn(tb testing.TB, zone uuid.UUID, tweets []store.NewTweet) []store.Tracked {
	tb.Helper()
	return e.TrackIn(tb, zone, tweets)
}

func (e *env) claim(tb testing.TB) store.Batch { tb.Helper(); return e.ClaimAll(tb) }

func (e *env) claimIn(tb testing.TB, tweets int) store.Claimed {
	tb.Helper()
	return e.ClaimIn(tb, tweets)
}

func (e *env) found(batch store.Batch, n int64) store.Work { return e.Found(batch, n) }

func (e *env) apply(tb testing.TB, work store.Work) store.Applied {
	tb.Helper()
	return e.MustApply(tb, work)
}

func (e *env) exec(tb testing.TB, sql string, args ...any) int {
	tb.Helper()
	return e.Exec(tb, sql, args...)
}

func (e *env) count(tb testing.TB, sql string, args ...any) int {
	tb.Helper()
	return e.Count(tb, sql, args...)
}

func (e *env) snapshots(tb testing.TB, row uuid.UUID) []engagement.Snapshot {
	tb.Helper()
	return e.Snapshots(tb, row)
}

func scalar[T any](tb testing.TB, e *env, sql string, args ...any) T {
	tb.Helper()
	return storetest.Scalar[T](tb, e.Env, sql, args...)
}

// wantOutcomes checks how many rows had which outcome.
func wantOutcomes(tb testing.TB, applied store.Applied, want map[engagement.RowOutcome]int) {
	tb.Helper()
	got := make(map[engagement.RowOutcome]int)
	for _, r := range applied.Rows {
		got[r.Outcome]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		tb.Errorf("outcomes %v, want %v", got, want)
	}
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
