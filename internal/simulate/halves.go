package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/sourcegraph/conc/iter"

	"gorgone/engagement"
)

// Lived is a tweet of a trial that reached the age of its closing look-up.
type Lived struct {
	Record

	Lookups int // that it got before its closing look-up, as paid for
}

// Halves compares the two halves of a trial. Brackets are 95% intervals from bootstrap
// samples of the tweets; a figure that there is not enough for is nil.
type Halves struct {
	Tiers    HalfFigures `json:"tiers"`
	Adaptive HalfFigures `json:"adaptive"`

	// Over are the adaptive half's figures over the tiers'; below 1 is better.
	Over HalfFigures `json:"adaptive_over_tiers"`
}

// HalfFigures are what a schedule did to its half. What came between two look-ups is placed
// as [Recorded] does. That is right within a few percent, but for the tiers up to 48 h:
// what came in the 36 hours in which they look at nothing came earlier still, so their delay
// and staleness are understated by about a fifth.
type HalfFigures struct {
	Tweets    int       `json:"tweets,omitempty"`    // measured
	TakeOffs  int       `json:"take_offs,omitempty"` // tweets with 100 engagements within an hour
	Lookups   *Estimate `json:"lookups"`             // a tweet
	Dollars   *Estimate `json:"dollars,omitempty"`   // a thousand tweets; nil: no price is known
	Delay12   *Estimate `json:"delay_minutes_12h"`   // until an engagement is seen, of those that came within 12 h
	Delay48   *Estimate `json:"delay_minutes_48h"`   // likewise; what is never seen counts until 48 h
	Stale12   *Estimate `json:"staleness_12h"`       // share of the engagements that is not known yet, over time
	Stale48   *Estimate `json:"staleness_48h"`
	TakeOff48 *Estimate `json:"take_off_minutes"` // from a take-off to the look-up that shows it
}

// halfMeasures are the estimates of HalfFigures, in order.
const halfMeasures = 6

func (f *HalfFigures) estimates() [halfMeasures]**Estimate {
	return [halfMeasures]**Estimate{&f.Lookups, &f.Delay12, &f.Delay48, &f.Stale12, &f.Stale48, &f.TakeOff48}
}

// half is one half of a trial, measured.
type half struct {
	within12, within48 []Score
	takeOffs           int
}

func measureHalf(lived []Lived) half {
	var h half
	for _, l := range lived {
		t, ok := l.tweet()
		if !ok || !t.known(Horizon48) {
			continue
		}
		t.Found = l.Snapshots[0].At.Sub(l.CreatedAt).Seconds()
		var looks []float64
		for _, s := range l.Snapshots[1:] {
			if age := s.At.Sub(l.CreatedAt); age < Horizon48 {
				looks = append(looks, age.Seconds())
			}
		}
		at12, at48 := t.score(looks, Horizon12.Seconds(), false), t.score(looks, Horizon48.Seconds(), false)
		at48.Lookups = float64(l.Lookups) // those that showed nothing new too
		if !math.IsNaN(at48.Detect[TakeOff]) {
			h.takeOffs++
		}
		h.within12, h.within48 = append(h.within12, at12), append(h.within48, at48)
	}
	return h
}

func (h half) figures(weights []float64) [halfMeasures]float64 {
	if len(h.within48) == 0 {
		nan := math.NaN()
		return [halfMeasures]float64{nan, nan, nan, nan, nan, nan}
	}
	a, b := Summarize(h.within12, weights), Summarize(h.within48, weights)
	return [halfMeasures]float64{b.Lookups, a.Delay, b.Delay, a.Stale, b.Stale, b.DetectMean[TakeOff]}
}

// draw returns how often each tweet counts in a bootstrap sample.
func (h half) draw(r *rand.Rand) []float64 {
	weights := make([]float64, len(h.within48))
	for range weights {
		weights[r.IntN(len(weights))]++
	}
	return weights
}

