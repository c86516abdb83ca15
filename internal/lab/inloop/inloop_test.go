package inloop

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/internal/simulate"
	"gorgone/store"
)

// TestTheEngineFollowsTheSchedule runs the real engine over a handful of made-up tweets of
// known authors. How late it is depends on the machine, so only what must hold however
// slow that is, is tested.
func TestTheEngineFollowsTheSchedule(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := simulate.Synthetic(40, 4)
	for i := range 20 {
		p.Train[i].Parent, p.Test[i].Parent = i%5, i%5
	}
	const horizon = time.Hour
	l, err := newLoop(cfg, p, Options{Speed: 3600, Seed: 1, Horizon: horizon, Version: "test", Out: &out, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	p = p.WithAuthors(l.model, simulate.Horizon48.Seconds())
	l.population = p
	for _, c := range []struct {
		kind  store.Schedule
		price float64
		most  float64 // looks of a tweet
	}{
		{store.ScheduleTiers, 0, 6},
		{store.ScheduleAdaptive, 0.5, horizon.Minutes() / 2},
	} {
		got, err := l.run(t.Context(), c.kind, c.price)
		if err != nil {
			t.Fatal(err)
		}
		if got.returned == 0 || got.calls == 0 {
			t.Errorf("%s: %d calls returned %d tweets", c.kind, got.calls, got.returned)
		}
		looks := 0
		for i, r := range got.records {
			looks += max(len(r.Snapshots)-1, 0)
			if got.Scores[i].Lookups > c.most {
				t.Errorf("%s, tweet %d: %g looks, want at most %g", c.kind, i, got.Scores[i].Lookups, c.most)
			}
			if len(r.Snapshots) > 0 && (r.expected <= 0) {
				t.Errorf("%s, tweet %d: nothing was expected of its author", c.kind, i)
			}
			checkLooped(t, r, int64(len(p.Test[i].Events)))
		}
		if int64(looks) > got.returned {
			t.Errorf("%s: the history has %d looks, and %d tweets were returned", c.kind, looks, got.returned)
		}
		if !strings.Contains(out.String(), string(c.kind)+", price") {
			t.Errorf("%s: printed %q", c.kind, out.String())
		}
	}
}

// checkLooped checks that what looks showed is possible, and that none came too soon.
func checkLooped(t *testing.T, r record, events int64) {
	t.Helper()
	for i, s := range r.Snapshots {
		n := s.Metrics.Retweets.Value()
		if n > events {
			t.Errorf("%s, look %d: %d retweets, and %d came in all", r.ID, i, n, events)
		}
		if i == 0 {
			continue
		}
		last := r.Snapshots[i-1]
		if n < last.Metrics.Retweets.Value() {
			t.Errorf("%s, look %d: %d retweets after %s", r.ID, i, n, last.Metrics.Retweets)
		}
		if gap := s.At.Sub(last.At); gap < engagement.MinSnapshotGap {
			t.Errorf("%s: two looks within %s", r.ID, gap)
		}
	}
}
