package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

// TestWatchBuilds: what a migration builds, and what that waits for, is told while it is so.
func TestWatchBuilds(t *testing.T) {
	t.Parallel()
	address := pgtest.NewDatabase(t)
	raw := storetest.ConnectRaw(t, address)
	_, err := raw.Exec(t.Context(), `drop index public.gorgone_tweets_zone_posted`)
	testkit.Must(t, err)
	writer, err := raw.Begin(t.Context())
	testkit.Must(t, err)
	_, err = writer.Exec(t.Context(), `update public.twitter_tweets set text = text`)
	testkit.Must(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told := make(chan postgres.Build)
	watched, migrated := make(chan error, 1), make(chan error, 1)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		watched <- postgres.WatchBuilds(watching, address, func(b postgres.Build) {
			select {
			case told <- b:
			case <-watching.Done():
			}
		})
	}()
	go func() {
		steps, err := postgres.Migrate(ctx, address)
		if err == nil && (len(steps) != 1 || steps[0].Name != "gorgone_tweets_zone_posted") {
			err = errors.New("the index was not built")
		}
		migrated <- err
	}()
	want := postgres.Build{Index: "gorgone_tweets_zone_posted", Phase: "waiting for writers before build", Unit: "transactions", Total: 1}
	for found := false; !found; {
		select {
		case b := <-told:
			found = b == want
		case err := <-migrated:
			t.Fatalf("migrated though a writer was under way: %v", err)
		case <-ctx.Done():
			t.Fatal("the waiting build was not told of")
		}
	}
	testkit.Must(t, writer.Rollback(t.Context()))
	for ended := false; !ended; {
		select {
		case <-told:
		case err := <-migrated:
			testkit.Must(t, err)
			ended = true
		}
	}
	stop()
	testkit.Must(t, <-watched)
	if err := postgres.WatchBuilds(t.Context(), "postgres://127.0.0.1:1/none", nil); err == nil {
		t.Error("a database that is not there was watched")
	}
}
