package fakeprovider

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// curve is how the retweets of a tweet grow: by events, or by a formula when
// there are none.
type curve struct {
	events []int32 // seconds since the post, ascending

	size   float32 // retweets in the end
	median float32 // age by which half of them came, in seconds; 0: see slope

	slope float32 // without a median: retweets a second, on top of size
}

// spreadSigma is the log-normal spread of the retweets of one tweet over its age.
const spreadSigma = 2.0

// at returns the retweets of a tweet at an age in seconds from zero up, and their
// continuous counterpart that other counters follow, which reaches n when the nth
// retweet comes. Neither ever falls.
func (c *curve) at(age float64) (retweets int64, continuous float64) {
	if c.events == nil && c.median == 0 {
		continuous = float64(c.size) + float64(c.slope)*age
		return int64(continuous), continuous
	}
	if c.events == nil {
		z := math.Log(age/float64(c.median)) / spreadSigma
		continuous = float64(c.size) * 0.5 * math.Erfc(-z/math.Sqrt2)
		return int64(continuous), continuous
	}
	n, _ := slices.BinarySearchFunc(c.events, age, func(event int32, age float64) int {
		if float64(event) <= age {
			return -1
		}
		return 1
	})
	continuous = float64(n)
	if n < len(c.events) {
		var last float64
		if n > 0 {
			last = float64(c.events[n-1])
		}
		continuous += (age - last) / (float64(c.events[n]) - last)
	}
	return int64(n), continuous
}

// NewSynthetic returns a population without any data: sizes are Pareto with index
// 0.7 from 2 up, cut at 1,000 (the mean is about 25, most are below 10), and one
// tweet in a hundred is popular, with 1,000 to 20,000 retweets. The ages at which
// retweets come are log-normal, sigma 2.0 around a median that itself varies from
// tweet to tweet (log-normal around 54 min, sigma 1.2); all tweets together have
// the kernel fitted on 2,124 real cascades, of median 0.9 h and sigma 2.4.
func NewSynthetic(o Options) (*Population, error) {
	return newPopulation(o, func(_ int, random *rand.Rand) curve {
		size := drawSize(random)
		if random.Float64() < 0.01 {
			size = 1000 * math.Pow(20, random.Float64())
		}
		return curve{
			size:   float32(size),
			median: float32(54 * 60 * math.Exp(1.2*random.NormFloat64())),
		}
	})
}

// steadySlope makes every counter of a steady tweet change within a minute or two.
const steadySlope = 0.2

// NewSteady returns a population for measurements, in which it is known what a look-up
// finds. The tweets whose number modulo 100 is below 100 * idle never change. All
// counters of the others grow evenly, by 12 retweets a minute.
func NewSteady(o Options, idle float64) (*Population, error) {
	if !(idle >= 0 && idle <= 1) {
		return nil, fmt.Errorf("make a population: a share of %g idle tweets: must be 0 to 1", idle)
	}
	p, err := newPopulation(o, func(i int, random *rand.Rand) curve {
		c := curve{size: float32(drawSize(random)), slope: steadySlope}
		if float64(i%100) < 100*idle {
			c.slope = 0
		}
		return c
	})
	if err != nil {
		return nil, err
	}
	for i := range p.tweets {
		p.tweets[i].ratios.reach = 0 // it grows by itself
	}
	return p, nil
}

// NewReplay returns a population that replays real cascades: first each of them as
// it was, then copies, thinned until there are N tweets. A thinned copy keeps each
// retweet of a cascade with the same small chance, so it has the rhythm of a real
// tweet at the size of an ordinary one; sizes are aimed at as in [NewSynthetic],
// without the popular ones.
func NewReplay(cascades []Cascade, o Options) (*Population, error) {
	if len(cascades) == 0 {
		return nil, errors.New("make a population: no cascades to replay")
	}
	for _, c := range cascades {
		if !slices.IsSorted(c.Retweets) {
			return nil, fmt.Errorf("make a population: the retweets of cascade %q are not in order of time", c.Name)
		}
	}
	return newPopulation(o, func(i int, random *rand.Rand) curve {
		if i < len(cascades) {
			return curve{events: append([]int32{}, cascades[i].Retweets...)}
		}
		events := cascades[random.IntN(len(cascades))].Retweets
		return curve{events: thinned(events, drawSize(random), random)}
	})
}

// drawSize draws a number of retweets: Pareto with index 0.7 over 2 to 1,000.
func drawSize(random *rand.Rand) float64 {
	const index, least, most = 0.7, 2, 1000
	cut := 1 - math.Pow(float64(least)/most, index)
	return least * math.Pow(1-cut*random.Float64(), -1/index)
}

// thinned keeps each event with the chance that leaves size of them on average.
// The result is not nil.
func thinned(events []int32, size float64, random *rand.Rand) []int32 {
	kept := make([]int32, 0, int(size)+4)
	chance := size / float64(len(events))
	if chance >= 1 {
		return append(kept, events...)
	}
	// From one kept event to the next it is a geometric number of steps.
	skip := 1 / math.Log1p(-chance)
	for i := random.ExpFloat64() * -skip; i < float64(len(events)); i += 1 + math.Floor(random.ExpFloat64()*-skip) {
		kept = append(kept, events[int(i)])
	}
	return slices.Clip(kept)
}
