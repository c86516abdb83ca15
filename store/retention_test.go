package store_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/enginetest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/store/history"
	"gorgone/store/postgres"
)

const aDay = 24 * time.Hour

// forEachHistory runs a test on a history in partitions, in both modes, and on an
// adopted one.
func forEachHistory(t *testing.T, test func(t *testing.T, e *env)) {
	t.Helper()
	inEachMode(t, test)
	t.Run("adopted", func(t *testing.T) {
		t.Parallel()
		e := adopt(t, newerUniqueness)
		e.exec(t, `delete from twitter_tweets`)
		test(t, e)
	})
}

// grow writes the history of tweets that were posted over the days before now, each
// looked at for its first 30 hours, and returns it as it is read back.
func (e *env) grow(t *testing.T, days, tweets int) map[uuid.UUID][]engagement.Snapshot {
	t.Helper()
	if _, err := e.EnsurePartitions(t.Context(), e.clock.Now().Add(-time.Duration(days)*aDay), e.clock.Now()); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	history := make(map[uuid.UUID][]engagement.Snapshot)
	for _, tracked := range e.track(t, tweets) {
		at := e.clock.Now().Add(-time.Duration(random.Int64N(int64(days-2)*int64(aDay))) - 31*time.Hour)
		end := at.Add(30 * time.Hour)
		var last engagement.Metrics
		var lastAt time.Time
		for i := 0; at.Before(end); i++ {
			m := likes(last.Likes.Value() + random.Int64N(40))
			m.Views = engagement.Known(last.Views.Value() + random.Int64N(900))
			var deltas [2]int64
			var velocity *float64
			if i > 0 {
				deltas = [2]int64{m.Likes.Value() - last.Likes.Value(), m.Views.Value() - last.Views.Value()}
				v := float64(deltas[0]) / at.Sub(lastAt).Hours()
				velocity = &v
			}
			e.exec(t, `
				insert into twitter_engagement_history (tweet_id, snapshot_at, like_count, view_count, delta_likes, delta_views, engagement_velocity)
				values ($1, $2, $3, $4, $5, $6, $7)`,
				tracked.Row, at, m.Likes.Value(), m.Views.Value(), deltas[0], deltas[1], velocity)
			last, lastAt = m, at
			at = at.Add(2*time.Minute + time.Duration(random.Int64N(int64(100*time.Minute)))).Truncate(time.Millisecond)
		}
		history[tracked.Row] = e.snapshots(t, tracked.Row)
	}
	return history
}

// retain calls Retain until it has nothing left to do, and adds up what it did.
func (e *env) retain(t *testing.T, r history.Retention) (sum history.Retained) {
	t.Helper()
	for {
		did := must(e.Retain(t.Context(), r))(t)
		if did.Busy {
			t.Fatal("busy, with no other process")
		}
		if did == (history.Retained{}) {
			return sum
		}
		sum.Dropped += did.Dropped
		sum.Deleted += did.Deleted
		sum.Downsampled += did.Downsampled
	}
}

// TestRetentionThins checks what is left of curves against what there was.
func TestRetentionThins(t *testing.T) {
	t.Parallel()
	forEachHistory(t, func(t *testing.T, e *env) {
		const days = 9
		before := e.grow(t, days, 12)
		r := history.Retention{Chosen: true, Full: 2 * aDay, Hourly: 3 * aDay, Daily: 100 * aDay}
		did := e.retain(t, r)
		now := e.clock.Now()
		hourly := now.Add(-r.Full).Truncate(aDay)           // until then, one an hour
		daily := now.Add(-r.Full - r.Hourly).Truncate(aDay) // until then, one a day
		taken := 0
		for row, was := range before {
			is := e.snapshots(t, row)
			taken += len(was) - len(is)
			var want []engagement.Snapshot
			for i, p := range was {
				bin := time.Duration(0)
				if p.At.Before(daily) {
					bin = aDay
				} else if p.At.Before(hourly) {
					bin = time.Hour
				}
				if i == 0 || i == len(was)-1 || bin == 0 || !p.At.Truncate(bin).Equal(was[i+1].At.Truncate(bin)) {
					want = append(want, p)
				}
			}
			sameCurve(t, want, is)
		}
		if taken == 0 || did.Downsampled != taken || did.Dropped+did.Deleted != 0 {
			t.Errorf("did %+v, %d points are gone", did, taken)
		}
		if n := e.count(t, `select count(*) from gorgone.history_days where done`); n < days/2 {
			t.Errorf("%d days are done", n)
		}
		// A day later, the next day's turn comes; what was thinned stays.
		e.clock.advance(aDay)
		if again := e.retain(t, r); again.Downsampled == 0 {
			t.Error("nothing thinned a day later")
		}
		// A coarser setting thins what was thinned before; a finer one brings nothing back.
		if coarser := e.retain(t, history.Retention{Chosen: true, Full: 2 * aDay, Daily: 100 * aDay}); coarser.Downsampled == 0 {
			t.Error("nothing thinned further")
		}
		if finer := e.retain(t, r); finer.Downsampled != 0 {
			t.Errorf("thinned again: %+v", finer)
		}
		for row, was := range before {
			is := e.snapshots(t, row)
			if sumOfDeltas(is) != sumOfDeltas(was) {
				t.Errorf("deltas add up to %v, want %v", sumOfDeltas(is), sumOfDeltas(was))
			}
		}
	})
}

