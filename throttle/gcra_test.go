package throttle

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/queue"
)

var epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func ms(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

func TestPaceLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                  string
		rate, reserve, margin float64
		want                  limits // rounded to 0.1 ms
	}{
		{"slowest plan", 0.2, 0.1, 0.03, limits{interval: ms(5154.6), batchInterval: ms(5727.4), runTime: ms(50), grace: ms(103.1), credit: ms(51.5)}},
		{"20 a second", 20, 0.1, 0.03, limits{interval: ms(51.5), batchInterval: ms(57.3), runTime: ms(50), grace: ms(20.6), credit: ms(10.3)}},
		{"200 a second", 200, 0.1, 0.03, limits{interval: ms(5.2), batchInterval: ms(5.7), runTime: ms(50), grace: ms(20.6), credit: ms(10.3)}},
		{"500 a second", 500, 0.1, 0.03, limits{interval: ms(2.1), batchInterval: ms(2.3), runTime: ms(50), grace: ms(20.6), credit: ms(10.3)}},
		{"no reserve", 100, 0, 0.03, limits{interval: ms(10.3), batchInterval: ms(10.3), runTime: ms(50), grace: ms(20.6), credit: ms(10.3)}},
		{"a wide margin", 100, 0.5, 0.2, limits{interval: ms(12.5), batchInterval: ms(25), runTime: ms(50), grace: ms(50), credit: ms(25)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := newLimits(c.rate, c.reserve, c.margin)
			for _, d := range []*time.Duration{&got.interval, &got.batchInterval, &got.grace, &got.credit} {
				*d = d.Round(100 * time.Microsecond)
			}
			got.streak, got.probe = 0, 0
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestTheProbeIsInTimeWhenItIsWritten: however slow the write is, the one call after a pause may
// still start when its reservation stands, and so may the first of a run that was asked for late.
func TestTheProbeIsInTimeWhenItIsWritten(t *testing.T) {
	t.Parallel()
	for _, write := range []time.Duration{0, ms(1), ms(30), ms(100), ms(900)} {
		l := newLimits(20, 0.1, 0.03)
		l = l.writtenIn(write)
		for _, s := range []limiterState{
			{Factor: 1, recovery: recovery{HoldUntil: epoch.Add(-time.Second)}},
			{Factor: 1, All: epoch.Add(-time.Hour), Batch: epoch.Add(-time.Hour)},
		} {
			_, first, n := l.reserve(s, queue.ClassBatch, epoch, 1)
			if s.HoldUntil.IsZero() && write > maxSlow {
				continue // a refresh would wait for it
			}
			if late := epoch.Add(write).Sub(first); n != 1 || late > l.grace {
				t.Errorf("a write of %s: %d slots, the first %s late when it stands, and %s are too late", write, n, late, l.grace)
			}
		}
	}
}

func TestReserve(t *testing.T) {
	t.Parallel()
	l := limits{interval: ms(10), batchInterval: ms(12), runTime: ms(50), grace: ms(20), credit: ms(8), ahead: ms(3)}
	at := func(n float64) time.Time { return epoch.Add(ms(n)) }
	for _, c := range []struct {
		name       string
		class      queue.Class
		all, batch float64 // ms after now
		want       int

		wait           float64 // how long until it may reserve
		first          float64
		n              int
		nextAll, nextB float64
	}{
		{name: "batches of an idle limiter", class: queue.ClassBatch, all: -1000, batch: -1000, want: 3, first: -8, n: 3, nextAll: 22, nextB: 28},
		{name: "no more than a run", class: queue.ClassBatch, all: -1000, batch: -1000, want: 100, first: -8, n: 5, nextAll: 42, nextB: 52},
		{name: "asked a little late: on the grid", class: queue.ClassBatch, all: -3, batch: -1, want: 2, first: -3, n: 2, nextAll: 17, nextB: 23},
		{name: "batches keep their own distance", class: queue.ClassBatch, all: -3, batch: 4, want: 1, wait: 1},
		{name: "batches ahead by what it takes", class: queue.ClassBatch, all: 9, batch: -5, want: 1, wait: 6},
		{name: "and then for their slot", class: queue.ClassBatch, all: 3, batch: -5, want: 1, first: 3, n: 1, nextAll: 13, nextB: 7},
		{name: "a refresh of an idle limiter", class: queue.ClassRefresh, all: -1000, batch: -1000, want: 1, first: -8, n: 1, nextAll: 2, nextB: -1000},
		{name: "a refresh behind a run", class: queue.ClassRefresh, all: 42, batch: 52, want: 2, first: 42, n: 2, nextAll: 62, nextB: 52},
		{name: "refreshes queue up", class: queue.ClassRefresh, all: 62, batch: 52, want: 1, wait: 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := limiterState{All: at(c.all), Batch: at(c.batch), Factor: 1}
			if wait := l.earliest(s, c.class).Sub(epoch); wait > 0 || c.wait > 0 {
				if wait != ms(c.wait) {
					t.Errorf("wait is %s, want %s", wait, ms(c.wait))
				}
				return
			}
			next, first, n := l.reserve(s, c.class, epoch, c.want)
			if first != at(c.first) || n != c.n || next.All != at(c.nextAll) || next.Batch != at(c.nextB) || next.Factor != 1 {
				t.Errorf("%d slots from %s, then %+v", n, first.Sub(epoch), next)
			}
		})
	}
}

func TestHalvedRate(t *testing.T) {
	t.Parallel()
	full := newLimits(200, 0.1, 0.03)
	half := full.scaled(0.5)
	if half.interval != 2*full.interval || half.batchInterval != 2*full.batchInterval || half.grace != full.grace {
		t.Errorf("half is %+v of %+v", half, full)
	}
}

// Whatever replicas do, and however late calls start within the grace, no window
// holds more calls than the rate; batches leave the reserve; a refresh waits for a
// run of batches at most, and what they reserved ahead.
func TestPaceHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.2, 1, 2, 7, 20, 50, 200, 500}).Draw(t, "rate")
		reserve := rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(t, "reserve")
		margin := rapid.SampledFrom([]float64{0.01, 0.03, 0.2}).Draw(t, "margin")
		refreshes := rapid.IntRange(0, 3).Draw(t, "refreshes in four asks")
		l := newLimits(rate, reserve, margin)
		l.ahead = time.Duration(rapid.Int64Range(0, int64(maxSlow)).Draw(t, "ahead"))
		s := l.initial(epoch)
		now := epoch
		began := l.earliest(s, queue.ClassBatch)
		onlyBatches := true
		var starts []time.Time
		var batches int
		for range rapid.IntRange(1, 300).Draw(t, "asks") {
			class := queue.ClassBatch
			if rapid.IntRange(0, 3).Draw(t, "class") < refreshes {
				class = queue.ClassRefresh
			}
			if wait := l.earliest(s, class).Sub(now); wait > 0 {
				now = now.Add(wait)
			}
			// However late a caller asks.
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*l.credit)).Draw(t, "late")))
			next, first, n := l.reserve(s, class, now, rapid.IntRange(1, 40).Draw(t, "want"))
			if class == queue.ClassRefresh && onlyBatches && first.Sub(now) > max(l.runTime+l.ahead, l.interval+l.ahead) {
				t.Fatalf("the first refresh waits %s", first.Sub(now))
			}
			onlyBatches = onlyBatches && class == queue.ClassBatch
			for k := range n {
				slot := first.Add(time.Duration(k) * l.interval)
				starts = append(starts, slot.Add(time.Duration(rapid.Int64Range(0, int64(l.grace)).Draw(t, "start"))))
			}
			if class == queue.ClassBatch {
				batches += n
			}
			decoded, err := decodeLimiterState(next.encode())
			if err != nil {
				t.Fatal(err)
			}
			if decoded.All.Before(next.All) || decoded.All.Sub(next.All) > time.Microsecond || decoded.Batch.Before(next.Batch) {
				t.Fatalf("%+v was stored as %+v", next, decoded)
			}
			s = decoded
		}
		slices.SortFunc(starts, time.Time.Compare)
		window := time.Duration(math.Max(1, 1/rate) * float64(time.Second))
		most := int(math.Max(1, rate))
		for i := most; i < len(starts); i++ {
			if took := starts[i].Sub(starts[i-most]); took < window {
				t.Fatalf("%d calls within %s", most+1, took)
			}
		}
		// Long-run share of batches, one run and the credit aside.
		took := s.Batch.Sub(began).Seconds() + l.credit.Seconds()
		if limit := rate * (1 - margin) * (1 - reserve) * took; float64(batches) > limit+0.5 {
			t.Fatalf("%d batch calls in %.3f s, want at most %.1f", batches, took, limit)
		}
	})
}

