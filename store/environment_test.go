package store_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// raise has the server refuse a statement with an error code.
func raise(tb testing.TB, e *env, code string) error {
	tb.Helper()
	_, err := e.raw.Exec(tb.Context(), `do $$ begin raise exception using errcode = '`+code+`', message = 'raised by a test'; end $$`)
	if !postgres.HasCode(err, code) {
		tb.Fatalf("raise %s: %v", code, err)
	}
	return err
}

// TestWhatARefusalSaysSomethingAbout: a row is at fault only by one of a few codes.
func TestWhatARefusalSaysSomethingAbout(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	for _, code := range []string{
		"21000", "22001", "22003", "22021", "22P02", "23502", "23503", "23505", "23514", "23P01", "27000", "44000", "54000", "P0001", "P0004",
	} {
		if err := raise(t, e, code); !postgres.Refused(err) || postgres.Unavailable(err) {
			t.Errorf("%s is not the data's", code)
		}
	}
	for _, code := range []string{
		"08006", "08P01", "0A000", "25006", "25P02", "25P03", "26000", "28000", "28P01", "3D000", "40001", "40P01", "42501", "42704", "42703", "42804",
		"42883", "42P01", "42P05", "53100", "53200", "53300", "53400", "55006", "55P03", "57014", "57P01", "57P02", "57P03", "58000", "58030", "72000",
		"F0000", "XX000", "XX001", "XX002", "HV000", "ZZ999",
	} {
		if err := raise(t, e, code); postgres.Refused(err) || !postgres.Unavailable(err) {
			t.Errorf("%s is not the database's", code)
		}
	}
	if err := raise(t, e, "25006"); postgres.Unavailable(errors.Join(err, context.Canceled)) {
		t.Error("a cancelled call is unavailable")
	}
	for _, err := range []error{nil, context.Canceled} {
		if postgres.Refused(err) || postgres.Unavailable(err) {
			t.Errorf("%v is the row's fault", err)
		}
	}
	if !postgres.Refused(engagement.ErrOutOfRange) {
		t.Error("a count that no column can hold is not the data's")
	}
	if postgres.Refused(&pgconn.ConnectError{}) {
		t.Error("a connection that was not made is the data's")
	}
}

// readOnly makes all later connections to the database read-only, as those to a standby
// are, or writable again.
func readOnly(tb testing.TB, e *env, on bool) {
	tb.Helper()
	u, err := url.Parse(e.url)
	if err != nil {
		tb.Fatal(err)
	}
	sql := `alter database ` + strings.TrimPrefix(u.Path, "/") + ` reset default_transaction_read_only`
	if on {
		sql = strings.Replace(sql, " reset default_transaction_read_only", " set default_transaction_read_only = on", 1)
	}
	e.exec(tb, sql)
}

// TestConnectionsThatAreReadOnlyAreThrownAway has a pool whose connections all lead to a
// standby while new ones lead to the primary.
func TestConnectionsThatAreReadOnlyAreThrownAway(t *testing.T) {
	t.Parallel()
	for _, mode := range []postgres.ExecMode{postgres.ExecPrepared, postgres.ExecPooled} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, mode)
			e.track(t, 4)
			batch := e.claim(t)
			readOnly(t, e, true)
			db := connect(t, postgres.Config{URL: e.url, ExecMode: mode, MaxConns: 6})
			occupy(t, db, 6)
			s := store.New(db, e.clock, store.Options{})
			if err := s.Ping(t.Context()); !errors.Is(err, postgres.ErrReadOnly) || !postgres.Unavailable(err) {
				t.Errorf("ping a read-only database: %v", err)
			}
			if _, err := s.Apply(t.Context(), e.found(batch, 1)); !postgres.HasCode(err, "25006") {
				t.Fatalf("wrote to a read-only database: %v", err)
			}
			occupy(t, db, 6)
			readOnly(t, e, false)
			wantOutcomes(t, must(s.Apply(t.Context(), e.found(batch, 1)))(t), map[engagement.RowOutcome]int{engagement.RowApplied: 4})
			occupy(t, db, 6)
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("ping after the failover: %v", err)
			}
		})
	}
}

// occupy has a pool hold so many connections at once, and give them back.
func occupy(tb testing.TB, db *postgres.DB, n int) {
	tb.Helper()
	var all, done sync.WaitGroup
	all.Add(n)
	for range n {
		done.Go(func() {
			err := db.Transact(tb.Context(), "occupy a connection", func(context.Context, *postgres.Tx) error {
				all.Done()
				all.Wait()
				return nil
			})
			if err != nil {
				tb.Error(err)
			}
		})
	}
	done.Wait()
}

// TestAMigrationUnderWorkFailsNothing: the product changes the types of columns that
// every connection has prepared statements on.
func TestAMigrationUnderWorkFailsNothing(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 3)
		read := func() {
			t.Helper()
			if _, err := e.FindTweet(t.Context(), tracked[0].TweetID); err != nil {
				t.Error(err)
			}
			if _, err := e.RefreshRequest(t.Context(), uuid.New()); !errors.Is(err, store.ErrRequestNotFound) {
				t.Error(err)
			}
			if _, err := e.Standings(t.Context(), []string{tracked[0].TweetID}); err != nil {
				t.Error(err)
			}
		}
		read()
		batch := e.claim(t)
		wantOutcomes(t, e.apply(t, e.found(batch, 1)), map[engagement.RowOutcome]int{engagement.RowApplied: 3})
		for _, sql := range []string{
			`alter table twitter_tweets alter tweet_id type varchar(64)`,
			`alter table twitter_engagement_tracking alter attempts type bigint, alter tier type varchar(20)`,
			`alter table gorgone.refresh_requests alter outcome type varchar(40)`,
			`alter table twitter_tweets add column a_new_one text`,
		} {
			e.exec(t, sql)
			read()
			e.exec(t, `update twitter_engagement_tracking set next_update_at = $1, last_updated_at = null`, e.clock.Now())
			e.clock.advance(2 * engagement.MinSnapshotGap)
			again := e.claim(t)
			wantOutcomes(t, e.apply(t, e.found(again, 2)), map[engagement.RowOutcome]int{engagement.RowApplied: 3})
			e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
		}
	})
}

// TestAColumnThatRefusesNullFromNowOn is filled with 0 as those that always did.
func TestAColumnThatRefusesNullFromNowOn(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 1)
		batch := e.claim(t)
		if _, err := e.db.RequiredColumns(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.exec(t, `alter table twitter_engagement_history alter view_count set not null`)
		work := e.found(batch, 1)
		work.Results[0].Observation.Metrics.Views = engagement.Count{}
		wantOutcomes(t, e.apply(t, work), map[engagement.RowOutcome]int{engagement.RowApplied: 1})
	})
}
