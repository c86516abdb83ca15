package history_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/internal/testkit"
	"gorgone/store/history"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

// forever keeps everything.
func forever() history.Retention { return history.Retention{Chosen: true} }

// fingerprint is of all columns of all points.
func fingerprint(t *testing.T, e *storetest.Env) string {
	t.Helper()
	return storetest.Scalar[string](t, e, `select count(*) || ' ' || coalesce(sum(hashtextextended(h::text, 0)::numeric), 0) from twitter_engagement_history h`)
}

// partitions counts those of days and those of months.
func partitions(t *testing.T, e *storetest.Env) (days, months int) {
	t.Helper()
	const sql = `select count(*) from pg_inherits where inhparent = 'twitter_engagement_history'::regclass and inhrelid::regclass::text ~ $1`
	return e.Count(t, sql, `_\d\d_\d\d$`), e.Count(t, sql, `history_\d{4}_\d\d$`)
}

// oldDays makes partitions from a day until the clock's, and points of some tweets in each.
func oldDays(t *testing.T, e *storetest.Env, first time.Time, tweets int) {
	t.Helper()
	daysUntil(t, e, first, e.Clock.Now(), tweets)
}

// turnOfTheYear is oldDays from the last days of December on, but for most of January and February, which are too young
// to be merged: three days are left of them.
func turnOfTheYear(t *testing.T, e *storetest.Env, days, tweets int) {
	t.Helper()
	daysUntil(t, e, time.Date(2026, 1, 1-days, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC), tweets)
	_, err := e.EnsurePartitions(t.Context(), e.Clock.Now(), e.Clock.Now())
	testkit.Must(t, err)
	e.Exec(t, `insert into twitter_engagement_history (tweet_id, snapshot_at) select id, $1 from twitter_tweets`, e.Clock.Now().Add(-time.Hour))
}

// daysUntil makes partitions from a day until another, and points of some tweets in each.
func daysUntil(t *testing.T, e *storetest.Env, first, last time.Time, tweets int) {
	t.Helper()
	_, err := e.EnsurePartitions(t.Context(), first, last)
	testkit.Must(t, err)
	e.TrackIn(t, e.ZoneID, storetest.NewTweets(first, tweets))
	e.Exec(t, `insert into twitter_engagement_history (id, tweet_id, snapshot_at, like_count, engagement_velocity, provider)
		select gen_random_uuid(), w.id, d + n * interval '5 hours' + interval '7 minutes', n, n + 0.5, 'twitterapi.io'
		from twitter_tweets w, generate_series($1::timestamptz, $2::timestamptz, interval '1 day') d, generate_series(0, 3) n`,
		first, last.Add(-15*time.Hour))
}

// merge merges until nothing is left to do.
func merge(t *testing.T, e *storetest.Env, r history.Retention) (sum history.Merged) {
	t.Helper()
	for {
		did, err := e.Merge(t.Context(), r)
		testkit.Must(t, err)
		if did == (history.Merged{}) {
			return sum
		}
		sum.Months, sum.Points = sum.Months+did.Months, sum.Points+did.Points
	}
}

// TestMergeKeepsEveryPoint merges November, of which only the last days have a partition,
// and December, and then cuts December down and drops it.
func TestMergeKeepsEveryPoint(t *testing.T) {
	t.Parallel()
	storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) {
		e.Exec(t, `alter table twitter_engagement_history add column note text default 'of the product'`)
		oldDays(t, e, time.Date(2025, 11, 21, 0, 0, 0, 0, time.UTC), 20)
		e.Exec(t, `insert into twitter_engagement_history (tweet_id, snapshot_at) select id, '2025-11-05 12:00:00+00' from twitter_tweets limit 3`)
		all := fingerprint(t, e)
		did := merge(t, e, forever())
		if did.Months != 2 || did.Points != (10+31)*4*20+3 { // those of November 5 came to have a day
			t.Errorf("%+v", did)
		}
		if is := fingerprint(t, e); is != all {
			t.Errorf("after: %s, before: %s", is, all)
		}
		days, months := partitions(t, e)
		if days != 31+28+1 || months != 2 {
			t.Errorf("%d days, %d months", days, months)
		}
		if n := e.Count(t, `select count(*) from gorgone.history_2025_11`); n != 10*4*20+3 {
			t.Errorf("November has %d points", n)
		}
		findings, err := e.DB.Check(t.Context())
		testkit.Must(t, err)
		for _, f := range findings {
			if !f.OK && f.Fix != "" {
				t.Errorf("%+v", f)
			}
		}
		if n := e.Count(t, `select (select count(*) from gorgone.history_merge) + (select count(*) from gorgone.history_changes)
			+ (select count(*) from pg_trigger where tgname like 'gorgone_merge%')`); n != 0 {
			t.Errorf("%d things are left over", n)
		}
		// A month is the partition of its days, whatever is written to them.
		dec := time.Date(2025, 12, 10, 5, 7, 0, 0, time.UTC)
		if n, err := e.EnsurePartitions(t.Context(), dec.Add(-aDay), dec.Add(aDay)); n != 0 || err != nil {
			t.Errorf("made %d partitions of a day in a month (%v)", n, err)
		}
		e.Exec(t, `insert into twitter_engagement_history (tweet_id, snapshot_at) select id, $1 from twitter_tweets order by id limit 1`, dec)
		e.Exec(t, `delete from twitter_tweets where id = (select max(id::text)::uuid from twitter_tweets)`)
		if n := e.Count(t, `select count(*) from gorgone.history_2025_12`); n != 31*4*19+1 {
			t.Errorf("December has %d points", n)
		}
		cutDown(t, e, dec)
	})
}

