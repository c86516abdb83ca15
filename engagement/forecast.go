package engagement

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Horizons are how far ahead a [Forecast] looks.
func Horizons() [NumHorizons]time.Duration {
	return [NumHorizons]time.Duration{time.Hour, 3 * time.Hour, 24 * time.Hour}
}

// NumHorizons is the number of [Horizons].
const NumHorizons = 3

// Expectation is a count at a coming time.
type Expectation struct {
	Low  float64 `json:"low"` // with Low and High, the interval that holds 80% of the truth
	Mean float64 `json:"mean"`
	High float64 `json:"high"`

	// Linear is what the speed between the last two snapshots would lead to.
	// Engagement slows down with age, so it is too high nearly always.
	Linear float64 `json:"linear"`
}

// Horizon is a forecast of all counts for one moment. A count that is not known is
// not forecast: its expectation is nil.
type Horizon struct {
	Ahead      time.Duration
	At         time.Time
	Counts     [NumCounters]*Expectation // by [Counter]
	Engagement Expectation               // of the total, see [Metrics.Total]
}

// Forecast is where the counts of a tweet will be. Its JSON is what the key
// predictions of a tweet's history holds:
//
//	{"made_at": "2026-11-24T06:00:00Z", "horizons": [
//	  {"hours": 1, "at": "2026-11-24T07:00:00Z",
//	   "total_engagement": {"low": 110, "mean": 121.5, "high": 140, "linear": 150},
//	   "counts": {"likes": {"low": …, "mean": …, "high": …, "linear": …}, …}}, …]}
//
// with "uncalibrated": true where that is so.
type Forecast struct {
	MadeAt time.Time `json:"made_at"`

	// Uncalibrated says that the intervals were not learnt on tweets of the same zone:
	// they may hold far less, or more, than 80% of the truth.
	Uncalibrated bool `json:"uncalibrated,omitempty"`

	Horizons [NumHorizons]Horizon `json:"horizons"`
}

type horizonJSON struct {
	Hours      float64                `json:"hours"`
	At         time.Time              `json:"at"`
	Engagement Expectation            `json:"total_engagement"`
	Counts     map[string]Expectation `json:"counts"`
}

// MarshalJSON encodes a horizon as part of a [Forecast].
func (h Horizon) MarshalJSON() ([]byte, error) {
	out := horizonJSON{Hours: h.Ahead.Hours(), At: h.At, Engagement: h.Engagement, Counts: map[string]Expectation{}}
	for _, c := range Counters() {
		if e := h.Counts[c]; e != nil {
			out.Counts[c.String()] = *e
		}
	}
	return json.Marshal(out)
}

// maxHours is the farthest horizon that is read: any that was ever written is nearer.
const maxHours = 1000

// UnmarshalJSON decodes what MarshalJSON made.
func (h *Horizon) UnmarshalJSON(data []byte) error {
	var in horizonJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("decode forecast: %w", err)
	}
	if !(in.Hours >= 0 && in.Hours <= maxHours) {
		return fmt.Errorf("decode forecast: %g hours ahead: want 0 to %d", in.Hours, maxHours)
	}
	*h = Horizon{Ahead: time.Duration(math.Round(in.Hours * float64(time.Hour))), At: in.At, Engagement: in.Engagement}
	for _, c := range Counters() {
		if e, ok := in.Counts[c.String()]; ok {
			h.Counts[c] = &e
		}
	}
	return nil
}

