package store_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// drawActivity draws an estimate with the precision that is stored.
func drawActivity(t *rapid.T) engagement.Activity {
	number := rapid.OneOf(
		rapid.Just(float32(0)), rapid.Float32Range(0, 1), rapid.Float32Range(0, math.MaxInt32), rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32),
		rapid.SampledFrom([]float32{math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, math.MaxFloat32, 1, 0x1p-126}))
	draw := func(what string) float64 {
		v := float64(number.Draw(t, what))
		if v == 0 {
			return 0 // JSON of Postgres has no negative zero
		}
		return v
	}
	a := engagement.Activity{
		Engagement: engagement.GrowthStats{Seen: draw("seen"), Exposure: draw("exposure")},
		Expected:   rapid.Float64().Draw(t, "expected"), Delta: int64(rapid.Int32().Draw(t, "delta")),
	}
	if a.Expected == 0 {
		a.Expected = 0 // likewise
	}
	if us := rapid.Int64Range(0, 4e15).Draw(t, "at"); us != 0 {
		a.At = time.UnixMicro(us).UTC()
	}
	if day := rapid.Int32Range(-1000, 100_000).Draw(t, "day"); day > 0 {
		a.PaidDay = time.Unix(0, 0).UTC().AddDate(0, 0, int(day))
	}
	for _, c := range engagement.Counters() {
		a.Counters[c] = engagement.GrowthStats{Seen: draw(c.String()), Exposure: draw(c.String())}
	}
	return a
}

// TestActivityInSQL: what an operator reads with gorgone.activity is what the engine
// reads.
func TestActivityInSQL(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	rapid.Check(t, func(r *rapid.T) {
		want := drawActivity(r)
		state, err := want.AppendBinary(nil)
		if err != nil {
			r.Fatal(err)
		}
		var own engagement.Activity
		if err := own.UnmarshalBinary(state); err != nil || own != want {
			r.Fatalf("the engine reads %+v (%v), want %+v", own, err, want)
		}
		var body []byte
		if err := e.raw.QueryRow(t.Context(), `select gorgone.activity(null, $1::bytea)`, state).Scan(&body); err != nil {
			r.Fatal(err)
		}
		var got engagement.Activity
		if err := json.Unmarshal(body, &got); err != nil || got != want {
			r.Errorf("SQL reads %s (%v), want %+v", body, err, want)
		}
	})
	for _, unknown := range []string{``, `\x02`, `\x01`} {
		if body := scalar[*string](t, e, `select gorgone.activity(null, $1::bytea)::text`, []byte(unknown)); body != nil {
			t.Errorf("%q is read as %s", unknown, *body)
		}
	}
	if body := scalar[string](t, e, `select gorgone.activity('{"d": 7}', '\x02')::text`); body != `{"d": 7}` {
		t.Errorf("a row of an older version is read as %s", body)
	}
}

// TestActivityMovesToBinary: rows that an older version wrote, before or after a newer
// one, are read, and moved when they are next looked up. What an older version reads of
// a moved row is no estimate.
func TestActivityMovesToBinary(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := e.with(store.Options{Forecast: true})
	row := e.track(t, 1)[0].Row
	posted := e.clock.Now()
	look := func(n int64) engagement.Tracking {
		t.Helper()
		e.clock.advance(10 * time.Minute)
		e.exec(t, `update public.twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
		applied, err := s.Apply(t.Context(), e.found(e.claim(t), n))
		if err != nil || applied.Count(engagement.RowApplied) != 1 {
			t.Fatalf("%+v, %v", applied, err)
		}
		return applied.Rows[0].After
	}
	look(100)
	// An older version of the program looks the tweet up, and keeps its estimate as JSON.
	e.clock.advance(10 * time.Minute)
	model := engagement.DefaultModel()
	older := tweetOf(t, s, row).Tracking
	next := older
	next.ObservedAt, next.SnapshotAt, next.Metrics, next.Snapshot = e.clock.Now(), e.clock.Now(), likes(180), likes(180)
	next.Activity = model.Learn(older, next)
	body, err := json.Marshal(next.Activity)
	if err != nil {
		t.Fatal(err)
	}
	e.exec(t, `update public.twitter_tweets set like_count = 180`)
	e.exec(t, `update public.twitter_engagement_tracking set activity = $1, last_updated_at = $2, snapshot_at = $2, snapshot_likes = 180`, body, e.clock.Now())
	if got := tweetOf(t, s, row).Tracking.Activity; got != next.Activity {
		t.Errorf("the estimate of the older version is read as %+v, want %+v", got, next.Activity)
	}
	got := look(200)
	want := model.Rebuild(posted, 0, []engagement.Snapshot{
		{At: posted.Add(10 * time.Minute), Metrics: likes(100)}, {At: posted.Add(20 * time.Minute), Metrics: likes(180)}, {At: posted.Add(30 * time.Minute), Metrics: likes(200)},
	})
	if got.Activity != want {
		t.Errorf("learnt %+v, from the history %+v", got.Activity, want)
	}
	if moved := scalar[bool](t, e, `select activity is null and activity_state is not null from public.twitter_engagement_tracking`); !moved {
		t.Error("the look-up did not move the estimate")
	}
	// One that cannot be read starts over, and keeps no counts from being written.
	e.exec(t, `update public.twitter_engagement_tracking set activity_state = '\x0203'`)
	if after := look(220); after.Activity.At != after.ObservedAt || after.Metrics != likes(220) {
		t.Errorf("after an unreadable estimate: %+v", after)
	}
}
