package store_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/postgres/pgtest"
	"gorgone/store"
	"gorgone/store/postgres"
)

// migrate migrates and returns the names of the steps taken.
func migrate(tb testing.TB, url string) []string {
	tb.Helper()
	steps, err := postgres.Migrate(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.Name
	}
	return names
}

func TestMigrateEmpty(t *testing.T) {
	t.Parallel()
	url := pgtest.NewEmptyDatabase(t)
	if steps := migrate(t, url); len(steps) < 3 {
		t.Errorf("steps %v", steps)
	}
	if steps := migrate(t, url); len(steps) != 0 {
		t.Errorf("steps the second time: %v", steps)
	}
	e := openEnv(t, url, postgres.ExecPrepared)
	if have, want, err := e.db.SchemaVersion(t.Context()); err != nil || have != want || have == 0 {
		t.Errorf("version %d of %d (%v)", have, want, err)
	}
	// The keys, what is due, what waits for another try, what is gone, the few rows that lists by
	// velocity and by engagement begin with, and history by tweet: every further index is paid
	// for at each look.
	for table, want := range map[string]int{"twitter_engagement_tracking": 7, "twitter_engagement_history": 2} {
		if n := e.count(t, `select count(*) from pg_index where indrelid = to_regclass($1)`, "public."+table); n != want {
			t.Errorf("%s has %d indexes, want %d", table, n, want)
		}
	}
}

// TestMigrateAtOnce runs several migrations of one database at the same time.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.NewEmptyDatabase(t)
	var wg conc.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := postgres.Migrate(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if steps := migrate(t, url); len(steps) != 0 {
		t.Errorf("steps left: %v", steps)
	}
}

// adopt makes a database as the product has it, and migrates it.
func adopt(t *testing.T, uniqueness string, changes ...string) *env {
	t.Helper()
	sql, err := os.ReadFile("testdata/adopted.sql")
	if err != nil {
		t.Fatal(err)
	}
	url := pgtest.NewEmptyDatabase(t)
	raw := connectRaw(t, url)
	for _, part := range append([]string{strings.ReplaceAll(string(sql), "UNIQUENESS", uniqueness)}, changes...) {
		if _, err := raw.Exec(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	raw.Close()
	migrate(t, url)
	e := openEnv(t, url, postgres.ExecPrepared)
	e.zone = uuid.MustParse("a0000000-0000-0000-0000-000000000001")
	return e
}

const (
	olderUniqueness = "tweet_id"
	newerUniqueness = "zone_id, tweet_id"
)

func forEachAge(t *testing.T, test func(t *testing.T, uniqueness string)) {
	t.Helper()
	for name, uniqueness := range map[string]string{"older": olderUniqueness, "newer": newerUniqueness} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, uniqueness)
		})
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	forEachAge(t, func(t *testing.T, uniqueness string) {
		e := adopt(t, uniqueness)
		if steps := migrate(t, e.url); len(steps) != 0 {
			t.Errorf("steps the second time: %v", steps)
		}
		findings, err := e.db.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if !f.OK {
				t.Errorf("%s: %s (%s)", f.Check, f.Detail, f.Fix)
			}
		}
		if n := e.count(t, `select count(*) from twitter_engagement_history`); n != 4 {
			t.Errorf("%d rows of history, want the 4 there were", n)
		}
		// An index by tweet id is added only where none leads with it.
		want := map[string]int{olderUniqueness: 0, newerUniqueness: 1}[uniqueness]
		if n := e.count(t, `select count(*) from pg_class where relname = 'gorgone_tweets_tweet_id'`); n != want {
			t.Errorf("%d indexes added by tweet id, want %d", n, want)
		}
		if n, err := e.EnsurePartitions(t.Context(), epoch, epoch.Add(72*time.Hour)); n != 0 || err != nil {
			t.Errorf("%d partitions made of a table that has none (%v)", n, err)
		}
		oldInsertsWork(t, e)
	})
}

// oldInsertsWork runs the statements that the product's own code sends.
func oldInsertsWork(t *testing.T, e *env) {
	t.Helper()
	id := scalar[uuid.UUID](t, e, `
		insert into twitter_tweets (zone_id, tweet_id, text, twitter_created_at, retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count, raw_data)
		values ($1, '999', 'by the product', $2, 1, 2, 3, 4, 5, 6, '{"id": 999}') returning id`, e.zone, epoch)
	e.exec(t, `insert into twitter_engagement_tracking (tweet_db_id, tier, next_update_at) values ($1, 'ultra_hot', $2)`, id, epoch)
	e.exec(t, `insert into twitter_engagement_history (tweet_id, retweet_count, delta_retweets, engagement_velocity) values ($1, 1, 0, 1.5)`, id)
	e.exec(t, `update twitter_tweets set like_count = 4, updated_at = now() where id = $1`, id)
	e.exec(t, `delete from zones where name = 'second'`)
	if n := e.count(t, `select total_engagement from twitter_tweets where id = $1`, id); n != 11 {
		t.Errorf("total engagement %d, want 11", n)
	}
}