// cutDown has retention end in a month, and after it.
func cutDown(t *testing.T, e *storetest.Env, at time.Time) {
	t.Helper()
	later := e.Count(t, `select count(*) from twitter_engagement_history where snapshot_at >= $1`, at.Truncate(aDay))
	keep := history.Retention{Chosen: true, Full: e.Clock.Now().Sub(at)}
	did, err := e.Retain(t.Context(), keep)
	if err != nil || did.Dropped != 1 || did.Deleted != 9*4*19 {
		t.Errorf("%+v, %v", did, err)
	}
	if n := e.Count(t, `select count(*) from twitter_engagement_history`); n != later {
		t.Errorf("%d points are left, want %d", n, later)
	}
	keep.Full = e.Clock.Now().Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if did, err = e.Retain(t.Context(), keep); err != nil || did.Dropped != 1 || did.Deleted != 0 {
		t.Errorf("%+v, %v", did, err)
	}
	if days, months := partitions(t, e); months != 0 || days != 31+28+1 {
		t.Errorf("%d days, %d months", days, months)
	}
}

// TestMergeOnlyWhatStays: a month is not copied that is dropped soon, and not before its
// days are as coarse as they get.
func TestMergeOnlyWhatStays(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	oldDays(t, e, time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC), 2)
	for _, r := range []history.Retention{
		{Chosen: true, Full: 200 * aDay},
		{Chosen: true, Full: 20 * aDay, Hourly: 1000 * aDay},
		{Chosen: true, Full: 100 * aDay, Daily: 1000 * aDay},
	} {
		if did := merge(t, e, r); did != (history.Merged{}) {
			t.Errorf("%+v: %+v", r, did)
		}
	}
	r := history.Retention{Chosen: true, Full: 20 * aDay, Daily: 1000 * aDay}
	e.Exec(t, `insert into gorgone.history_days (day, grain, slices, done)
		select d, 'hour', 16, true from generate_series('2025-12-01'::date, '2026-03-01'::date, interval '1 day') d`)
	if did := merge(t, e, r); did != (history.Merged{}) {
		t.Errorf("one point an hour: %+v", did)
	}
	e.Exec(t, `update gorgone.history_days set grain = 'day'`)
	if did := merge(t, e, r); did.Months != 1 {
		t.Errorf("one point a day: %+v", did)
	}
	// A day of a month is thinned too, when a setting says so later.
	e.Exec(t, `delete from gorgone.history_days where day = '2025-12-05'`)
	did, err := e.Retain(t.Context(), r)
	if err != nil || did.Downsampled != 2*3 {
		t.Errorf("%+v, %v", did, err)
	}
	// What waits for consent stays, so it is merged.
	other := storetest.New(t, postgres.ExecPrepared)
	oldDays(t, other, time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC), 2)
	if did := merge(t, other, history.Retention{Full: 30 * aDay}); did.Months != 1 {
		t.Errorf("before consent: %+v", did)
	}
}

// TestMergeSurvivesEveryBreak breaks the connection at each statement of each step, before
// it is sent and after. Nothing is lost or doubled at any time, and the merge goes on.
func TestMergeSurvivesEveryBreak(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	turnOfTheYear(t, e, 2, 3)
	breaks := breakEveryStatement(t, e)
	if days, months := partitions(t, e); months != 1 || days != 3 || breaks < 50 {
		t.Errorf("%d breaks: %d days, %d months", breaks, days, months)
	}
}

