package store_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/postgres/pgtest"
	"gorgone/store/postgres"
)

// adoptedSQL is the database of the product, before it is migrated.
func adoptedSQL(t *testing.T) string {
	t.Helper()
	sql, err := os.ReadFile("testdata/adopted.sql")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(sql), "UNIQUENESS", newerUniqueness)
}

// TestMisfits: what cannot work is named before anything is changed.
func TestMisfits(t *testing.T) {
	t.Parallel()
	adopted := adoptedSQL(t)
	for name, tc := range map[string]struct {
		sql  string
		want []string // parts of the error; none: it migrates
	}{
		"the product's":         {sql: adopted},
		"empty":                 {},
		"zones of another kind": {"create table zones (id bigint primary key, name text)", []string{"public.zones.id: found int8, want uuid", "another application's table", "public.zones.client_id: found missing"}},
		"other clients":         {"create table clients (id serial primary key)", []string{"public.clients.id: found int4", "public.clients.name"}},
		"no key":                {"create table clients (id uuid, name text, is_active bool)", []string{"public.clients.id: found not unique", "add unique (id)"}},
		"a view":                {"create view twitter_tweets as select 1 as id", []string{"public.twitter_tweets: found a view, want a table"}},
		"local times":           {adopted + `; alter table twitter_engagement_tracking alter next_update_at type timestamp`, []string{"public.twitter_engagement_tracking.next_update_at: found timestamp, want timestamptz", "using"}},
		"a column of ours":      {adopted + `; alter table twitter_engagement_tracking add column attempts text`, []string{"twitter_engagement_tracking.attempts: found text, want int4"}},
		"a renamed column":      {adopted + `; alter table twitter_tweets rename like_count to likes`, []string{"public.twitter_tweets.like_count: found missing", "add column like_count int4"}},
		"numbers as tweet ids":  {"create table twitter_tweets (id uuid primary key, tweet_id bigint)", []string{"public.twitter_tweets.tweet_id: found int8, want text or varchar"}},
		"a time that is always": {adopted + `; truncate twitter_engagement_tracking; alter table twitter_engagement_tracking alter next_update_at set not null`, []string{"twitter_engagement_tracking.next_update_at: found not null, want null allowed", "alter column next_update_at drop not null"}},
		"a column to fill in":   {adopted + `; alter table twitter_engagement_history add column source text not null default 'x'; alter table twitter_engagement_history alter source drop default`, []string{"twitter_engagement_history.source: found not null without a default, want a default, or null allowed"}},
		"one with a default":    {adopted + `; alter table twitter_engagement_history add column source text not null default 'x', add column number bigint generated always as identity`, nil},
		"tiers of its own":      {adopted + `; truncate twitter_engagement_tracking; alter table twitter_engagement_tracking add constraint "two tiers" check (tier in ('hot', 'cold'))`, []string{"twitter_engagement_tracking.tier: found a constraint that refuses ultra_hot, warm", `drop constraint "two tiers"`}},
		"something beside it":   {"create table tweets (id bigint); create table users (id bigint)", nil},
		"the same, elsewhere":   {"create schema app; create table app.zones (id bigint)", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.NewEmptyDatabase(t)
			raw := connectRaw(t, url)
			if _, err := raw.Exec(t.Context(), tc.sql); err != nil {
				t.Fatal(err)
			}
			_, err := postgres.Migrate(t.Context(), url)
			misfit, is := errors.AsType[*postgres.MisfitError](err)
			if is != (tc.want != nil) || !is && err != nil {
				t.Fatalf("error %v", err)
			}
			for _, part := range tc.want {
				if !strings.Contains(misfit.Error(), part) {
					t.Errorf("the error lacks %q:\n%v", part, misfit)
				}
			}
			var ours int
			if err := raw.QueryRow(t.Context(), `select count(*) from pg_namespace where nspname = 'gorgone'`).Scan(&ours); err != nil {
				t.Fatal(err)
			}
			if is && ours != 0 {
				t.Error("the database was changed")
			}
		})
	}
}

// TestAdoptedTypes: what a column may be otherwise, it may be.
func TestAdoptedTypes(t *testing.T) {
	t.Parallel()
	changes := []string{
		`alter table twitter_tweets drop column total_engagement`, `alter table twitter_engagement_history drop column total_engagement`,
		`alter table zones alter name type varchar(100)`,
		`alter table twitter_tweets alter tweet_id type varchar(32), alter text type varchar`,
		`alter table twitter_engagement_history alter engagement_velocity type float8`,
		`alter table twitter_engagement_tracking alter tier type varchar(20)`,
	}
	for _, c := range postgres.CountColumns {
		changes = append(changes, `alter table twitter_tweets alter `+c+` type bigint`, `alter table twitter_engagement_history alter `+c+` type bigint`)
	}
	for _, table := range []string{"twitter_tweets", "twitter_engagement_history"} {
		changes = append(changes, `alter table `+table+` add column total_engagement bigint generated always as (retweet_count + reply_count + like_count + quote_count) stored`)
	}
	for _, c := range postgres.DeltaColumns {
		changes = append(changes, `alter table twitter_engagement_history alter `+c+` type bigint`)
	}
	e := adopt(t, newerUniqueness, changes...)
	work := e.found(e.claim(t), 80)
	wantOutcomes(t, e.apply(t, work), map[engagement.RowOutcome]int{engagement.RowApplied: 2})
	points := e.snapshots(t, uuid.MustParse("b0000000-0000-0000-0000-000000000001"))
	if last := points[len(points)-1]; last.Metrics.Likes.Value() < 80 || last.Velocity == nil {
		t.Errorf("snapshot %+v", last)
	}
}