// TestAdoptedRows looks at the rows of an adopted database: the first deltas are
// against the last point of history, which is there twice.
func TestAdoptedRows(t *testing.T) {
	t.Parallel()
	forEachAge(t, func(t *testing.T, uniqueness string) {
		e := adopt(t, uniqueness)
		batch := e.claim(t)
		if len(batch.Tweets) != 2 {
			t.Fatalf("claimed %+v, want the two live ones", batch.Tweets)
		}
		work := e.found(batch, 0)
		for i := range work.Results {
			m := likes(80)
			m.Views = engagement.Known(600)
			work.Results[i].Observation.Metrics = m
		}
		wantOutcomes(t, e.apply(t, work), map[engagement.RowOutcome]int{engagement.RowApplied: 2})
		seen := uuid.MustParse("b0000000-0000-0000-0000-000000000001")
		points := e.snapshots(t, seen)
		last := points[len(points)-1]
		if len(points) != 5 || last.Deltas.Likes != engagement.Known(30) || last.Deltas.Views != engagement.Known(100) ||
			last.Velocity == nil || *last.Velocity < 89.9 || *last.Velocity > 90.1 { // 30 in 20 minutes
			t.Errorf("first snapshot of ours: %+v", last)
		}
		collected := e.snapshots(t, uuid.MustParse("b0000000-0000-0000-0000-000000000002"))
		if len(collected) != 1 || collected[0].Velocity != nil || collected[0].Deltas.Likes != engagement.Known(0) {
			t.Errorf("first snapshot of a tweet without history: %+v", collected)
		}
		// From now on the row itself knows.
		e.clock.advance(30 * time.Minute)
		e.exec(t, `delete from twitter_engagement_history`)
		work = e.found(e.claim(t), 100)
		e.apply(t, work)
		if points := e.snapshots(t, seen); len(points) != 1 || points[0].Deltas.Likes != engagement.Known(20) {
			t.Errorf("second snapshot of ours: %+v", points)
		}
	})
}

func TestAdoptedTrack(t *testing.T) {
	t.Parallel()
	forEachAge(t, func(t *testing.T, uniqueness string) {
		e := adopt(t, uniqueness)
		second := uuid.MustParse("a0000000-0000-0000-0000-000000000002")
		tweet := func(id string) store.NewTweet {
			return store.NewTweet{TweetID: id, CreatedAt: epoch.Add(-10 * time.Minute), Metrics: likes(11)}
		}
		statuses := func(zone uuid.UUID, ids ...string) (list []store.TrackStatus) {
			var tweets []store.NewTweet
			for _, id := range ids {
				tweets = append(tweets, tweet(id))
			}
			for _, w := range e.trackIn(t, zone, tweets) {
				list = append(list, w.Status)
			}
			return list
		}
		want := []store.TrackStatus{store.StatusAlready, store.StatusAlready, store.StatusTracked, store.StatusTracked}
		if got := statuses(e.zone, "101", "103", "104", "105"); !slices.Equal(got, want) {
			t.Errorf("in its zone: %v, want %v", got, want)
		}
		untracked := uuid.MustParse("b0000000-0000-0000-0000-000000000004")
		if points := e.snapshots(t, untracked); len(points) != 1 || points[0].Metrics.Likes != engagement.Known(11) {
			t.Errorf("baseline of a tweet collected by others: %+v", points)
		}
		if n := e.count(t, `select like_count from twitter_tweets where id = $1`, untracked); n != 11 {
			t.Errorf("%d likes, want those known now", n)
		}
		elsewhere := map[string]store.TrackStatus{olderUniqueness: store.StatusOtherZone, newerUniqueness: store.StatusTracked}[uniqueness]
		if got := statuses(second, "101"); got[0] != elsewhere {
			t.Errorf("in another zone: %v, want %v", got, elsewhere)
		}
	})
}

// TestAdoptedTrackObserved tracks a tweet that has history and no tracking row.
func TestAdoptedTrackObserved(t *testing.T) {
	t.Parallel()
	e := adopt(t, newerUniqueness, `delete from twitter_engagement_tracking`)
	row := e.trackIn(t, e.zone, []store.NewTweet{{TweetID: "101", CreatedAt: epoch, Metrics: likes(60)}})[0].Row
	e.apply(t, e.found(e.claim(t), 90))
	points := e.snapshots(t, row)
	if len(points) != 5 || points[4].Deltas.Likes != engagement.Known(40) {
		t.Errorf("history %+v, want a delta of 40 to the 50 of its last point", points)
	}
}