// breakEveryStatement merges, and breaks the connection at each statement of each step,
// before it is sent and after.
func breakEveryStatement(t *testing.T, e *storetest.Env) (breaks int) {
	t.Helper()
	all := fingerprint(t, e)
	through, wire := storetest.NewWire(t, e.URL)
	broken := history.New(storetest.Connect(t, postgres.Config{URL: through, ExecMode: postgres.ExecPrepared, MaxConns: 2}), e.Clock)
	const state = `select coalesce((select m::text from gorgone.history_merge m), 'none') || (select count(*) from pg_inherits)`
	steps := 0
	for done := false; !done; {
		was := storetest.Scalar[string](t, e, state)
		for n := 1; ; n++ {
			for _, after := range []bool{false, true} {
				wire.BreakAt(n, after)
				did, err := broken.Merge(t.Context(), forever())
				if err != nil {
					breaks++
				}
				if is := fingerprint(t, e); is != all {
					t.Fatalf("break %d, step %d, statement %d: %s, before: %s", breaks, steps, n, is, all)
				}
				done = err == nil && did == (history.Merged{})
			}
			if done || storetest.Scalar[string](t, e, state) != was {
				break
			}
		}
		steps++
	}
	wire.BreakAt(0, false)
	t.Logf("%d breaks in %d steps", breaks, steps)
	return breaks
}

// TestMergeWaitsForNobody: while a transaction of the product is open, a merge comes as far
// as it can, and the product's other writes go on.
func TestMergeWaitsForNobody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, holds string }{
		{"a dump", `select count(*) from public.twitter_tweets`},
		{"a reader of a day", `select count(*) from gorgone.history_2025_12_30`},
		{"a writer", `update public.twitter_tweets set like_count = 1`},
		{"a writer of an old day", `update public.twitter_engagement_history set like_count = 1 where snapshot_at < '2026-01-01'`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := storetest.New(t, postgres.ExecPrepared)
			turnOfTheYear(t, e, 3, 3)
			product, err := e.Raw.Begin(t.Context())
			testkit.Must(t, err)
			defer product.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // ended below
			_, err = product.Exec(t.Context(), c.holds)
			testkit.Must(t, err)
			var wg conc.WaitGroup
			var tried atomic.Bool
			writes := 0
			wg.Go(func() {
				for ; !tried.Load(); writes++ {
					e.Exec(t, `insert into public.twitter_engagement_history (tweet_id, snapshot_at) select id, $1 from twitter_tweets limit 1`, e.Clock.Now())
				}
			})
			for range 3 {
				did, err := e.Merge(t.Context(), forever())
				if err != nil || !did.Busy || did.Months != 0 {
					t.Errorf("%+v, %v", did, err)
				}
			}
			tried.Store(true)
			wg.Wait()
			testkit.Must(t, product.Commit(t.Context()))
			all := fingerprint(t, e)
			if did := merge(t, e, forever()); did.Months != 1 || writes == 0 || fingerprint(t, e) != all {
				t.Errorf("then %+v, beside %d writes", did, writes)
			}
		})
	}
}

// TestMergeBeginsAgain: what a merge has copied is thrown away when a day is emptied or
// dropped, the table is changed, or the retention is shortened.
func TestMergeBeginsAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"truncate":   `truncate gorgone.history_2025_12_30`,
		"drop":       `drop table gorgone.history_2025_12_30`,
		"new column": `alter table public.twitter_engagement_history add column note text default 'new'`,
		"empty all":  `truncate public.twitter_engagement_history`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := halfMerged(t)
			e.Exec(t, change)
			all := fingerprint(t, e)
			merge(t, e, forever())
			if is := fingerprint(t, e); is != all {
				t.Errorf("after: %s, before: %s", is, all)
			}
		})
	}
	t.Run("retention", func(t *testing.T) {
		t.Parallel()
		e := halfMerged(t)
		_, err := e.Retain(t.Context(), history.Retention{Chosen: true, Full: e.Clock.Now().Sub(time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC))})
		testkit.Must(t, err)
		all := fingerprint(t, e)
		if did := merge(t, e, forever()); did.Months != 1 || fingerprint(t, e) != all {
			t.Errorf("%+v, %s, before: %s", did, fingerprint(t, e), all)
		}
	})
}

// halfMerged is a history of which December is copied, and cannot take its days' place.
func halfMerged(t *testing.T) *storetest.Env {
	t.Helper()
	e := storetest.New(t, postgres.ExecPrepared)
	turnOfTheYear(t, e, 3, 3)
	reading, err := e.Raw.Begin(t.Context())
	testkit.Must(t, err)
	defer reading.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // it only reads
	_, err = reading.Exec(t.Context(), `select from public.twitter_tweets`)
	testkit.Must(t, err)
	did, err := e.Merge(t.Context(), forever())
	if err != nil || !did.Busy || did.Points != 3*4*3 {
		t.Fatalf("%+v, %v", did, err)
	}
	return e
}