// sameCurve checks the points that were to stay, and that each one's delta and
// velocity are those against the one before it.
func sameCurve(t *testing.T, want, got []engagement.Snapshot) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d points, want %d", len(got), len(want))
		return
	}
	for i, p := range got {
		if !p.At.Equal(want[i].At) || p.Metrics != want[i].Metrics {
			t.Errorf("point %d is of %s with %v likes, want %s with %v", i, p.At, p.Metrics.Likes, want[i].At, want[i].Metrics.Likes)
			continue
		}
		if i == 0 {
			if p.Velocity != nil || p.Deltas.Likes.Value() != 0 {
				t.Errorf("the first point has deltas: %+v", p)
			}
			continue
		}
		deltas := p.Metrics.Likes.Minus(got[i-1].Metrics.Likes)
		views := p.Metrics.Views.Minus(got[i-1].Metrics.Views)
		if p.Deltas.Likes != deltas || p.Deltas.Views != views {
			t.Errorf("point %d: deltas %v likes, %v views; want %v, %v", i, p.Deltas.Likes, p.Deltas.Views, deltas, views)
		}
		velocity := float64(deltas.Value()) / p.At.Sub(got[i-1].At).Hours()
		if p.Velocity == nil || math.Abs(*p.Velocity-velocity) > 1e-6*max(velocity, 1) {
			t.Errorf("point %d: velocity %v, want %v", i, p.Velocity, velocity)
		}
	}
}

func sumOfDeltas(points []engagement.Snapshot) (sum [2]int64) {
	for _, p := range points {
		sum[0] += p.Deltas.Likes.Value()
		sum[1] += p.Deltas.Views.Value()
	}
	return sum
}

// TestRetentionDrops checks that what is too old goes, and nothing else.
func TestRetentionDrops(t *testing.T) {
	t.Parallel()
	forEachHistory(t, func(t *testing.T, e *env) {
		e.grow(t, 8, 10)
		stray := e.track(t, 1)[0].Row // in a day without a partition
		e.exec(t, `insert into twitter_engagement_history (tweet_id, snapshot_at) values ($1, $2)`, stray, epoch.Add(-400*aDay))
		first := epoch.Add(-4 * aDay).Truncate(aDay)
		kept := e.count(t, `select count(*) from twitter_engagement_history where snapshot_at >= $1`, first)
		if did := must(e.Retain(t.Context(), history.Retention{}))(t); did != (history.Retained{}) {
			t.Errorf("for ever: %+v", did)
		}
		did := e.retain(t, history.Retention{Chosen: true, Full: 3 * aDay, Hourly: aDay})
		if did.Deleted == 0 {
			t.Errorf("did %+v", did)
		}
		if n := e.count(t, `select count(*) from twitter_engagement_history where snapshot_at < $1`, first); n != 0 {
			t.Errorf("%d points are left of before %s", n, first)
		}
		if n := e.count(t, `select count(*) from twitter_engagement_history`); n != kept-did.Downsampled {
			t.Errorf("%d points are left, want %d", n, kept-did.Downsampled)
		}
		if n := e.count(t, `select count(*) from gorgone.history_days where day < $1`, first); n != 0 {
			t.Errorf("%d days are remembered that are gone", n)
		}
		// What is written after that finds its place.
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
		wantOutcomes(t, e.apply(t, e.found(e.claim(t), 1)), map[engagement.RowOutcome]int{engagement.RowApplied: 10})
	})
}

// TestRetentionWaitsForNobody cuts history down while an old partition is read and
// rows are being answered: it neither waits for long nor makes others wait.
func TestRetentionWaitsForNobody(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	e.grow(t, 6, 5)
	batch := e.claim(t)
	keep := history.Retention{Chosen: true, Full: 2 * aDay}

	// An answer under way has locked its rows and written its point.
	answering := must(e.raw.Begin(t.Context()))(t)
	defer answering.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // ended below
	row := batch.Tweets[0].Rows[0]
	must(answering.Exec(t.Context(), `select from twitter_engagement_tracking where tweet_db_id = $1 for update`, row))(t)
	must(answering.Exec(t.Context(), `update twitter_tweets set like_count = 1 where id = $1`, row))(t)
	must(answering.Exec(t.Context(), `insert into twitter_engagement_history (tweet_id, snapshot_at) values ($1, $2)`, row, epoch))(t)
	if did := must(e.Retain(t.Context(), keep))(t); !did.Busy || did.Dropped != 0 {
		t.Errorf("beside an answer: %+v", did)
	}
	if err := answering.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}

	// Another process at it.
	other := must(e.raw.Begin(t.Context()))(t)
	must(other.Exec(t.Context(), `select pg_advisory_xact_lock(x'6b656570'::int8)`))(t)
	if did := must(e.Retain(t.Context(), keep))(t); !did.Busy {
		t.Errorf("beside another: %+v", did)
	}
	if err := other.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if did := e.retain(t, keep); did.Dropped == 0 {
		t.Errorf("with no other process: %+v", did)
	}
	wantOutcomes(t, e.apply(t, e.found(batch, 5)), map[engagement.RowOutcome]int{engagement.RowApplied: 5})
}

