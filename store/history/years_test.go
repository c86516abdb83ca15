package history_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/postgres"
	"gorgone/store/report"
	"gorgone/store/storetest"
)

const aDay = 24 * time.Hour

// mostLocks is how many tables and indexes a reader may lock at once: 60 partitions with
// two indexes each, or three of a month's, and others. Postgres has room for some 12,800 with
// 200 connections.
const mostLocks = 270

// planTries is how often a statement is run: the sixth time, Postgres makes a plan of a
// prepared one that is for any arguments.
const planTries = 7

// years are tweets of years, with a partition a day.
type years struct {
	*storetest.Env

	first   time.Time
	tracked []store.Tracked
	long    int // points of the first tweet, 20 days apart, after its first ten
}

// newYears makes them.
func newYears(t *testing.T, e *storetest.Env, days int) years {
	t.Helper()
	y := years{Env: e, first: storetest.Epoch().Truncate(aDay).Add(-time.Duration(days) * aDay), long: days/20 - 1}
	e.ZoneID = e.NewZone(t)
	e.Exec(t, `create procedure make_days(first date, n int) language plpgsql as $$ begin
		for i in 0 .. n loop
			execute format('create table gorgone.history_%s partition of public.twitter_engagement_history for values from (%L) to (%L)',
				to_char(first + i, 'YYYY_MM_DD'), (first + i)::text || ' 00:00:00+00', (first + i + 1)::text || ' 00:00:00+00');
			if i % 20 = 0 then commit; end if;
		end loop; end $$`)
	e.Exec(t, `call make_days($1::date, $2)`, y.first, days+3)
	// A tweet with a long life, and others with short ones all over the years.
	tweets := storetest.NewTweets(y.first.Add(time.Hour), 1)
	for i := range 20 {
		tweets = append(tweets, storetest.NewTweets(y.first.Add(time.Duration(days*i/20)*aDay+40*time.Minute), 1)...)
	}
	y.tracked = e.TrackIn(t, e.ZoneID, tweets)
	e.Exec(t, `insert into twitter_engagement_history (tweet_id, snapshot_at, like_count, engagement_velocity)
		select id, twitter_created_at + n * interval '5 hours', n, case when n > 0 then 0.2 end from twitter_tweets, generate_series(0, 9) n`)
	e.Exec(t, `insert into twitter_engagement_history (tweet_id, snapshot_at, like_count)
		select $1, twitter_created_at + n * interval '20 days', n from twitter_tweets, generate_series(1, $2::int) n where id = $1`, y.tracked[0].Row, y.long)
	e.Exec(t, `update twitter_engagement_tracking k set update_count = 10, snapshot_at = w.twitter_created_at + case when w.id = $1
		then $2::int * interval '20 days' else interval '45 hours' end from twitter_tweets w where w.id = k.tweet_db_id`, y.tracked[0].Row, y.long)
	return y
}

// points is how many points a tweet has.
func (y years) points(i int) int {
	if i == 0 {
		return 10 + y.long
	}
	return 10
}

// TestReadsOfYears reads half a year in a partition a day, or as many years as
// GORGONE_TEST_YEARS says. No reader locks more than a few partitions, whatever is read: of ten years, one
// statement would take more locks than Postgres has by default.
func TestReadsOfYears(t *testing.T) {
	t.Parallel()
	days := 180
	if text := os.Getenv("GORGONE_TEST_YEARS"); text != "" {
		n, err := strconv.Atoi(text)
		testkit.Must(t, err)
		days = 365 * n
	}
	through, wire := storetest.NewWire(t, pgtest.NewDatabase(t))
	y := newYears(t, storetest.Open(t, through, postgres.ExecPrepared), days)
	y.measure(t, wire, true)
	// Then in months, but for the last days.
	began := time.Now()
	did := merge(t, y.Env, forever())
	inDays, inMonths := partitions(t, y.Env)
	t.Logf("merged %d months with %d points in %s: %d days and %d months are left", did.Months, did.Points, time.Since(began).Round(time.Second), inDays, inMonths)
	if did.Months < days/31-3 || inDays > 31+28+4+31 {
		t.Errorf("%d months were merged, %d days are left", did.Months, inDays)
	}
	var wg conc.WaitGroup
	for range 12 {
		wg.Go(func() { y.readBeside(t) })
	}
	wg.Wait()
	y.measure(t, wire, false)
	wire.MostLocks()
	y.Exec(t, `delete from twitter_tweets where id = $1`, y.tracked[0].Row)
	locks := wire.MostLocks()
	t.Logf("deleting a tweet: %d locks", locks)
	if locks > 3*inDays+4*inMonths+50 {
		t.Errorf("deleting a tweet: %d locks", locks)
	}
}

