package store_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/postgres"
)

// TestForecastsAreComputedFromTheRow compares, after each look-up, the forecast that
// Apply has in memory and the one that a reader gets with one made from the whole
// history.
func TestForecastsAreComputedFromTheRow(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		s := e.with(store.Options{Forecast: true})
		row := e.track(t, 1)[0].Row
		before := tweetOf(t, s, row)
		if before.Forecast != nil {
			t.Errorf("before the first look-up: %+v", before.Forecast)
		}
		var snapshots []engagement.Snapshot // what was observed, snapshot of the history or not
		for i, look := range []struct {
			after time.Duration
			likes int64
		}{
			{10 * time.Minute, 100},
			{10 * time.Minute, 160},
			{10 * time.Minute, 160},
			{10 * time.Minute, 160},
			{30 * time.Second, 170}, // too soon for a snapshot
			{time.Hour, 150},
			{20 * time.Hour, 4000},
		} {
			e.clock.advance(look.after)
			e.exec(t, `update public.twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
			applied, err := s.Apply(t.Context(), e.found(e.claim(t), look.likes))
			if err != nil || applied.Count(engagement.RowApplied) != 1 {
				t.Fatalf("look-up %d: %+v, %v", i, applied, err)
			}
			points, err := e.History(t.Context(), row, history.Range{})
			if err != nil {
				t.Fatal(err)
			}
			now := engagement.Snapshot{At: e.clock.Now(), Metrics: applied.Rows[0].After.Metrics}
			var last *engagement.Snapshot
			for j := range points {
				if points[j].At.Before(now.At) {
					last = &points[j]
				}
			}
			snapshots = append(snapshots, now)
			model := engagement.DefaultModel()
			tweet := engagement.Tracking{
				CreatedAt: before.Tracking.CreatedAt, Metrics: now.Metrics,
				Activity: model.Rebuild(before.Tracking.CreatedAt, 0, snapshots),
			}
			want, ok := model.Forecast(tweet, last)
			if !ok {
				t.Fatalf("look-up %d: no forecast", i)
			}
			sameForecast(t, "in memory", applied.Rows[0].Forecast(), want)
			sameForecast(t, "as read", tweetOf(t, s, row).Forecast, want)
		}
		if f := tweetOf(t, e.with(store.Options{}), row).Forecast; f != nil {
			t.Errorf("forecasts are off: %+v", f)
		}
		// The column belongs to the product: what it keeps there is neither read nor written.
		if n := scalar[int](t, e, `select count(*)::int from public.twitter_tweets where predictions is not null`); n != 0 {
			t.Errorf("%d forecasts were written", n)
		}
	})
}

// TestForecastsInSQL: where asked for, the column predictions follows the forecast, and
// is left alone while that has moved by less than the share.
func TestForecastsInSQL(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		s := e.with(store.Options{Forecast: true, WriteForecasts: 1})
		row := e.track(t, 1)[0].Row
		e.exec(t, `update public.twitter_tweets set predictions = '{"horizons": [0, 1, {"total_engagement": {"mean": "of the product"}}]}'`)
		look := func(likes int64) (now, stored engagement.Forecast) {
			t.Helper()
			e.clock.advance(10 * time.Minute)
			e.exec(t, `update public.twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
			applied, err := s.Apply(t.Context(), e.found(e.claim(t), likes))
			if err != nil || applied.Count(engagement.RowApplied) != 1 {
				t.Fatalf("%+v, %v", applied, err)
			}
			body := scalar[string](t, e, `select predictions::text from public.twitter_tweets where id = $1`, row)
			if err := json.Unmarshal([]byte(body), &stored); err != nil {
				t.Fatal(err)
			}
			return *applied.Rows[0].Forecast(), stored
		}
		first, stored := look(100)
		sameForecast(t, "the first", &stored, first)
		mean := func(f engagement.Forecast) float64 { return f.Horizons[2].Engagement.Mean }
		near, stored := look(110)
		if moved := math.Abs(mean(near)-mean(first)) / mean(first); moved > 1 || moved == 0 {
			t.Fatalf("moved by %g of it: this test wants less than all", moved)
		}
		sameForecast(t, "moved by less", &stored, first)
		far, stored := look(50_000)
		sameForecast(t, "moved by more", &stored, far)
	})
}