// TestRetentionGivesSpaceBack checks that a day that was thinned takes less room.
func TestRetentionGivesSpaceBack(t *testing.T) {
	t.Parallel()
	// On a server of its own: what a transaction of any other test may still see is
	// not removed, because every snapshot reaches back to the oldest transaction.
	e := openEnv(t, enginetest.StartPostgres(t).URL, postgres.ExecPooled)
	e.zone = e.newZone(t)
	must(e.EnsurePartitions(t.Context(), epoch.Add(-5*aDay), epoch))(t)
	e.track(t, 500)
	e.exec(t, `
		insert into twitter_engagement_history (tweet_id, snapshot_at, engagement_velocity)
		select w.id, $1::timestamptz + n * interval '5 minutes', 1 from twitter_tweets w, generate_series(0, 99) n`,
		epoch.Add(-4*aDay).Truncate(aDay))
	const size = `select pg_total_relation_size('gorgone.history_2026_02_25')`
	was := e.count(t, size)
	did := e.retain(t, history.Retention{Chosen: true, Full: aDay, Daily: 100 * aDay})
	if is := e.count(t, size); did.Downsampled != 500*99 || is > was/20 {
		t.Errorf("%+v: %d of %d bytes are left", did, is, was)
	}
}

// TestStraysKeepAllTheirColumns moves a point from the default partition to its day's.
func TestStraysKeepAllTheirColumns(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	row := e.track(t, 1)[0].Row
	columns := scalar[[]string](t, e, `
		select array_agg(attname::text order by attname) from pg_attribute
		where attrelid = 'twitter_engagement_history'::regclass and attnum > 0 and not attisdropped and attgenerated = ''
		and attname not in ('id', 'tweet_id', 'snapshot_at')`)
	values := make([]string, len(columns))
	for i, name := range columns {
		kind := scalar[string](t, e, `select format_type(atttypid, null) from pg_attribute where attrelid = 'twitter_engagement_history'::regclass and attname = $1`, name)
		values[i] = map[string]string{"integer": "7", "numeric": "7.5", "text": "'seven'", "boolean": "true", "timestamp with time zone": "'2026-02-03 04:05:06Z'"}[kind]
		if values[i] == "" {
			t.Fatalf("the test knows no value for %s %s", name, kind)
		}
	}
	e.exec(t, fmt.Sprintf(`insert into twitter_engagement_history (tweet_id, snapshot_at, %s) values ($1, $2, %s)`, strings.Join(columns, ", "), strings.Join(values, ", ")), row, epoch)
	const read = `select to_jsonb(h)::text from twitter_engagement_history h`
	was := scalar[string](t, e, read)
	must(e.EnsurePartitions(t.Context(), epoch, epoch))(t)
	if is := scalar[string](t, e, read); is != was || e.count(t, inDefault) != 0 {
		t.Errorf("moved: %s\nbefore: %s", is, was)
	}
}

// TestVacuumSettings checks that settings of an owner's are left alone.
func TestVacuumSettings(t *testing.T) {
	t.Parallel()
	const options = `select coalesce(array_to_string(reloptions, ' '), '') from pg_class where oid = to_regclass($1)`
	e := adopt(t, newerUniqueness, `alter table twitter_tweets set (autovacuum_vacuum_scale_factor = 0.5)`)
	made := openEnv(t, pgtest.NewDatabase(t), postgres.ExecPrepared)
	tests := []struct {
		e     *env
		table string
		want  []string
	}{
		{e, "twitter_engagement_tracking", []string{"autovacuum_vacuum_scale_factor=0.02", "autovacuum_vacuum_threshold=1000"}},
		{e, "twitter_tweets", []string{"autovacuum_vacuum_scale_factor=0.5"}},
		{e, "twitter_engagement_history", []string{"autovacuum_vacuum_scale_factor=0.02"}},
		{made, "twitter_tweets", []string{"autovacuum_vacuum_scale_factor=0.05", "fillfactor=80"}},
		{made, "gorgone.batches", []string{"autovacuum_vacuum_threshold=1000", "fillfactor=70"}},
		{made, "twitter_engagement_history", nil},
	}
	for _, tt := range tests {
		got := scalar[string](t, tt.e, options, tt.table)
		for _, want := range tt.want {
			if !slices.Contains(strings.Fields(got), want) {
				t.Errorf("%s has %q, want %s", tt.table, got, want)
			}
		}
		if tt.want == nil && got != "" {
			t.Errorf("%s has %q, want nothing", tt.table, got)
		}
	}
}