// measure runs each reader, and counts what it locks. With strict it checks that each has
// read what there is.
func (y years) measure(t *testing.T, wire *storetest.Wire, strict bool) {
	t.Helper()
	for _, r := range y.readers(t) {
		wire.MostLocks()
		began := time.Now()
		for range planTries {
			if ok, err := r.read(t.Context()); err != nil || strict && !ok {
				t.Errorf("%s has not read what there is (%v)", r.name, err)
			}
		}
		took, locks := time.Since(began)/planTries, wire.MostLocks()
		t.Logf("%-40s %4d locks, %8s", r.name, locks, took.Round(100*time.Microsecond))
		if locks == 0 || locks > mostLocks {
			t.Errorf("%s: %d locks, want %d at most", r.name, locks, mostLocks)
		}
	}
}

// readBeside reads whole curves, and all of them, while others do.
func (y years) readBeside(t *testing.T) {
	until := history.Range{To: storetest.Epoch()}
	const count = `select count(*) from twitter_engagement_history where snapshot_at < $1`
	for i, row := range y.tracked[:3] {
		points, err := y.History(t.Context(), row.Row, until)
		if want := y.Count(t, count+` and tweet_id = $2`, until.To, row.Row); err != nil || len(points) != want {
			t.Errorf("tweet %d: %d points, want %d: %v", i, len(points), want, err)
		}
	}
	exported, seen := 0, uuid.Nil
	err := y.Export(t.Context(), y.ZoneID, until, func(page []history.ExportRow) error {
		for i, row := range page {
			if row.Row == seen && i > 0 && page[i-1].Snapshot.At.After(row.Snapshot.At) {
				t.Errorf("%s is out of order", row.TweetID)
			}
			seen = row.Row
		}
		exported += len(page)
		return nil
	})
	if want := y.Count(t, count, until.To); err != nil || exported != want {
		t.Errorf("exported %d points, want %d: %v", exported, want, err)
	}
}

// reader reads the history in one of the ways in which the program does.
type reader struct {
	name string
	read func(context.Context) (bool, error) // whether it has read what there is
}

// adder adds a reader.
type adder func(name string, read func(context.Context) (bool, error))

// readers are all ways in which the history is read, each with a check that it was. Those
// that write stand last.
func (y years) readers(t *testing.T) (list []reader) {
	t.Helper()
	long := y.tracked[0]
	add := func(name string, read func(context.Context) (bool, error)) { list = append(list, reader{name, read}) }
	add("History", func(ctx context.Context) (bool, error) {
		points, err := y.History(ctx, long.Row, history.Range{})
		return len(points) == y.points(0), err
	})
	add("History, the latest", func(ctx context.Context) (bool, error) {
		points, err := y.History(ctx, long.Row, history.Range{Limit: 3})
		return len(points) == 3 && points[2].Metrics.Likes.Value() == int64(y.long), err
	})
	add("History, a time", func(ctx context.Context) (bool, error) {
		points, err := y.History(ctx, long.Row, history.Range{From: y.first, To: y.first.Add(2 * aDay)})
		return len(points) == 10, err
	})
	add("Export", func(ctx context.Context) (bool, error) {
		n := 0
		err := y.Export(ctx, y.ZoneID, history.Range{}, func(page []history.ExportRow) error {
			n += len(page)
			return nil
		})
		return n == 10*len(y.tracked)+y.long, err
	})
	add("Lives", func(ctx context.Context) (bool, error) {
		n := 0
		err := y.Lives(ctx, []history.ExportRow{{Row: long.Row}}, func(page []history.ExportRow) error {
			n += len(page)
			return nil
		})
		return n == y.points(0), err
	})
	for _, by := range report.ListOrders() {
		add("List by "+string(by), func(ctx context.Context) (bool, error) {
			l, err := y.List(ctx, report.ListQuery{By: by, Limit: 50, Points: 24})
			points := 0
			for _, w := range l.Tweets {
				points += len(w.Points)
			}
			return points == 10*len(y.tracked)+min(y.long, 14), err
		})
	}
	for _, by := range []report.TopBy{report.ByVelocity, report.ByEngagement} {
		add("Top by "+string(by), func(ctx context.Context) (bool, error) {
			top, err := y.Top(ctx, report.TopQuery{Since: y.first, By: by, Limit: 50})
			known := 0
			for _, w := range top {
				if w.Velocity != nil {
					known++
				}
			}
			return known == len(y.tracked), err
		})
	}
	add("Tweet", func(ctx context.Context) (bool, error) {
		w, err := y.Tweet(ctx, long.Row)
		return w.Row == long.Row, err
	})
	add("FindTweet", func(ctx context.Context) (bool, error) {
		found, err := y.FindTweet(ctx, long.TweetID)
		return len(found) == 1, err
	})
	add("Stats", func(ctx context.Context) (bool, error) {
		_, err := y.Stats(ctx)
		return true, err
	})
	add("Preview", func(ctx context.Context) (bool, error) {
		cut, err := y.Preview(ctx, history.Retention{Full: 30 * aDay})
		return !cut.Oldest.After(y.first), err
	})
	y.writers(t, add)
	y.downsampling(add)
	return list
}

