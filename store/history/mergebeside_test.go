package history_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/sourcegraph/conc"

	"gorgone/internal/testkit"
	"gorgone/store/history"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

// TestWritesBesideAMerge writes to a month while it is merged: all that is written is there
// afterwards, and nothing that was deleted.
func TestWritesBesideAMerge(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	turnOfTheYear(t, e, 10, 60)
	writes := besideWrites(t, e, time.Date(2025, 12, 22, 0, 0, 0, 0, time.UTC), func(did history.Merged) bool { return did.Months > 0 })
	if days, months := partitions(t, e); days != 3 || months != 1 || writes < 30 {
		t.Errorf("%d days, %d months, %d writes", days, months, writes)
	}
}

// TestWritesBesideASpread writes to the default partition while it is emptied, by moving
// what it has or, as that is much, by copying it.
func TestWritesBesideASpread(t *testing.T) {
	t.Parallel()
	for name, points := range map[string]int{"moved": 3_000, "copied": 80_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := storetest.New(t, postgres.ExecPrepared)
			first := e.Clock.Now().Truncate(aDay).Add(-9 * aDay)
			e.TrackIn(t, e.ZoneID, storetest.NewTweets(first, 60))
			stray(t, e, points, daysOf(first, 10)...)
			besideWrites(t, e, first, func(did history.Merged) bool { return did.Strays == 0 })
			ahead := map[string]int{"moved": 0, "copied": 3}[name]
			if days, months := partitions(t, e); days != 10+ahead || months != 0 || e.Count(t, `select count(*) from gorgone.history_default`) != 0 {
				t.Errorf("%d days, %d months", days, months)
			}
		})
	}
}

// besideWrites merges until that is done, beside writes to ten days from the first on, and
// holds the history against a shadow of it.
func besideWrites(t *testing.T, e *storetest.Env, first time.Time, done func(history.Merged) bool) (writes int) {
	t.Helper()
	// Whoever waits at all is looked at, so that no deadlock goes by because a merge gives up.
	e.Exec(t, fmt.Sprintf(`alter database %s set deadlock_timeout = '1ms'`, pgx.Identifier{e.Raw.Config().ConnConfig.Database}.Sanitize()))
	e.Raw.Reset()
	e.Exec(t, `create table shadow as select id, tweet_id, snapshot_at, like_count from twitter_engagement_history`)
	e.Exec(t, `create index on shadow (snapshot_at, id)`)
	e.Exec(t, `create index on shadow (id)`)
	e.Exec(t, `create index on shadow (tweet_id)`)
	var writing conc.WaitGroup
	var merged atomic.Bool
	writing.Go(func() {
		random := rand.New(rand.NewPCG(1, 2))
		for ; writes < 300 && !merged.Load(); writes++ {
			writeOld(t, e, random, first)
		}
	})
	did, err := e.Merge(t.Context(), forever())
	for err == nil && !done(did) {
		did, err = e.Merge(t.Context(), forever())
	}
	merged.Store(true)
	writing.Wait()
	testkit.Must(t, err)
	if n := storetest.Scalar[int](t, e, `select count(*) from (
		(select id, tweet_id, snapshot_at, like_count from twitter_engagement_history except all table shadow)
		union all (table shadow except all select id, tweet_id, snapshot_at, like_count from twitter_engagement_history)) d`); n != 0 {
		t.Errorf("%d points differ after %d writes", n, writes)
	}
	return writes
}

// TestMergeWaitsForNoTweet: while tweets are deleted, a merge that copies points of theirs
// gives up instead of waiting, since it may hold what the deletion needs next.
func TestMergeWaitsForNoTweet(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	turnOfTheYear(t, e, 3, 30)
	reader, err := e.Raw.Begin(t.Context())
	testkit.Must(t, err)
	defer reader.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing was written
	_, err = reader.Exec(t.Context(), `select count(*) from gorgone.history_2025_12_30`)
	testkit.Must(t, err)
	if did, err := e.Merge(t.Context(), forever()); err != nil || did.Points != 360 || !did.Busy {
		t.Fatalf("all but the swap: %+v, %v", did, err)
	}
	e.Exec(t, `update twitter_engagement_history set like_count = like_count + 1`) // is copied again
	product, err := e.Raw.Begin(t.Context())
	testkit.Must(t, err)
	defer product.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // it is only to be in the way
	_, err = product.Exec(t.Context(), `delete from twitter_tweets where id = (select max(id::text)::uuid from twitter_tweets)`)
	testkit.Must(t, err)
	var wg conc.WaitGroup
	var did history.Merged
	tried := make(chan struct{})
	wg.Go(func() {
		defer close(tried)
		did, err = e.Merge(t.Context(), forever())
	})
	defer wg.Wait()
	for {
		select {
		case <-tried:
			if err != nil || !did.Busy || did.Points != 0 {
				t.Errorf("%+v, %v", did, err)
			}
			return
		default:
			if storetest.Scalar[bool](t, e, `select exists (select from pg_stat_activity where datname = current_database() and wait_event in ('transactionid', 'tuple'))`) {
				t.Error("it waits for a row")
				<-tried
				return
			}
		}
	}
}

// writeOld inserts, changes, moves and deletes points of ten days, and deletes three tweets
// now and then, and does the same to the shadow.
func writeOld(t *testing.T, e *storetest.Env, random *rand.Rand, first time.Time) {
	at := first.Add(time.Duration(random.Int64N(int64(10 * aDay)))).Truncate(time.Second)
	old := fmt.Sprintf(`(select id from shadow where snapshot_at >= '%s' and snapshot_at < '%s' order by snapshot_at, id limit 1)`, at.Format(time.RFC3339), first.Add(10*aDay).Format(time.RFC3339))
	statements := []string{
		`update %[1]s set like_count = like_count + 1000 where id = ` + old,
		`update %[1]s set snapshot_at = '` + at.Format(time.RFC3339) + `' where id = ` + old,
		`delete from %[1]s where id = ` + old,
		fmt.Sprintf(`insert into %%[1]s (id, tweet_id, snapshot_at, like_count) select '%s', id, '%s', 7 from twitter_tweets order by id limit 1`, uuid.New(), at.Format(time.RFC3339)),
	}
	statement := statements[random.IntN(len(statements))]
	err := pgx.BeginFunc(t.Context(), e.Raw, func(tx pgx.Tx) error {
		if random.IntN(20) == 0 {
			statement = "delete tweets"
			// Each by a statement of its own, so that others come between.
			for range 3 {
				if _, err := tx.Exec(t.Context(), `with gone as (delete from twitter_tweets where id = (select id from twitter_tweets where (select count(*) from twitter_tweets) > 10 order by md5(id::text || $1::text) limit 1) returning id)
					delete from shadow where tweet_id in (select id from gone)`, strconv.Itoa(random.Int())); err != nil {
					return err
				}
			}
			return nil
		}
		for _, table := range []string{"public.twitter_engagement_history", "shadow"} {
			if _, err := tx.Exec(t.Context(), fmt.Sprintf(statement, table)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}