// Forecast says where the counts of a tweet will be 1, 3 and 24 hours after its last
// look, given what the look-ups up to then showed: the count now plus
//
//	Â (K(t+h) - K(t)),
//
// with Â the size of [Model.Size] for each counter, corrected by the model's [Mix] unless
// that is borrowed. The interval is that of a negative binomial count
// (the gamma-Poisson predictive) with its width corrected by what was seen on
// tweets not used for the fit ([Bands]). last is the snapshot before the last look-up,
// for the linear extrapolation beside it; nil: none. ok is false when the tweet
// was not looked up since it has an estimate, and when the stored estimate or model
// leads to what is no number.
func (m Model) Forecast(t Tracking, last *Snapshot) (f Forecast, ok bool) {
	a := t.Activity
	age := a.At.Sub(t.CreatedAt)
	if a.At.IsZero() || age <= 0 {
		return Forecast{}, false
	}
	f.MadeAt, f.Uncalibrated = a.At, m.Borrowed || m.Bands == Bands{}
	for i, ahead := range Horizons() {
		h := Horizon{Ahead: ahead, At: a.At.Add(ahead)}
		total := float64(t.Metrics.Total())
		more := m.more(m.Engagement, m.prior(a.Expected), a.Engagement, i, t.CreatedAt, age)
		since := linear(0, total, age, ahead) // of a first look-up: since the creation
		h.Engagement.Linear = total
		if last != nil {
			since = linear(float64(last.Metrics.Total()), total, a.At.Sub(last.At), ahead)
			h.Engagement.Linear = since
		}
		factor := 1.0
		if !m.Borrowed {
			factor = m.Mix[i].factor(forecastSample{age: age, count: total, more: more, linear: since - total})
		}
		h.Engagement.Low, h.Engagement.Mean, h.Engagement.High = m.Bands.around(i, age, total, factor*more)
		for _, c := range Counters() {
			n, known := t.Metrics.Of(c).Get()
			if !known {
				continue
			}
			g := m.Counters[c]
			e := Expectation{Linear: float64(n)}
			e.Low, e.Mean, e.High = m.Bands.around(i, age, float64(n), factor*m.more(g, g.Prior, a.Counters[c], i, t.CreatedAt, age))
			if last != nil {
				if before, knew := last.Metrics.Of(c).Get(); knew {
					e.Linear = linear(float64(before), float64(n), a.At.Sub(last.At), ahead)
				}
			}
			h.Counts[c] = &e
		}
		if !h.finite() {
			return Forecast{}, false
		}
		f.Horizons[i] = h
	}
	return f, true
}

// finite reports whether the horizon can be encoded: JSON has no infinity.
func (h Horizon) finite() bool {
	ok := h.Engagement.finite()
	for _, e := range h.Counts {
		ok = ok && (e == nil || e.finite())
	}
	return ok
}

func (e Expectation) finite() bool {
	return isFinite(e.Low) && isFinite(e.Mean) && isFinite(e.High) && isFinite(e.Linear)
}

// more is what the kernel expects to come of one counter by one horizon.
func (m Model) more(g Growth, p Prior, e GrowthStats, horizon int, createdAt time.Time, age time.Duration) float64 {
	size, _ := posterior(p, e)
	more := size * m.Clock.share(g.Kernel, createdAt, age, age+Horizons()[horizon])
	if s := g.Scale[horizon]; s > 0 {
		more *= s
	}
	return more
}

// linear carries the speed between two counts on.
func linear(before, now float64, apart, ahead time.Duration) float64 {
	if apart <= 0 {
		return now
	}
	return now + (now-before)*float64(ahead)/float64(apart)
}

// Bins of the age of a tweet and of its count, by which the error of a forecast
// differs.
const (
	ageBins   = 6
	countBins = 6
)

// Band is how far the truth lies from a forecast at most, in 80% of cases: the
// quantiles of ln((n + ½)/(μ + ½)), with n the engagements that came and μ those
// expected.
type Band struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Bands hold a band for each horizon, age and count. The zero value makes the
// interval of an unfitted model, a factor of three to both sides.
type Bands [NumHorizons][ageBins][countBins]Band

var unfitted = Band{Low: -math.Ln2 * 1.6, High: math.Ln2 * 1.6}

// binOf returns the bins of an age and a count.
func binOf(age time.Duration, count float64) (byAge, byCount int) {
	for _, edge := range [ageBins - 1]time.Duration{30 * time.Minute, 90 * time.Minute, 4 * time.Hour, 8 * time.Hour, 24 * time.Hour} {
		if age >= edge {
			byAge++
		}
	}
	for _, edge := range [countBins - 1]float64{3, 10, 30, 100, 1000} {
		if count >= edge {
			byCount++
		}
	}
	return byAge, byCount
}

// around is the interval of a count of which so much more is expected to come.
func (b *Bands) around(horizon int, age time.Duration, count, more float64) (low, mean, high float64) {
	byAge, byCount := binOf(age, count)
	band := b[horizon][byAge][byCount]
	if band == (Band{}) {
		band = unfitted
	}
	// Counts are whole: rounding must not shut out the one that lies on the edge.
	const edge = 1e-6
	of := func(quantile float64) float64 { return (more+0.5)*math.Exp(quantile) - 0.5 }
	return count + max(min(of(band.Low)-edge, more), 0), count + more, count + max(of(band.High)+edge, more)
}