// TestAdoptedNotNull has a database that refuses null in counts: what is absent
// is stored as 0 there, and never over a known count.
func TestAdoptedNotNull(t *testing.T) {
	t.Parallel()
	var changes []string
	for _, column := range []string{"retweet_count", "reply_count", "like_count", "quote_count", "view_count", "bookmark_count"} {
		changes = append(changes, "alter table twitter_tweets alter "+column+" set not null",
			"alter table twitter_engagement_history alter "+column+" set not null")
	}
	changes = append(changes, "alter table twitter_engagement_history alter delta_views set not null",
		"update twitter_engagement_history set engagement_velocity = 0 where engagement_velocity is null",
		"alter table twitter_engagement_history alter engagement_velocity set not null")
	e := adopt(t, newerUniqueness, changes...)
	e.trackIn(t, e.zone, []store.NewTweet{
		{TweetID: "201", CreatedAt: epoch},
		{TweetID: "202", CreatedAt: epoch, Metrics: engagement.Metrics{Likes: engagement.Known(1)}},
	})
	e.exec(t, `update twitter_engagement_tracking set next_update_at = $1 where next_update_at is not null`, epoch)
	e.clock.advance(2 * time.Minute)
	work := e.found(e.claim(t), 0)
	for i := range work.Results {
		work.Results[i].Observation.Metrics = engagement.Metrics{Likes: engagement.Known(60)}
	}
	wantOutcomes(t, e.apply(t, work), map[engagement.RowOutcome]int{engagement.RowApplied: 4})
	if n := e.count(t, `select view_count from twitter_tweets where tweet_id = '101'`); n != 500 {
		t.Errorf("%d views, want the 500 known before", n)
	}
}

// TestMigrateBrokenIndex leaves the index of a build that was cut short.
func TestMigrateBrokenIndex(t *testing.T) {
	t.Parallel()
	e := adopt(t, newerUniqueness)
	if n := e.exec(t, `update pg_index set indisvalid = false where indexrelid = 'gorgone_tracking_zone_due'::regclass`); n != 1 {
		t.Fatal("no index to break")
	}
	if f := e.finding(t, "indexes"); f.OK || !strings.Contains(f.Detail, "gorgone_tracking_zone_due") || f.Fix == "" {
		t.Errorf("finding %+v", f)
	}
	if steps := migrate(t, e.url); !slices.Equal(steps, []string{"gorgone_tracking_zone_due"}) {
		t.Errorf("steps %v, want the index built again", steps)
	}
	if f := e.finding(t, "indexes"); !f.OK {
		t.Errorf("finding %+v", f)
	}
}

func (e *env) finding(t *testing.T, check string) postgres.Finding {
	t.Helper()
	findings, err := e.db.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("no finding on %s", check)
	return postgres.Finding{}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	t.Run("good", func(t *testing.T) {
		t.Parallel()
		findings, err := newEnv(t, postgres.ExecPooled).db.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if !f.OK || f.Fix != "" || f.Detail == "" {
				t.Errorf("%+v", f)
			}
		}
	})
	t.Run("never migrated", func(t *testing.T) {
		t.Parallel()
		e := openEnv(t, pgtest.NewEmptyDatabase(t), postgres.ExecPrepared)
		for _, check := range []string{"migrations", "tables and columns", "indexes"} {
			if f := e.finding(t, check); f.OK || f.Fix == "" {
				t.Errorf("%+v", f)
			}
		}
	})
	t.Run("hidden rows and missing rights", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t, postgres.ExecPrepared)
		e.exec(t, `do $$ begin
			create role bound login password 'bound';
			exception when duplicate_object then null;
		end $$`)
		e.exec(t, `grant usage on schema gorgone to bound`)
		e.exec(t, `grant select on all tables in schema public, gorgone to bound`)
		bound := openEnv(t, asRole(t, e.url, "bound", "bound"), postgres.ExecPrepared)
		if f := bound.finding(t, "row-level security"); f.OK || !strings.Contains(f.Detail, "twitter_engagement_tracking") {
			t.Errorf("%+v", f)
		}
		if f := bound.finding(t, "rights"); f.OK || !strings.Contains(f.Detail, "update on public.twitter_engagement_tracking") {
			t.Errorf("%+v", f)
		}
		if n := len(must(bound.Zones(context.Background()))(t)); n != 0 {
			t.Errorf("the role sees %d zones: the test proves nothing", n)
		}
		e.exec(t, `drop owned by bound`)
	})
}
