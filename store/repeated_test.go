package store_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/history"
)

// TestCurveIsThatOfAllLookUps looks tweets up again and again, most times without any
// change, over three days, by batches and by refreshes, from two providers and with counts
// that are missing. What is read of the history is the curve of all look-ups: what it has
// of them is as they were, and what it lacks lies between two points that are the same.
func TestCurveIsThatOfAllLookUps(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		random := rand.New(rand.NewPCG(1, 1))
		tracked := e.track(t, 12)
		all := make(map[uuid.UUID][]engagement.Snapshot)
		counts := make(map[string]engagement.Metrics)
		look := func(id string) engagement.Metrics {
			m := counts[id]
			if random.IntN(4) == 0 || !m.Likes.Known() {
				m.Likes = engagement.Known(m.Likes.Value() + int64(random.IntN(3)))
				if random.IntN(3) == 0 {
					m.Views = engagement.Known(m.Views.Value() + int64(random.IntN(50)))
				}
			}
			counts[id] = m
			return m
		}
		provider := func() string {
			if random.IntN(20) == 0 {
				return "x"
			}
			return "twitterapi.io"
		}
		note := func(a store.Applied) {
			for _, r := range a.Rows {
				if r.Snapshot != nil {
					all[r.Row] = append(all[r.Row], *r.Snapshot)
				}
			}
		}
		for range 60 {
			e.clock.advance([]time.Duration{20 * time.Second, 10 * time.Minute, time.Hour, 3 * time.Hour}[random.IntN(4)])
			if random.IntN(4) == 0 {
				r := e.refreshed(tracked[random.IntN(len(tracked))].TweetID, 0)
				r.Observation.Metrics, r.Observation.Provider = look(r.TweetID), provider()
				note(e.refresh(t, r))
				continue
			}
			e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, e.clock.Now()) // old ones too
			work := e.found(e.claim(t), 0)
			by := provider()
			for i := range work.Results {
				o := &work.Results[i].Observation
				o.Metrics, o.Provider = look(work.Results[i].TweetID), by
			}
			note(e.apply(t, work))
		}
		points := 0
		for _, w := range tracked {
			full, read := all[w.Row], e.snapshots(t, w.Row)
			sameTurns(t, full, read)
			points += len(full)
			exported := e.exported(t)[w.Row]
			if !slices.EqualFunc(read, exported, sameSnapshot) {
				t.Errorf("exported %v, read %v", exported, read)
			}
			days := make(map[time.Time]bool)
			for _, s := range full {
				days[s.At.Truncate(24*time.Hour)] = true
			}
			if n := e.count(t, `select count(distinct date_trunc('day', snapshot_at at time zone 'UTC'))
				from twitter_engagement_history where tweet_id = $1`, w.Row); n != len(days) {
				t.Errorf("%d of %d days have a point", n, len(days))
			}
			tweet, err := e.Tweet(t.Context(), w.Row)
			if err != nil {
				t.Fatal(err)
			}
			if last := full[len(full)-1]; !tweet.Tracking.SnapshotAt.Equal(last.At) || tweet.Tracking.Snapshot != last.Metrics {
				t.Errorf("the row's last snapshot is of %v, want %v", tweet.Tracking.SnapshotAt, last.At)
			}
		}
		if n := e.count(t, `select count(*) from twitter_engagement_history`); n > points*2/3 {
			t.Errorf("%d of %d snapshots are in the history", n, points)
		}
	})
}

// sameTurns checks points that were read against all that there were.
func sameTurns(t *testing.T, full, read []engagement.Snapshot) {
	t.Helper()
	if len(read) == 0 || !sameSnapshot(read[0], full[0]) || !sameSnapshot(read[len(read)-1], full[len(full)-1]) {
		t.Fatalf("read %v of %v", read, full)
	}
	at := 0
	for _, s := range full {
		switch {
		case sameSnapshot(read[at], s):
			at++
		case at == len(read) || read[at-1].Metrics != s.Metrics || read[at].Metrics != s.Metrics:
			t.Errorf("the point %+v is lost between %+v and %+v", s, read[at-1], read[at])
		case s.Velocity == nil || *s.Velocity != 0:
			t.Errorf("the point %+v is lost", s)
		}
		if at == len(read) {
			break
		}
	}
	if at != len(read) {
		t.Errorf("read %d points, of which %d were looked up", len(read), at)
	}
}

func sameSnapshot(a, b engagement.Snapshot) bool {
	if (a.Velocity == nil) != (b.Velocity == nil) || a.Velocity != nil && !near(*a.Velocity, *b.Velocity) {
		return false
	}
	a.Velocity, b.Velocity = nil, nil
	return a.At.Equal(b.At) && a.Metrics == b.Metrics && a.Deltas == b.Deltas && a.Provider == b.Provider && a.ProviderChanged == b.ProviderChanged
}

