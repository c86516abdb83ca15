package store_test

import (
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// TestRowsOfAClockAheadBecomeRight: for a while all clocks are ahead, and the engine works
// as ever. Back in the present, what was seen, found missing, called gone, failed, went cold
// or was claimed in that time is looked at again at once, and nothing waits until time has
// caught up.
func TestRowsOfAClockAheadBecomeRight(t *testing.T) {
	t.Parallel()
	for name, leap := range map[string]time.Duration{
		"ten minutes": 10 * time.Minute, "an hour": time.Hour, "a day": aDay, "40 days": 40 * aDay, "ten years": 3650 * aDay,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, postgres.ExecPrepared)
			const n = 60
			e.track(t, n)
			e.apply(t, e.found(e.claim(t), 10))
			e.clock.advance(11 * time.Minute)

			e.clock.advance(leap)
			now := e.clock.Now()
			e.exec(t, `update twitter_engagement_tracking set next_update_at = $1, retry_at = null`, now)
			batch := e.claim(t)
			work := store.Work{ClaimID: batch.ClaimID}
			for i, w := range batch.Tweets {
				kinds := []store.Kind{store.Found, store.Missing, store.Unproven, store.Unresolved}
				if i%5 == 4 {
					continue // its worker died
				}
				work.Results = append(work.Results, store.Result{
					TweetID: w.TweetID, Rows: w.Rows, Kind: kinds[i%5], Reason: "r",
					Observation: engagement.Observation{At: now, Metrics: likes(20)},
				})
			}
			e.apply(t, work)
			e.exec(t, `
				update twitter_engagement_tracking set gone_reason = 'missing', tier = 'cold', next_update_at = null, retry_at = $1::timestamptz + interval '1 day', last_missed_at = $1
				where tweet_db_id = (select tweet_db_id from twitter_engagement_tracking where misses > 0 limit 1)`, now)
			batches := e.outstanding(t).Batches
			if batches != 1 {
				t.Fatalf("%d batches are outstanding", batches)
			}

			e.clock.advance(-leap)
			if o := e.outstanding(t); o.Batches != 0 && leap > 2*lease || o.DonePerSecond > n {
				t.Errorf("a claim of the future is outstanding: %+v", o)
			}
			e.clock.advance(2 * time.Minute)
			e.claimIn(t, 1000)                // finds them; what is due in it is claimed in vain
			e.clock.advance(70 * time.Minute) // longer than any look-up was planned ahead
			if _, err := e.RecheckGone(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
			seen := make(map[string]bool)
			for range 4 {
				claimed := e.claimIn(t, 1000)
				for _, b := range claimed.Batches {
					for _, w := range b.Tweets {
						seen[w.TweetID] = true
					}
					wantOutcomes(t, e.apply(t, e.found(b, 30)), map[engagement.RowOutcome]int{engagement.RowApplied: len(b.Rows())})
				}
				if _, err := e.RecheckGone(t.Context(), time.Minute); err != nil {
					t.Fatal(err)
				}
				e.clock.advance(time.Second)
			}
			if len(seen) < n {
				t.Errorf("%d tweets of %d were looked at again", len(seen), n)
			}
			if ahead := e.count(t, `
				select count(*) from twitter_engagement_tracking
				where greatest(last_updated_at, snapshot_at, last_missed_at) > $1 or greatest(next_update_at, retry_at, claimed_until) > $1::timestamptz + interval '3 hours'`,
				e.clock.Now().Add(time.Minute)); ahead > 0 {
				t.Errorf("%d rows are ahead of the time", ahead)
			}
			if n := e.count(t, `select count(*) from twitter_engagement_history where abs(engagement_velocity) > 1e6`); n > 0 {
				t.Errorf("%d velocities are of no time at all", n)
			}
		})
	}
}

// TestAStretchOfAClockAhead: the end of a flat stretch that was seen ahead of time is brought
// back with the row, and is recorded when the stretch ends.
func TestAStretchOfAClockAhead(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	row := e.track(t, 1)[0].Row
	e.look(t, 1000)
	e.clock.advance(10 * time.Minute)
	e.exec(t, `update twitter_engagement_tracking set snapshot_at = $1, unrecorded_at = $1, last_updated_at = $1`, e.clock.Now().Add(time.Hour))
	e.claimIn(t, 1000) // finds it
	back := e.clock.Now()
	e.clock.advance(2 * lease)
	e.look(t, 1010)
	points := e.snapshots(t, row)
	if len(points) != 3 || !points[1].At.Equal(back) || points[1].Metrics.Likes != points[0].Metrics.Likes {
		t.Errorf("history %+v, want the end of the stretch at %s", points, back)
	}
}