func TestFreshPaceWaitsForWhatMayBeInHand(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0.2, 20, 200, 500} {
		for _, factor := range []float64{1, minFactor, minFactor * rampStart} {
			for _, write := range []time.Duration{0, ms(20), ms(200), ms(5000)} {
				full := newLimits(rate, 0.1, 0.03)
				l := full.scaled(factor).writtenIn(write)
				// The farthest slot that a replica can have, when all was lost the moment after.
				s := limiterState{All: epoch.Add(l.lead(queue.ClassRefresh)), Batch: epoch, Factor: 1}
				_, first, n := l.reserve(s, queue.ClassRefresh, epoch, 1000)
				last := first.Add(time.Duration(n-1) * l.interval)
				if early := full.interval - full.initial(epoch).All.Sub(last); early > 0 {
					t.Errorf("rate %v, factor %v, writes of %s: begins %s too early", rate, factor, write, early)
				}
			}
		}
	}
}

func TestPlausible(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0.001, 0.2, 200} {
		l := newLimits(rate, 0.1, 0.03)
		fresh := l.initial(epoch)
		next, _, _ := l.reserve(fresh, queue.ClassBatch, fresh.All, 1000)
		if !l.plausible(next, fresh.All) {
			t.Errorf("rate %v: what a replica reserves at first is not plausible", rate)
		}
		next.All = next.All.Add(24 * time.Hour * 365)
		if l.plausible(next, epoch) {
			t.Errorf("rate %v: a reservation of next year is plausible", rate)
		}
	}
}

func FuzzDecodePaceState(f *testing.F) {
	f.Add(limiterState{All: epoch, Batch: epoch, Factor: 1}.encode())
	f.Add([]byte(`{"v":1,"factor":0}`))
	f.Add([]byte(`{"v":1,"factor":1e999}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeLimiterState(body)
		if err != nil {
			return
		}
		again, err := decodeLimiterState(s.encode())
		if err != nil || !again.All.Equal(s.All) || !again.Batch.Equal(s.Batch) || again.Factor != s.Factor {
			t.Errorf("%+v came back as %+v, %v", s, again, err)
		}
	})
}
