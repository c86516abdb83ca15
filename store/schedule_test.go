package store_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

func asLimit(err error, target **store.LimitError) bool { return errors.As(err, target) }

// TestSchedulesByZone: each zone's rows go by its own setting, and the estimate of
// a row survives from look to look.
func TestSchedulesByZone(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		s := e.with(store.Options{Schedule: store.ScheduleAdaptive, Price: 50})
		tiers, unknown := e.newZone(t), e.newZone(t)
		e.exec(t, `update public.zones set settings = '{"schedule": "tiers"}' where id = $1`, tiers)
		e.exec(t, `update public.zones set settings = '{"schedule": "smart_stop"}' where id = $1`, unknown) // an older version knew it
		posted := e.clock.Now()
		adaptive := e.trackIn(t, e.zone, newTweets(posted, 1))[0].Row
		byAge := e.trackIn(t, tiers, newTweets(posted, 1))[0].Row
		fallback := e.trackIn(t, unknown, newTweets(posted, 1))[0].Row
		model := engagement.DefaultModel()
		e.clock.advance(5 * time.Minute)
		at := e.clock.Now()
		applied, err := s.Apply(t.Context(), e.found(e.claim(t), 40))
		if err != nil {
			t.Fatal(err)
		}
		tracking := make(map[string]engagement.Tracking)
		for _, r := range applied.Rows {
			tracking[r.Row.String()] = r.After
		}
		if next := tracking[byAge.String()].NextUpdateAt; !next.Equal(posted.Add(10 * time.Minute)) {
			t.Errorf("tiers: next look at %s", next)
		}
		if next := tracking[fallback.String()].NextUpdateAt; !next.Equal(posted.Add(10 * time.Minute)) {
			t.Errorf("a schedule that is not known: next look-up at %s, want that of the tiers", next)
		}
		want := engagement.Tracking{
			TweetID: tracking[adaptive.String()].TweetID, CreatedAt: posted, ObservedAt: at, SnapshotAt: at, UpdateCount: 1, Metrics: likes(40), Snapshot: likes(40),
		}
		want.Activity = model.Learn(engagement.Tracking{CreatedAt: posted}, want)
		_, next := engagement.DefaultAdaptive(model, 50).Schedule(want, at)
		got := tracking[adaptive.String()]
		if got.Activity != want.Activity || got.NextUpdateAt.Sub(next).Abs() > time.Microsecond {
			t.Errorf("adaptive: activity %+v next %s\nwant %+v next %s", got.Activity, got.NextUpdateAt, want.Activity, next)
		}
		stored, err := s.Tweet(t.Context(), adaptive)
		if err != nil || stored.Tracking.Activity != got.Activity {
			t.Errorf("stored %+v, %v", stored.Tracking.Activity, err)
		}
		if a := tracking[byAge.String()].Activity; a != (engagement.Activity{}) {
			t.Errorf("without forecasts, tiers need no estimate: %+v", a)
		}
	})
}

func TestPriceMeetsTheBudget(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := e.with(store.Options{Schedule: store.ScheduleAdaptive, Budget: store.Budget{Day: 10}})
	e.track(t, 50)
	price := func() float64 {
		t.Helper()
		if err := s.AdjustPrice(t.Context()); err != nil {
			t.Fatal(err)
		}
		return scalar[float64](t, e, `select price from gorgone.look_price`)
	}
	first := price()
	if p, err := s.Purchases(t.Context()); err != nil || p.Now.Price != first || p.Now.DollarsPerDay > 10.1 ||
		p.Half.LookupsPerHour > p.Now.LookupsPerHour || p.Double.LookupsPerHour < p.Now.LookupsPerHour || p.Half.Delay < p.Now.Delay {
		t.Errorf("at the first price of %g: %+v, %v", first, p, err)
	}
	e.clock.advance(time.Minute)
	if again := price(); again != first {
		t.Errorf("moved after a minute, from %g to %g", first, again)
	}
	e.clock.advance(9 * time.Minute)
	cheaper := price()
	if cheaper >= first {
		t.Errorf("nothing was spent, and the price went from %g to %g", first, cheaper)
	}
	if err := s.RecordCalls(t.Context(), false, store.Calls{Provider: "p", Count: 1, Billed: 100}); err != nil {
		t.Fatal(err)
	}
	e.clock.advance(10 * time.Minute)
	if dearer := price(); dearer <= cheaper {
		t.Errorf("a tenth of the day's money was spent in ten minutes, and the price went from %g to %g", cheaper, dearer)
	}
}

func TestModelsAreLearnt(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := e.with(store.Options{})
	if n, err := s.FitModels(t.Context()); err != nil || n != 0 {
		t.Fatalf("from nothing: %d models, %v", n, err)
	}
	// 120 tweets that get half of their 64 likes in the first ten minutes.
	rows := e.track(t, 120)
	posted := e.clock.Now()
	for _, look := range []struct {
		age time.Duration
		n   int64
	}{{10 * time.Minute, 32}, {time.Hour, 48}, {12 * time.Hour, 60}, {49 * time.Hour, 64}} {
		e.clock.advance(posted.Add(look.age).Sub(e.clock.Now()))
		e.exec(t, `update public.twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
		if _, err := s.Apply(t.Context(), e.found(e.claim(t), look.n)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.FitModels(t.Context()); err != nil || n != 2 {
		t.Fatalf("of %d tweets: %d models, want one of all and one of the zone; %v", len(rows), n, err)
	}
	var m engagement.Model
	body := scalar[string](t, e, `select model::text from gorgone.models where zone_id = $1`, e.zone)
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	if m.Engagement.Kernel == engagement.DefaultModel().Engagement.Kernel || m.Engagement.Kernel.Share(10*time.Minute) < 0.3 {
		t.Errorf("kernel %+v", m.Engagement.Kernel)
	}
	if n, err := s.FitModels(t.Context()); err != nil || n != 0 {
		t.Errorf("a moment later: %d models, %v", n, err)
	}
	// Tweets that were not followed for long teach nothing of the rhythm: what was
	// learnt before stays.
	e.exec(t, `delete from public.twitter_engagement_history where snapshot_at > $1`, posted.Add(13*time.Hour))
	e.clock.advance(25 * time.Hour)
	if n, err := s.FitModels(t.Context()); err != nil || n != 2 {
		t.Fatalf("a day later: %d models, %v", n, err)
	}
	var later engagement.Model
	if err := json.Unmarshal([]byte(scalar[string](t, e, `select model::text from gorgone.models where zone_id = $1`, e.zone)), &later); err != nil {
		t.Fatal(err)
	}
	if later.Engagement.Kernel != m.Engagement.Kernel || later.Engagement.Prior != m.Engagement.Prior {
		t.Errorf("a day later %+v, before %+v", later.Engagement, m.Engagement)
	}
	// One that was learnt elsewhere takes its place.
	m.Forget = 0.25
	if err := s.SaveModel(t.Context(), e.zone, m, 0); err != nil {
		t.Fatal(err)
	}
	if kept := scalar[float64](t, e, `select (model->>'forget')::float8 from gorgone.models where zone_id = $1`, e.zone); kept != 0.25 {
		t.Errorf("the model that was kept: %g", kept)
	}
}