// writers are the readers that write, or read before they do.
func (y years) writers(t *testing.T, add adder) {
	t.Helper()
	// Counts go on growing: an answer with far smaller ones is not believed.
	likes := int64(y.Count(t, `select coalesce(max(snapshot_likes), 0)::int from twitter_engagement_tracking`))
	answer := func() int {
		y.Clock.Advance(20 * time.Minute)
		likes += 1000
		y.Exec(t, `update twitter_engagement_tracking set next_update_at = $1`, y.Clock.Now())
		return len(y.MustApply(t, y.Found(y.ClaimAll(t), likes)).Rows)
	}
	add("Apply", func(context.Context) (bool, error) { return answer() == len(y.tracked), nil })
	add("Apply with an alert rule", func(ctx context.Context) (bool, error) {
		rules, err := y.Rules(ctx)
		if err == nil && len(rules) == 0 {
			_, err = y.AddRule(ctx, alert.Rule{Name: "fast", AlertRule: engagement.AlertRule{
				Kind: engagement.AlertVelocity, Threshold: 10, Window: time.Hour, Cooldown: time.Hour,
			}})
		}
		return answer() == len(y.tracked), err
	})
	add("Apply to rows that others observed", func(context.Context) (bool, error) {
		y.Exec(t, `update twitter_engagement_tracking set snapshot_at = null, unrecorded_at = null`)
		y.Clock.Advance(time.Minute)
		return answer() == len(y.tracked), nil
	})
	add("Track what others collected", func(ctx context.Context) (bool, error) {
		n := y.Count(t, `select count(*)::int from twitter_tweets`)
		w := storetest.NewTweets(y.first.Add(time.Duration(n)*time.Minute), 1)
		y.Exec(t, `insert into twitter_tweets (zone_id, tweet_id, text, twitter_created_at, raw_data) values ($1, $2, '', $3, '{}')`,
			y.ZoneID, w[0].TweetID, w[0].CreatedAt)
		tracked, err := y.Track(ctx, y.ZoneID, w)
		y.Exec(t, `delete from twitter_engagement_tracking where tweet_db_id = $1`, tracked[0].Row) // and its tweet stays
		return tracked[0].Status == store.StatusTracked, err
	})
	add("FitModels", func(ctx context.Context) (bool, error) {
		y.Exec(t, `delete from gorgone.models`)
		_, err := y.FitModels(ctx)
		return true, err
	})
}

// downsampling leaves one point a day of the first three days.
func (y years) downsampling(add adder) {
	add("Retain, downsampling", func(ctx context.Context) (bool, error) {
		keep := y.Clock.Now().Sub(y.first) - 3*aDay
		for {
			did, err := y.Retain(ctx, history.Retention{Chosen: true, Full: keep, Daily: 10 * aDay})
			if err != nil || did == (history.Retained{}) {
				points, err := y.History(ctx, y.tracked[0].Row, history.Range{To: y.first.Add(3 * aDay)})
				return len(points) == 3, err
			}
		}
	})
}
