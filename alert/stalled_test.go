package alert_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/alert"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
)

// TestStalledByIndex: the search for stalled tweets reads no whole table, of which
// one row in a hundred is due.
func TestStalledByIndex(t *testing.T) {
	t.Parallel()
	sql := pgtest.Connect(t, pgtest.NewDatabase(t))
	now, zone := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), uuid.New()
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`insert into clients (id, name) values ($1, 'client')`, []any{zone}},
		{`insert into zones (id, name, client_id, is_active, created_at, updated_at) values ($1, 'zone', $1, true, $2, $2)`, []any{zone, now}},
		{`insert into twitter_tweets (id, zone_id, tweet_id, text, twitter_created_at, raw_data)
			select gen_random_uuid(), $1, (1000000000000000000 + i)::text, repeat('text ', 30), $2, '{}' from generate_series(1, 60000) i`, []any{zone, now}},
		{`insert into twitter_engagement_tracking (tweet_db_id, zone_id, tier, next_update_at)
			select id, zone_id, 'hot', case when i <= 600 then $1::timestamptz - i * interval '1 millisecond' else $1::timestamptz + i * interval '1 second' end
			from (select id, zone_id, row_number() over (order by id) i from twitter_tweets) w`, []any{now}},
	} {
		_, err := sql.Exec(t.Context(), s.sql, s.args...)
		testkit.Must(t, err)
	}
	_, err := sql.Exec(t.Context(), `vacuum analyze twitter_tweets, twitter_engagement_tracking`)
	testkit.Must(t, err)
	statement, args := alert.StalledStatement([]uuid.UUID{zone, uuid.New()}, now.Add(-time.Hour))
	rows, err := sql.Query(t.Context(), "explain (analyze, buffers) "+statement, args...)
	testkit.Must(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	testkit.Must(t, err)
	plan := strings.Join(lines, "\n")
	if strings.Contains(plan, "Seq Scan on twitter_") {
		t.Errorf("it reads a whole table:\n%s", plan)
	}
	if !strings.Contains(plan, "gorgone_tracking_zone_due") || !strings.Contains(plan, "gorgone_tracking_retry") {
		t.Errorf("it does not follow its indexes:\n%s", plan)
	}
}
