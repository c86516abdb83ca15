package models_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store/models"
)

// TestForecastsOfABorrowedModelAreMarked: only intervals that a zone's own tweets have
// taught are calibrated for it.
func TestForecastsOfABorrowedModelAreMarked(t *testing.T) {
	t.Parallel()
	own, other := uuid.New(), uuid.New()
	learnt := engagement.DefaultModel()
	learnt.Bands[0][0][0] = engagement.Band{Low: -1, High: 1}
	unlearnt := learnt
	unlearnt.Borrowed = true
	created := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	marked := func(m engagement.Model) bool {
		k := engagement.Tracking{CreatedAt: created, ObservedAt: created.Add(time.Hour), Metrics: engagement.Metrics{Likes: engagement.Known(10)}}
		k.Activity = m.Learn(engagement.Tracking{}, k)
		f, ok := m.Forecast(k, nil)
		if !ok {
			t.Fatal("no forecast")
		}
		return f.Uncalibrated
	}
	for _, c := range []struct {
		name   string
		fitted map[uuid.UUID]engagement.Model
		zone   uuid.UUID
		want   bool
	}{
		{"nothing was learnt", nil, own, true},
		{"the zone's own", map[uuid.UUID]engagement.Model{own: learnt, uuid.Nil: learnt}, own, false},
		{"that of all zones", map[uuid.UUID]engagement.Model{own: learnt, uuid.Nil: learnt}, other, true},
		{"of no zone in particular", map[uuid.UUID]engagement.Model{uuid.Nil: learnt}, uuid.Nil, true},
		{"the zone's own, with too few tweets for intervals", map[uuid.UUID]engagement.Model{own: unlearnt}, own, true},
	} {
		if got := marked(models.Of(c.fitted, c.zone)); got != c.want {
			t.Errorf("%s: marked %t, want %t", c.name, got, c.want)
		}
	}
}