func (e *env) exported(t *testing.T) map[uuid.UUID][]engagement.Snapshot {
	t.Helper()
	all := make(map[uuid.UUID][]engagement.Snapshot)
	if err := e.Export(t.Context(), e.zone, history.Range{}, func(page []history.ExportRow) error {
		for _, r := range page {
			all[r.Row] = append(all[r.Row], r.Snapshot)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestOlderProgramsLeaveTheMark: an older version, running beside this one, writes a
// snapshot and knows nothing of the mark. It means nothing then.
func TestOlderProgramsLeaveTheMark(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		row := e.track(t, 1)[0].Row
		for range 3 {
			e.clock.advance(10 * time.Minute)
			e.apply(t, e.found(e.claim(t), 7))
		}
		if got := e.snapshots(t, row); len(got) != 2 {
			t.Fatalf("read %v, want both ends of the stretch", got)
		}
		e.clock.advance(10 * time.Minute)
		now := e.clock.Now()
		e.exec(t, `insert into twitter_engagement_history (tweet_id, snapshot_at, like_count, delta_likes, engagement_velocity) values ($1, $2, 9, 2, 12)`, row, now)
		e.exec(t, `update twitter_engagement_tracking set snapshot_at = $2, snapshot_likes = 9, last_updated_at = $2 where tweet_db_id = $1`, row, now)
		e.clock.advance(10 * time.Minute)
		e.force(t)
		e.apply(t, e.found(e.claim(t), 11))
		got := e.snapshots(t, row)
		if len(got) != 3 || got[1].Metrics != likes(9) || got[2].Deltas.Likes != engagement.Known(2) {
			t.Errorf("read %v, want three points", got)
		}
	})
}

// TestVelocityAlertAfterAStretchWithoutChange: a velocity is measured over the window, not
// from the last recorded point on, which is older where nothing had changed.
func TestVelocityAlertAfterAStretchWithoutChange(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 1)
		e.rule(t, engagement.AlertRule{Kind: engagement.AlertVelocity, Threshold: 500, Window: 30 * time.Minute}, e.zone)
		for range 13 {
			e.look(t, 1000)
			e.clock.advance(5 * time.Minute)
		}
		if list := e.alerts(t); len(list) != 0 {
			t.Fatalf("alerts without a change: %+v", list)
		}
		e.look(t, 1300)
		if list := e.alerts(t); len(list) != 1 || list[0].Value != 600 {
			t.Errorf("alerts %+v, want one of 300 engagements in half an hour", list)
		}
		e.clock.advance(31 * time.Minute)
		e.look(t, 1300)
		if list := e.alerts(t); len(list) != 1 || list[0].ClearedAt.IsZero() {
			t.Errorf("alerts %+v, want it to be over", list)
		}
	})
}

// TestDownsamplingKeepsTheEndOfAStretch: where hours have no point, because nothing had
// changed, the curve does not rise through them.
func TestDownsamplingKeepsTheEndOfAStretch(t *testing.T) {
	t.Parallel()
	forEachHistory(t, func(t *testing.T, e *env) {
		row := e.track(t, 1)[0].Row
		day := epoch.Truncate(aDay).Add(-5 * aDay)
		for _, p := range []struct {
			at           time.Duration
			likes, delta int
		}{
			{time.Minute, 100, 0},
			{65 * time.Minute, 120, 20},
			{70 * time.Minute, 120, 0},
			{5*time.Hour + 50*time.Minute, 120, 0},
			{5*time.Hour + 55*time.Minute, 130, 10},
			{5*time.Hour + 58*time.Minute, 135, 5},
			{6*time.Hour + 5*time.Minute, 140, 5},
		} {
			var velocity *float64
			if p.at > time.Minute {
				velocity = new(float64)
			}
			e.exec(t, `insert into twitter_engagement_history (tweet_id, snapshot_at, like_count, delta_likes, engagement_velocity) values ($1, $2, $3, $4, $5)`,
				row, day.Add(p.at), p.likes, p.delta, velocity)
		}
		e.exec(t, `insert into twitter_engagement_history (tweet_id, snapshot_at, like_count, delta_likes, engagement_velocity) values ($1, $2, 140, 0, 0)`, row, epoch)
		e.retain(t, history.Retention{Chosen: true, Full: aDay, Hourly: 30 * aDay})
		var kept []time.Duration
		for _, s := range e.snapshots(t, row) {
			kept = append(kept, s.At.Sub(day))
		}
		want := []time.Duration{
			time.Minute, 70 * time.Minute, 5*time.Hour + 50*time.Minute, 5*time.Hour + 58*time.Minute, 6*time.Hour + 5*time.Minute, epoch.Sub(day),
		}
		if !slices.Equal(kept, want) {
			t.Errorf("kept %v, want %v", kept, want)
		}
	})
}
