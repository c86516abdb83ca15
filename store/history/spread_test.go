package history_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorgone/internal/testkit"
	"gorgone/store/history"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

// stray puts points into days that have no partition: so many, spread evenly over all days
// and tweets, of which it makes ten if there are none.
func stray(t *testing.T, e *storetest.Env, points int, days ...time.Time) {
	t.Helper()
	if e.Count(t, `select count(*) from twitter_tweets`) == 0 {
		e.TrackIn(t, e.ZoneID, storetest.NewTweets(days[0], 10))
	}
	e.Exec(t, `insert into twitter_engagement_history (id, tweet_id, snapshot_at, like_count, engagement_velocity, provider)
		select gen_random_uuid(), w.ids[n % cardinality(w.ids) + 1], ($1::timestamptz[])[n % cardinality($1) + 1] + n * interval '4 seconds', n, n + 0.5, 'twitterapi.io'
		from generate_series(0, $2::int4 - 1) n, (select array_agg(id order by id) ids from twitter_tweets) w`, days, points)
}

// daysOf lists days from the first on.
func daysOf(first time.Time, n int) (days []time.Time) {
	for i := range n {
		days = append(days, first.Add(time.Duration(i)*aDay))
	}
	return days
}

// strayState lists the partitions, and what a spread would leave over.
func strayState(t *testing.T, e *storetest.Env) (names []string, left int) {
	t.Helper()
	names = strings.Split(storetest.Scalar[string](t, e, `select coalesce(string_agg(c.relname, ' ' order by c.relname), '') from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = 'twitter_engagement_history'::regclass and c.relname <> 'history_default'`), " ")
	left = e.Count(t, `select (select count(*) from gorgone.history_merge) + (select count(*) from gorgone.history_changes)
		+ (select count(*) from pg_trigger where tgname like 'gorgone_merge%') + (select count(*) from pg_constraint where conname = 'within_month')
		+ (select count(*) from pg_class where relname like 'history_spread%')`)
	return names, left
}

// TestStraysComeHome: points of days that had no partition come to have one, whether they
// are few or many, but for those of a time that cannot be.
func TestStraysComeHome(t *testing.T) {
	t.Parallel()
	now := storetest.Epoch()
	recent := daysOf(now.Truncate(aDay).Add(-2*aDay), 3)
	november := daysOf(time.Date(2025, 11, 5, 0, 0, 0, 0, time.UTC), 4)
	for name, points := range map[string]int{"few": 200, "many": 12_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) {
				e.Exec(t, `alter table twitter_engagement_history add column note text default 'of the product'`)
				stray(t, e, points, slices.Concat(november, recent)...)
				stray(t, e, 3, time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
				_, err := e.EnsurePartitions(t.Context(), november[0].AddDate(0, 1, 0), november[0].AddDate(0, 1, 0))
				testkit.Must(t, err)
				all := fingerprint(t, e)
				if found := partitionsFinding(t, e); found.OK || !strings.Contains(found.Detail, "3 snapshots in gorgone.history_default") {
					t.Errorf("%+v", found)
				}
				did, err := e.Merge(t.Context(), history.Retention{Chosen: true, Full: 30 * aDay})
				if err != nil || did.Strays != points {
					t.Errorf("%+v, %v", did, err)
				}
				if did = merge(t, e, history.Retention{Chosen: true, Full: 30 * aDay}); did.Strays != 0 || fingerprint(t, e) != all {
					t.Errorf("%+v, after: %s, before: %s", did, fingerprint(t, e), all)
				}
				names, left := strayState(t, e)
				want := []string{"history_2025_12_05", "history_2026_02_27", "history_2026_02_28", "history_2026_03_01"}
				if name == "many" {
					want = append([]string{"history_2025_11"}, append(want, "history_2026_03_02", "history_2026_03_03", "history_2026_03_04")...)
				} else {
					want = append([]string{"history_2025_11_05", "history_2025_11_06", "history_2025_11_07", "history_2025_11_08"}, want...)
				}
				if !slices.Equal(names, want) || left != 0 {
					t.Errorf("%v and %d things; want %v", names, left, want)
				}
				if n := e.Count(t, `select count(*) from gorgone.history_default`); n != 3 {
					t.Errorf("%d points are left in the default partition", n)
				}
				// The foreign key, its cascade and the index by tweet hold for what was moved.
				n := e.Count(t, `select count(*) from twitter_engagement_history where tweet_id <> (select max(id::text)::uuid from twitter_tweets)`)
				e.Exec(t, `delete from twitter_tweets where id = (select max(id::text)::uuid from twitter_tweets)`)
				if is := e.Count(t, `select count(*) from twitter_engagement_history`); is != n {
					t.Errorf("%d points after a tweet was deleted, want %d", is, n)
				}
				if n := e.Count(t, `select count(*) from pg_index i join pg_inherits h on h.inhrelid = i.indrelid
					where h.inhparent = 'twitter_engagement_history'::regclass and not exists (select from pg_inherits where inhrelid = i.indexrelid)
					and pg_get_indexdef(i.indexrelid) not like '%brin%'`); n != 0 {
					t.Errorf("%d indexes are not of the history", n)
				}
			})
		})
	}
}

