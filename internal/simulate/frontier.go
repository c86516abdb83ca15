package simulate

import (
	"fmt"
	"math"
	"time"

	"gorgone/engagement"
)

// Curve is what a family of schedules does at several prices: its frontier of error
// against cost. A schedule without a price has one point.
type Curve struct {
	Name   string
	Points []Point // cheaper look-ups first
}

// Point is one schedule on all tweets.
type Point struct {
	Price  float64 // 0: it has none
	Scores []Score
	Summary
}

// priceStep is the ratio of two neighbouring prices of a sweep.
const priceStep = 1.6

// leastPrice is the price from which on a sweep begins at the latest.
const leastPrice = 1e-3

// Sweep runs a family at geometric prices (engagement-hours a look-up), from about
// four times a budget (look-ups a tweet) to a quarter of it. The look-ups of the family
// must not rise with the price.
func Sweep(name string, tweets []Tweet, budget float64, horizon time.Duration, family func(price float64) Plan) Curve {
	return sweep(name, budget, func(price float64) []Score { return Run(tweets, family(price), horizon, true) })
}

// sweep is Sweep for a family whose scores are got otherwise.
func sweep(name string, budget float64, run func(price float64) []Score) Curve {
	c := Curve{Name: name}
	at := func(price float64) Point {
		scores := run(price)
		return Point{Price: price, Scores: scores, Summary: Summarize(scores, nil)}
	}
	const most = 30
	// The number of look-ups goes with the square root of the price, more or less.
	price := 1.0
	for range most {
		looks := at(price).Lookups
		if looks > 3*budget && looks < 5*budget {
			break
		}
		price *= math.Pow(max(looks, 0.1)/(4*budget), 1.5)
		price = min(price, 1e9)
		if price < leastPrice {
			// A schedule that never looks in vain does not get there at any price.
			price = leastPrice
			break
		}
	}
	for range most {
		p := at(price)
		c.Points = append(c.Points, p)
		if p.Lookups < budget/5 {
			break
		}
		price *= priceStep
	}
	return c
}

// Single is a curve of one point.
func Single(name string, tweets []Tweet, horizon time.Duration, plan Plan) Curve {
	scores := Run(tweets, plan, horizon, true)
	return Curve{Name: name, Points: []Point{{Scores: scores, Summary: Summarize(scores, nil)}}}
}

// at interpolates a measure of a curve where another one, x, has a value: linear in
// the logarithms of both, between the first two neighbours around it. NaN when the
// curve does not get there.
func at(points []Summary, x func(*Summary) float64, value float64, measure func(*Summary) float64) float64 {
	if len(points) == 1 {
		return measure(&points[0])
	}
	for i := 1; i < len(points); i++ {
		a, b := &points[i-1], &points[i]
		xa, xb := math.Log(x(a)), math.Log(x(b))
		want := math.Log(value)
		if (xa-want)*(xb-want) > 0 || xa == xb {
			continue
		}
		f := (want - xa) / (xb - xa)
		ma, mb := measure(a), measure(b)
		if ma <= 0 || mb <= 0 {
			return ma + f*(mb-ma)
		}
		return math.Exp(math.Log(ma)*(1-f) + math.Log(mb)*f)
	}
	return math.NaN()
}

// DaysForDelay returns on how many UTC days a tweet is looked up where the curve has a delay in
// minutes: what is paid for under a day pass. It is not a number where the curve has no such
// delay.
func (c Curve) DaysForDelay(minutes float64) float64 {
	points := make([]Summary, len(c.Points))
	for i := range points {
		points[i] = c.Points[i].Summary
	}
	return at(points, delay, minutes, func(s *Summary) float64 { return s.Days })
}

// Contenders are the schedules of a comparison, by name.
const (
	Tiers    = "tiers"
	Smart    = "smart stop"
	Even     = "uniform"
	ByAge    = "age-only"
	Adaptive = "adaptive"
	Known    = "known rate"
	Bound    = "clairvoyant"

	PlainBackOff  = "back-off"
	BackOffScaled = "back-off, scaled" // its intervals times a factor, to meet any budget
)

// Contest runs all schedules on the test half of a population. model is what was
// learnt from the training half, quartiles those of the smart stop.
func Contest(p Population, horizon time.Duration, model engagement.Model, policy func(price float64) engagement.Policy) []Curve {
	h := horizon.Seconds()
	t := p.Test
	quartiles := Quartiles(Histories(p.Train, Horizon48), time.Hour, 6)
	tiers := Single(Tiers, t, horizon, Follow(engagement.DefaultTierPolicy()))
	budget := tiers.Points[0].Lookups
	return []Curve{
		tiers,
		Single(Smart, t, horizon, Follow(DefaultSmartStop(model, quartiles))),
		Single(PlainBackOff, t, horizon, BackOff(1)),
		Sweep(BackOffScaled, t, budget, horizon, func(price float64) Plan { return BackOff(math.Sqrt(price)) }),
		Sweep(Even, t, budget, horizon, func(price float64) Plan { return Uniform(looksAt(price)) }),
		Sweep(ByAge, t, budget, horizon, func(price float64) Plan { return AgeOnly(model.Engagement.Kernel, looksAt(price), h) }),
		Sweep(Adaptive, t, budget, horizon, func(price float64) Plan { return Follow(policy(price)) }),
		Sweep(Known, t, budget, horizon, func(price float64) Plan { return Oracle(price * 3600) }),
		Sweep(Bound, t, budget, horizon, func(price float64) Plan { return Clairvoyant(price * 3600) }),
	}
}

// looksAt makes a number of look-ups of a price, for schedules that have no price: it
// goes with the root, as that of all others does.
func looksAt(price float64) float64 { return max(math.Round(20/math.Sqrt(price)), 1) }

// Find returns the curve of a name.
func Find(curves []Curve, name string) (Curve, error) {
	for _, c := range curves {
		if c.Name == name {
			return c, nil
		}
	}
	return Curve{}, fmt.Errorf("no schedule named %q took part", name)
}
