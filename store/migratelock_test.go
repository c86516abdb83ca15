package store_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/store/postgres"
)

// TestAMigrationBlocksNoWriter: while a transaction of the product holds its tables, a
// migration waits for its locks, and nothing waits behind the migration.
func TestAMigrationBlocksNoWriter(t *testing.T) {
	t.Parallel()
	adopted, err := os.ReadFile("testdata/adopted.sql")
	testkit.Must(t, err)
	url := pgtest.NewEmptyDatabase(t)
	holder, writer, watcher := pgtest.Connect(t, url), pgtest.Connect(t, url), pgtest.Connect(t, url)
	ctx := t.Context()
	_, err = holder.Exec(ctx, strings.ReplaceAll(string(adopted), "UNIQUENESS", newerUniqueness))
	testkit.Must(t, err)
	open, err := holder.Begin(ctx)
	testkit.Must(t, err)
	_, err = open.Exec(ctx, `lock table twitter_tweets, twitter_engagement_tracking in row exclusive mode`)
	testkit.Must(t, err)

	migrated := make(chan error, 1)
	migrating, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t.Cleanup(cancel)
	go func() {
		_, err := postgres.Migrate(migrating, url)
		migrated <- err
	}()
	// The oracle: a write that waits for another's lock for 5 s fails.
	_, err = writer.Exec(ctx, `set lock_timeout = '5s'`)
	testkit.Must(t, err)
	waits, seen := 0, false
	for waits < 3 {
		for _, table := range []string{"twitter_tweets", "twitter_engagement_tracking"} {
			if _, err := writer.Exec(ctx, `update `+table+` set created_at = created_at`); err != nil {
				t.Fatalf("a writer of %s waits behind the migration: %v", table, err)
			}
		}
		var waiting bool
		testkit.Must(t, watcher.QueryRow(ctx, `select exists (select from pg_locks where not granted and mode = 'AccessExclusiveLock')`).Scan(&waiting))
		if waiting && !seen {
			waits++
		}
		seen = waiting
		select {
		case err := <-migrated:
			t.Fatalf("the migration ended while the tables were in use: %v", err)
		default:
		}
	}
	testkit.Must(t, open.Rollback(ctx))
	testkit.Must(t, <-migrated)
}
