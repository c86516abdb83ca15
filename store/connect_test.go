package store_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/postgres/pgtest"
	"gorgone/store"
	"gorgone/store/postgres"
)

func TestConnectFails(t *testing.T) {
	t.Parallel()
	good := pgtest.NewEmptyDatabase(t)
	closed := must(net.Listen("tcp4", "127.0.0.1:0"))(t)
	_ = closed.Close()
	tests := []struct {
		name        string
		config      postgres.Config
		unavailable bool
	}{
		{"not a url", postgres.Config{URL: "postgres://u:secret@host:port/db"}, false},
		{"no server", postgres.Config{URL: "postgres://u:secret@" + closed.Addr().String() + "/db"}, true},
		{"a wrong password", postgres.Config{URL: asRole(t, good, "gorgone", "secret")}, true},
		{"an unknown mode", postgres.Config{URL: good, ExecMode: "fast"}, false},
	}
	for _, tt := range tests {
		_, err := postgres.Connect(t.Context(), tt.config)
		if err == nil {
			t.Errorf("%s: connected", tt.name)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", tt.name, err)
		}
		if postgres.Unavailable(err) != tt.unavailable {
			t.Errorf("%s: unavailable is %v: %v", tt.name, !tt.unavailable, err)
		}
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Zones(ctx); err == nil || postgres.Unavailable(err) {
		t.Errorf("a cancelled call is unavailable: %v", err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := e.Zones(late); !postgres.Unavailable(err) {
		t.Errorf("a call out of time is not: %v", err)
	}
	e.exec(t, `drop table zones cascade`)
	if _, err := e.Zones(t.Context()); !postgres.Unavailable(err) || postgres.Refused(err) {
		t.Errorf("a missing table is taken for a fault of the data: %v", err)
	}
	// Every connection is cut, as by a restart: the pool's next use of one
	// says so, the one after connects again.
	e.exec(t, `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()`)
	for range 20 {
		if _, err := e.db.ClockSetting(t.Context()); err == nil {
			return
		} else if !postgres.Unavailable(err) {
			t.Errorf("a cut connection is not unavailable: %v", err)
		}
	}
	t.Error("the pool does not recover")
}

// TestStatementTimeout has a lock that is not given back. The time-out leaves room
// for what is not held up, on a machine that is busy.
func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	for _, mode := range []postgres.ExecMode{postgres.ExecPrepared, postgres.ExecPooled} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, mode)
			e.track(t, 1)
			batch := e.claim(t)
			db := connect(t, postgres.Config{URL: e.url, ExecMode: mode, StatementTimeout: 3 * time.Second})
			s := store.New(db, e.clock, store.Options{})
			blocker := must(e.raw.Begin(t.Context()))(t)
			if _, err := blocker.Exec(t.Context(), `select from twitter_tweets for update`); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Apply(t.Context(), e.found(batch, 1)); err == nil {
				t.Error("applied over a lock")
			}
			if err := blocker.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantOutcomes(t, must(s.Apply(t.Context(), e.found(batch, 1)))(t), map[engagement.RowOutcome]int{engagement.RowApplied: 1})
		})
	}
}

func TestZones(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		id := uuid.New()
		zone := must(e.CreateZone(t.Context(), store.Zone{ID: id, Name: "another"}))(t)
		if zone.ID != id || !zone.Active || zone.ClientID == uuid.Nil {
			t.Errorf("created %+v", zone)
		}
		if again := must(e.CreateZone(t.Context(), store.Zone{ID: id, Name: "renamed"}))(t); again != zone {
			t.Errorf("created again: %+v, want %+v", again, zone)
		}
		if zones := must(e.Zones(t.Context()))(t); len(zones) != 2 || zones[0] != zone {
			t.Errorf("zones %+v", zones)
		}
		if _, err := e.Zone(t.Context(), uuid.New()); !errors.Is(err, store.ErrZoneNotFound) {
			t.Errorf("unknown zone: %v", err)
		}
		for _, bad := range []store.Zone{{}, {Name: "of an unknown client", ClientID: uuid.New()}} {
			if z, err := e.CreateZone(t.Context(), bad); err == nil {
				t.Errorf("created %+v", z)
			}
		}
	})
}

func TestClockSetting(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		if s := must(e.db.ClockSetting(t.Context()))(t); !s.Real() {
			t.Errorf("setting of a new database: %+v", s)
		}
		fast := clock.Setting{Database: epoch, Engine: epoch.Add(-time.Hour), Speed: 600}
		if err := e.db.SetClockSetting(t.Context(), fast); !errors.Is(err, postgres.ErrNotPrivate) {
			t.Errorf("a fast clock on a database that is not private: %v", err)
		}
		if err := e.db.SetClockSetting(t.Context(), clock.Setting{Speed: 1}); err != nil {
			t.Errorf("real time: %v", err)
		}
		if must(e.db.Private(t.Context()))(t) {
			t.Error("private unasked")
		}
		for range 2 {
			if err := e.db.MarkPrivate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !must(e.db.Private(t.Context()))(t) {
			t.Error("not private")
		}
		if err := e.db.SetClockSetting(t.Context(), fast); err != nil {
			t.Fatal(err)
		}
		if s := must(e.db.ClockSetting(t.Context()))(t); s != fast {
			t.Errorf("setting %+v, want %+v", s, fast)
		}
		// The engine's clock runs on it.
		c := must(clock.New(t.Context(), e.db, fast))(t)
		if want := fast.At(c.Database()); c.Now().Sub(want).Abs() > time.Minute {
			t.Errorf("engine time %v, want about %v", c.Now(), want)
		}
		if must(e.db.Private(t.Context()))(t) != true {
			t.Error("the setting took the mark away")
		}
	})
}
