package engagement

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// A forecast that was stored is read as it was written, or not at all.
func FuzzForecast(f *testing.F) {
	f.Add([]byte(`{"made_at":"2026-11-01T12:00:00Z","horizons":[{"hours":1,"at":"2026-11-01T13:00:00Z","total_engagement":{"expected":3.5,"low":1,"high":9},"counts":{"likes":{"expected":1}}}]}`))
	f.Add([]byte(`{"horizons":[{"hours":1e300}]}`))
	f.Add([]byte(`{"horizons":[{"hours":2.77e-13}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var a, b Forecast
		if json.Unmarshal(body, &a) != nil {
			return
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := json.Marshal(b)
		if err != nil || string(again) != string(text) {
			t.Fatalf("%s became %s (%v)", text, again, err)
		}
	})
}

// What was stored of a tweet and of a zone may be anything: a look-up is learnt from, and
// a forecast made of it, all the same.
func FuzzStoredEstimates(f *testing.F) {
	add := func(m Model, a Activity) {
		model, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		activity, err := json.Marshal(a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(model, activity)
	}
	created := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	add(DefaultModel(), Activity{})
	add(DefaultModel(), Activity{At: created.Add(time.Hour), Expected: 7, Delta: 3})
	add(Model{}, Activity{At: created})
	add(DefaultModel(), Activity{At: created.Add(time.Hour), PaidDay: UTCDay(created)})
	f.Add([]byte(`{"forget":1e308,"drift":-1}`), []byte(`{"at":"2026-11-01T12:00:00.000000001Z","x":-1e308}`))
	f.Fuzz(func(t *testing.T, model, activity []byte) {
		var m Model
		if json.Unmarshal(model, &m) != nil {
			return
		}
		before := Tracking{CreatedAt: created, ObservedAt: created.Add(time.Hour), Metrics: Metrics{Likes: Known(10)}}
		if json.Unmarshal(activity, &before.Activity) != nil {
			return
		}
		after := before
		after.ObservedAt, after.Metrics = created.Add(2*time.Hour), Metrics{Likes: Known(12), Views: Known(100)}
		after.Activity = m.Learn(before, after)
		if forecast, ok := m.Forecast(after, nil); ok {
			if _, err := json.Marshal(forecast); err != nil {
				t.Fatalf("a forecast that cannot be encoded: %v", err)
			}
		}
		if !reflect.DeepEqual(m.Learn(before, after), after.Activity) {
			if text, err := json.Marshal(after.Activity); err == nil { // not a number is unlike itself
				t.Fatalf("another estimate of the same look: %s", text)
			}
		}
	})
}
