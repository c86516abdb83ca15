package store_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store"
	"gorgone/store/postgres"
)

// TestLargeTable has a large table of which one row in a hundred is due. The
// statements of the hot path must go by index, and the cold rows are estimated.
//
// The plans in docs/data-model.md are those of a million rows:
//
//	GORGONE_TEST_ROWS=1000000 go test ./store -run TestLargeTable -v
func TestLargeTable(t *testing.T) {
	t.Parallel()
	rows := testRows(t, 60_000)
	e := newEnv(t, postgres.ExecPrepared)
	populate(t, e, rows, rows/100)

	stats := must(e.Stats(t.Context()))(t)
	if !stats.ColdEstimated || stats.Total() < rows*9/10 || stats.Total() > rows*11/10 || stats.DueUnclaimed != rows/100 {
		t.Errorf("stats %+v", stats)
	}
	ids := column[uuid.UUID](t, e, `select tweet_db_id from twitter_engagement_tracking where next_update_at <= $1 limit 100`, epoch)
	tweets := column[string](t, e, `select tweet_id from twitter_tweets where id = any($1)`, ids)
	list := regexp.MustCompile(`'\{[^}]{50,}\}'`)
	for _, s := range store.HotStatements(epoch, ids, []uuid.UUID{e.zone, uuid.New()}, tweets) {
		plan := strings.Join(column[string](t, e, "explain (analyze, buffers) "+s.SQL, s.Args...), "\n")
		plan = list.ReplaceAllString(plan, "'{…}'")
		t.Logf("%s\n%s", s.Name, plan)
		if strings.Contains(plan, "Seq Scan on twitter_") {
			t.Errorf("%s reads a whole table:\n%s", s.Name, plan)
		}
		if strings.HasPrefix(s.Name, "claim: due") && (!strings.Contains(plan, "gorgone_tracking_zone_due") || strings.Contains(plan, "Sort")) {
			t.Errorf("%s does not follow its index:\n%s", s.Name, plan)
		}
		if strings.HasPrefix(s.Name, "track: ") && !strings.Contains(plan, "gorgone_tweets_author") {
			t.Errorf("%s does not follow its index:\n%s", s.Name, plan)
		}
	}
}

// testRows is how large a table is to be.
func testRows(tb testing.TB, otherwise int) int {
	tb.Helper()
	if text := os.Getenv("GORGONE_TEST_ROWS"); text != "" {
		return must(strconv.Atoi(text))(tb)
	}
	return otherwise
}

// column returns the first column of all rows that a query finds.
func column[T any](t *testing.T, e *env, sql string, args ...any) []T {
	t.Helper()
	rows, err := e.raw.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	return must(pgx.CollectRows(rows, pgx.RowTo[T]))(t)
}