// CompareHalves measures both halves of a trial. dollars is what a look-up costs; 0: not
// known.
func CompareHalves(tiers, adaptive []Lived, dollars float64, samples int, seed uint64) Halves {
	kept, tried := measureHalf(tiers), measureHalf(adaptive)
	type drawn struct{ kept, tried, over [halfMeasures]float64 }
	of := func(a, b [halfMeasures]float64) drawn {
		d := drawn{kept: a, tried: b}
		for i := range d.over {
			d.over[i] = b[i] / a[i]
		}
		return d
	}
	all := make([]drawn, samples)
	iter.ForEachIdx(all, func(i int, d *drawn) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		*d = of(kept.figures(kept.draw(r)), tried.figures(tried.draw(r)))
	})
	value := of(kept.figures(nil), tried.figures(nil))
	var out Halves
	out.Tiers.Tweets, out.Tiers.TakeOffs = len(kept.within48), kept.takeOffs
	out.Adaptive.Tweets, out.Adaptive.TakeOffs = len(tried.within48), tried.takeOffs
	for part, f := range map[*HalfFigures]func(drawn) [halfMeasures]float64{
		&out.Tiers:    func(d drawn) [halfMeasures]float64 { return d.kept },
		&out.Adaptive: func(d drawn) [halfMeasures]float64 { return d.tried },
		&out.Over:     func(d drawn) [halfMeasures]float64 { return d.over },
	} {
		for k, field := range part.estimates() {
			var xs []float64
			for _, d := range all {
				xs = append(xs, f(d)[k])
			}
			*field = estimateOf(f(value)[k], xs)
		}
	}
	for _, f := range []*HalfFigures{&out.Tiers, &out.Adaptive} {
		if e := f.Lookups; e != nil && dollars > 0 {
			f.Dollars = &Estimate{Value: 1000 * dollars * e.Value, Low: 1000 * dollars * e.Low, High: 1000 * dollars * e.High}
		}
	}
	return out
}

// estimateOf returns an interval, or nil where there is no figure in most of the samples.
func estimateOf(value float64, samples []float64) *Estimate {
	var known []float64
	for _, x := range samples {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			known = append(known, x)
		}
	}
	if math.IsNaN(value) || math.IsInf(value, 0) || len(known) < len(samples)/2 || len(known) == 0 {
		return nil
	}
	e := interval(value, known)
	return &e
}

// Gain is what the adaptive schedule would have gained on recorded tweets.
type Gain struct {
	Tweets int      // of the test half; fewer than [MinTweets]: too few to tell
	Delay  Estimate // up to 12 h, over the tiers' at as many look-ups

	// Price is what a look-up is worth where the adaptive schedule makes as many within 48 h
	// as the tiers do within 12, about; 0: not known.
	Price float64
}

// Shown reports whether there is a gain beyond chance.
func (g Gain) Shown() bool { return g.Tweets >= MinTweets && g.Delay.High < 1 }

// firstHours is about which share of the look-ups that the adaptive schedule makes within
// 48 h falls into the first 12.
const firstHours = 0.5

// GainOf replays recorded tweets with the tiers and with the adaptive schedule: the model
// is learnt on one half, and the gain is of the other.
func GainOf(records []Record, samples int, seed uint64) Gain {
	p := Recorded(records, seed).KnownUntil(Horizon12)
	g := Gain{Tweets: len(p.Test), Delay: Estimate{Value: math.NaN(), Low: math.NaN(), High: math.NaN()}}
	if len(p.Train) < MinTweets || len(p.Test) < MinTweets {
		g.Tweets = min(len(p.Train), len(p.Test))
		return g
	}
	model := engagement.Fit(engagement.DefaultModel(), Histories(p.Train, Horizon48))
	tiers := Single(Tiers, p.Test, Horizon12, Follow(engagement.DefaultTierPolicy()))
	adaptive := Sweep(Adaptive, p.Test, tiers.Points[0].Lookups, Horizon12, func(price float64) Plan {
		return Follow(engagement.DefaultAdaptive(model, price))
	})
	g.Delay = Compare([]Curve{tiers, adaptive}, p.Test, samples, seed)[1].Figures[DelayOverTiers]
	nearest := math.Inf(1)
	for _, point := range adaptive.Points {
		if off := math.Abs(math.Log(point.Lookups / (firstHours * tiers.Points[0].Lookups))); off < nearest {
			nearest, g.Price = off, point.Price
		}
	}
	return g
}

// Collector gathers the records of an export, which has the snapshots of a tweet one after
// another. A tweet of two zones is one record.
type Collector struct {
	Most int // records; 0: any number

	Records []Record
	rows    map[string]any // of each tweet, the row that stands for it
}

// Add adds a snapshot of a row. It returns false for one that would begin a record too
// many.
func (c *Collector) Add(row any, tweetID string, posted time.Time, s engagement.Snapshot) bool {
	of, again := c.rows[tweetID]
	switch {
	case again && of != row:
		return true
	case !again && c.Most > 0 && len(c.Records) >= c.Most:
		return false
	case !again:
		if c.rows == nil {
			c.rows = make(map[string]any)
		}
		c.rows[tweetID] = row
		c.Records = append(c.Records, Record{ID: tweetID, CreatedAt: posted})
	}
	last := &c.Records[len(c.Records)-1]
	last.Snapshots = append(last.Snapshots, s)
	return true
}
