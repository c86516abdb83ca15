package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/metrics"
	"gorgone/simulate"
	"gorgone/store"
)

// TestSimulateInTheLoop runs the real engine over a handful of made-up tweets of
// known authors. How late it is depends on the machine, so only what must hold however
// slow that is, is tested.
func TestSimulateInTheLoop(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{out: &out, errOut: &out, cfg: cfg, log: zerolog.Nop(), registry: prometheus.NewRegistry()}
	a.metrics = metrics.New(a.registry, versionString())
	p := simulate.Synthetic(40, 4)
	for i := range 20 {
		p.Train[i].Parent, p.Test[i].Parent = i%5, i%5
	}
	o := simulation{seed: 1, speed: 3600, model: modelLearnt}
	model, histories, err := a.loopModel(p, o)
	if err != nil {
		t.Fatal(err)
	}
	p = p.WithAuthors(model, simulate.Horizon48.Seconds())
	const horizon = time.Hour
	l := loop{app: a, population: p, options: o, horizon: horizon, model: model, histories: histories}
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
			if got.Scores[i].Looks > c.most {
				t.Errorf("%s, tweet %d: %g looks, want at most %g", c.kind, i, got.Scores[i].Looks, c.most)
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

// checkLooped checks that what looks showed adds up, and that none came too soon.
func checkLooped(t *testing.T, r loopRecord, events int64) {
	t.Helper()
	shown, last := int64(0), simulate.Record{}
	for i, s := range r.Snapshots {
		n := s.Metrics.Retweets.Value()
		if i == 0 {
			shown = n
		} else {
			shown += s.Deltas.Retweets.Value()
			if gap := s.At.Sub(last.Snapshots[0].At); gap < engagement.MinSnapshotGap {
				t.Errorf("%s: two looks within %s", r.ID, gap)
			}
		}
		last.Snapshots = []engagement.Snapshot{s}
		if shown != n || n > events {
			t.Errorf("%s, look %d: deltas make %d retweets, the count is %d, and %d came in all", r.ID, i, shown, n, events)
		}
	}
}