// TestStraysSurviveEveryBreak breaks the connection at each statement of each step while
// many points are moved out of the default partition.
func TestStraysSurviveEveryBreak(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	stray(t, e, 10_500, daysOf(e.Clock.Now().Truncate(aDay), 1)...)
	breakEveryStatement(t, e)
	if names, left := strayState(t, e); len(names) < 4 || left != 0 || e.Count(t, `select count(*) from gorgone.history_default`) != 0 {
		t.Errorf("%v, %d things are left over", names, left)
	}
}

// TestASpreadBeginsAgain: what was copied out of the default partition is thrown away when
// that is emptied, or one of the partitions was made by hand.
func TestASpreadBeginsAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"truncate":   `truncate gorgone.history_default`,
		"empty all":  `truncate public.twitter_engagement_history`,
		"new column": `alter table public.twitter_engagement_history add column note text default 'new'`,
		"lost":       `drop table gorgone.history_spread`,
		"by hand": `begin; delete from gorgone.history_default where snapshot_at >= '2026-02-27' and snapshot_at < '2026-02-28';
			create table gorgone.history_2026_02_27_own partition of public.twitter_engagement_history for values from ('2026-02-27') to ('2026-02-28');
			drop table gorgone.history_2026_02_27;
			alter table gorgone.history_2026_02_27_own rename to history_2026_02_27; commit`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := storetest.New(t, postgres.ExecPrepared)
			stray(t, e, 12_000, daysOf(time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC), 3)...)
			if found := partitionsFinding(t, e); found.OK || !strings.HasPrefix(found.Detail, "12000 snapshots are in the default partition") {
				t.Errorf("%+v", found)
			}
			reading, err := e.Raw.Begin(t.Context())
			testkit.Must(t, err)
			defer reading.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // it only reads
			_, err = reading.Exec(t.Context(), `select from public.twitter_tweets`)
			testkit.Must(t, err)
			did, err := e.Merge(t.Context(), forever())
			if err != nil || !did.Busy || did.Points != 12_000 {
				t.Fatalf("%+v, %v", did, err)
			}
			testkit.Must(t, reading.Rollback(t.Context()))
			for sql := range strings.SplitSeq(change, ";") {
				e.Exec(t, sql)
			}
			all := fingerprint(t, e)
			merge(t, e, forever())
			if is := fingerprint(t, e); is != all {
				t.Errorf("after: %s, before: %s", is, all)
			}
			if names, left := strayState(t, e); left != 0 || e.Count(t, `select count(*) from gorgone.history_default`) != 0 {
				t.Errorf("%v, %d things are left over", names, left)
			}
			if _, err := e.EnsurePartitions(t.Context(), e.Clock.Now(), e.Clock.Now().Add(aDay)); err != nil {
				t.Error(err)
			}
			if names, _ := strayState(t, e); !slices.Contains(names, "history_2026_03_02") {
				t.Errorf("a day after is not made: %v", fmt.Sprint(names))
			}
		})
	}
}

// partitionsFinding is what doctor says about the partitions.
func partitionsFinding(t *testing.T, e *storetest.Env) postgres.Finding {
	t.Helper()
	findings, err := e.DB.Check(t.Context())
	testkit.Must(t, err)
	return findings[slices.IndexFunc(findings, func(f postgres.Finding) bool { return f.Check == "history partitions" })]
}