// TestAForecastIsMixedAsTheZonesModelSays: a mixture that was kept for the zone is what its
// readers get, and one that was kept for all zones is not used in it.
func TestAForecastIsMixedAsTheZonesModelSays(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := e.with(store.Options{Forecast: true})
	model := engagement.DefaultModel()
	for h := range model.Mix { // half as many again come, at every horizon
		model.Mix[h].Weights, model.Mix[h].Scales = [3]float64{1: 1}, [3]float64{1, 1, 1}
		model.Mix[h].LogLinear[0] = math.Log(1.5)
	}
	row := e.track(t, 1)[0].Row
	for _, c := range []struct {
		zone  uuid.UUID
		likes int64
		mixed bool
	}{{uuid.Nil, 500, false}, {e.zone, 1000, true}} {
		if err := s.SaveModel(t.Context(), c.zone, model, 0); err != nil {
			t.Fatal(err)
		}
		e.clock.advance(2 * time.Hour)
		e.exec(t, `update public.twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
		if _, err := s.Apply(t.Context(), e.found(e.claim(t), c.likes)); err != nil {
			t.Fatal(err)
		}
		f := tweetOf(t, s, row).Forecast
		if f == nil {
			t.Fatalf("the model of %s: no forecast", c.zone)
		}
		for _, h := range f.Horizons {
			for what, e := range map[string]engagement.Expectation{"total": h.Engagement, "likes": *h.Counts[engagement.Likes]} {
				if mixed := math.Abs(e.Mean-1.5*float64(c.likes)) < 5; mixed != c.mixed {
					t.Errorf("the model of %s, %s in %s: %g", c.zone, what, h.Ahead, e.Mean)
				}
			}
		}
	}
}

func tweetOf(t *testing.T, s *store.Store, row [16]byte) store.Tweet {
	t.Helper()
	w, err := s.Tweet(t.Context(), row)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// sameForecast compares forecasts to six digits.
func sameForecast(t *testing.T, what string, got *engagement.Forecast, want engagement.Forecast) {
	t.Helper()
	if got == nil || !got.MadeAt.Equal(want.MadeAt) {
		t.Errorf("%s: %+v, want one made at %s", what, got, want.MadeAt)
		return
	}
	same := func(name string, a, b engagement.Expectation) {
		for i, v := range [][2]float64{{a.Low, b.Low}, {a.Mean, b.Mean}, {a.High, b.High}, {a.Linear, b.Linear}} {
			if math.Abs(v[0]-v[1]) > 1e-5*max(math.Abs(v[1]), 1) {
				t.Errorf("%s, %s, value %d: %g, want %g", what, name, i, v[0], v[1])
			}
		}
	}
	for i, h := range got.Horizons {
		w := want.Horizons[i]
		same("total", h.Engagement, w.Engagement)
		for _, c := range engagement.Counters() {
			if (h.Counts[c] == nil) != (w.Counts[c] == nil) {
				t.Errorf("%s, %s: %v, want %v", what, c, h.Counts[c], w.Counts[c])
			} else if h.Counts[c] != nil {
				same(c.String(), *h.Counts[c], *w.Counts[c])
			}
		}
	}
}

// TestRestingTweetsAreNotWritten looks up tweets that gained nothing: their rows of
// twitter_tweets are not written again and get no entry in the history beyond the
// snapshot.
func TestRestingTweetsAreNotWritten(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := e.with(store.Options{Forecast: true})
	e.track(t, 5)
	versions := func() string {
		return scalar[string](t, e, `select string_agg(xmin::text || ctid::text, ' ' order by id) from public.twitter_tweets`)
	}
	look := func() {
		t.Helper()
		e.clock.advance(10 * time.Minute)
		e.exec(t, `update public.twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
		if applied, err := s.Apply(t.Context(), e.found(e.claim(t), 7)); err != nil || applied.Count(engagement.RowApplied) != 5 {
			t.Fatalf("%+v, %v", applied, err)
		}
	}
	look()
	before := versions()
	look()
	if after := versions(); after != before {
		t.Errorf("rows of tweets at rest were written: %s, before %s", after, before)
	}
}
