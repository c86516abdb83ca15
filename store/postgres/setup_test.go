package postgres_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/postgres"
	"gorgone/store/report"
	"gorgone/store/storetest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// work does with a database what a day's work consists of, and returns what comes of it.
func work(t *testing.T, e *storetest.Env, db *postgres.DB) string {
	t.Helper()
	var (
		ctx     = t.Context()
		s       = store.New(db, e.Clock, store.Options{Watcher: e.Manager, GoneSpan: storetest.ShortSpan})
		archive = history.New(db, e.Clock)
		said    strings.Builder
	)
	say := func(v any, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintln(&said, v)
	}
	say(archive.EnsurePartitions(ctx, e.Clock.Now().AddDate(0, 0, -8), e.Clock.Now()))
	zone, err := s.CreateZone(ctx, store.Zone{Name: `a \n zone`, ID: uuid.MustParse("00000000-0000-0000-0000-00000000000a")})
	say(zone.Name, err)
	tracked, err := s.Track(ctx, zone.ID, storetest.NewTweets(e.Clock.Now().AddDate(0, 0, -6), 3))
	say(len(tracked), err)
	for n := range int64(3) {
		if _, err := db.Exec(ctx, `update public.twitter_engagement_tracking set next_update_at = $1::timestamptz`, e.Clock.Now()); err != nil {
			t.Error(err)
		}
		claimed, err := s.Claim(ctx, store.ClaimRequest{Tweets: 100, BatchTweets: 100, BatchRows: 100, Lease: storetest.Lease})
		say(len(claimed.Batches), err)
		for _, batch := range claimed.Batches {
			applied, err := s.Apply(ctx, e.Found(batch, 1000+10*n))
			say(len(applied.Rows), err)
		}
		e.Clock.Advance(2 * engagement.MinSnapshotGap)
	}
	for _, row := range tracked {
		points, err := archive.History(ctx, row.Row, history.Range{})
		say(len(points), err)
		for _, p := range points {
			velocity := 0.0
			if p.Velocity != nil {
				velocity = *p.Velocity
			}
			fmt.Fprintln(&said, p.At, velocity, p.Metrics.Likes, p.Deltas.Likes)
		}
	}
	err = archive.Export(ctx, zone.ID, history.Range{}, func(page []history.ExportRow) error {
		fmt.Fprintln(&said, len(page), page[0].Posted)
		return nil
	})
	say("exported", err)
	counts, err := report.New(db, e.Clock).Stats(ctx)
	say(fmt.Sprintf("%+v", counts), err)
	r, err := db.ReadClock(ctx)
	say(r.Answered.Sub(r.Database).Abs() < maxSkew, err)
	_, err = archive.Retain(ctx, history.Retention{Chosen: true, Full: 2 * 24 * 3600e9, Daily: 100 * 24 * 3600e9})
	say("cut", err)
	findings, err := db.Check(ctx)
	say("checked", err)
	for _, f := range findings {
		if !f.OK {
			fmt.Fprintln(&said, f)
		}
	}
	return said.String()
}

// maxSkew is by how much a reading of the clock may be off on a busy machine.
const maxSkew = 3600e9

// simple opens a connection that leaves nothing behind, as a pooler needs it.
func simple(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	testkit.Must(t, err)
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(t.Context(), config)
	testkit.Must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// databaseOf is the name of the database in a url.
func databaseOf(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	testkit.Must(t, err)
	return strings.TrimPrefix(u.Path, "/")
}

// with adds a parameter to a url.
func with(t *testing.T, dsn, name, value string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	testkit.Must(t, err)
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}
