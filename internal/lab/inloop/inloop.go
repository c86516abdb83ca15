// Package inloop runs the real engine over the tweets of the simulator: dispatcher,
// worker, NATS, Postgres and a fake provider, in sped-up time.
package inloop

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/internal/simulate"
	"gorgone/store"
)

const (
	// spread is the time over which the tweets of a run are posted.
	spread = time.Hour

	// tick is the real time between two dispatches of a run.
	tick = 100 * time.Millisecond

	// maxRuns is how many prices are tried at most to get to a number of look-ups.
	maxRuns = 4
)

// Options say how the engine is run.
type Options struct {
	Speed        float64       // how many times faster than real time; 1 to 3600
	Tweets       int           // maximum number of tweets
	Horizon      time.Duration // age up to which tweets are followed
	Prices       []float64     // of a look-up for the adaptive schedule; none: some that lead to the tiers' look-ups and to half of them
	Seed         uint64
	DefaultModel bool // begin with the model of a new installation, not one learnt from the training half

	Version string
	Out     io.Writer // gets a line about each run
	Log     zerolog.Logger
}

// Run runs the engine over the test half of a population, with the tiers and with the
// adaptive schedule at some prices, and scores the look-ups that its history shows:
// one curve each. The configuration must name no database, queue or key: each run has
// its own.
func Run(ctx context.Context, cfg config.Config, p simulate.Population, o Options) ([]simulate.Curve, error) {
	if o.Speed < 1 || o.Speed > 3600 {
		return nil, failure.Usagef("--speed %g: want 1 to 3600", o.Speed)
	}
	if cfg.Database.URL != "" || cfg.Queue.URL != "" || cfg.Provider.Key != "" {
		return nil, failure.Usagef("--in-the-loop brings its own database, queue and fake provider: unset DATABASE_URL, NATS_URL and TWITTER_API_KEY")
	}
	p = p.FoundAt(0) // the collector finds tweets in its own time
	p.Test = p.Test[:min(len(p.Test), o.Tweets)]
	if len(p.Test) < simulate.MinTweets {
		return nil, failure.Usagef("--in-the-loop: %s has %d tweets to test on, want %d", p.Name, len(p.Test), simulate.MinTweets)
	}
	l, err := newLoop(cfg, p, o)
	if err != nil {
		return nil, err
	}
	model := "learnt"
	if o.DefaultModel {
		model = "default"
	}
	l.printf("%s: %d tweets, the real engine at %g times the speed, up to %s, model %s\n", p.Name, len(p.Test), o.Speed, o.Horizon, model)
	tiers, err := l.run(ctx, store.ScheduleTiers, 0)
	if err != nil {
		return nil, err
	}
	points, err := l.sweep(ctx, tiers.Lookups)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(points, func(a, b simulate.Point) int { return cmp.Compare(a.Price, b.Price) })
	return []simulate.Curve{{Name: simulate.Tiers, Points: []simulate.Point{tiers.Point}}, {Name: simulate.Adaptive, Points: points}}, nil
}

// sweep runs the adaptive schedule at the prices that were asked for, or at some that
// lead to a little more than a number of look-ups a tweet, and to a little less than half
// of it.
func (l loop) sweep(ctx context.Context, budget float64) ([]simulate.Point, error) {
	var points []simulate.Point
	at := func(price float64) (float64, error) {
		p, err := l.run(ctx, store.ScheduleAdaptive, price)
		points = append(points, p.Point)
		return p.Lookups, err
	}
	for _, price := range l.Prices {
		if _, err := at(price); err != nil {
			return nil, err
		}
	}
	if len(points) > 0 {
		return points, nil
	}
	price := float64(engagement.DefaultPrice)
	for _, aim := range []struct{ least, want, most float64 }{{1, 1.07, 1.3}, {0.3, 0.45, 0.5}} {
		if len(points) > 0 {
			price = nextPrice(points, aim.want*budget)
		}
		for range maxRuns {
			looks, err := at(price)
			if err != nil {
				return nil, err
			}
			done := looks >= aim.least*budget && looks <= aim.most*budget
			if done && aim.most < 1 {
				return points, nil
			}
			if done {
				break
			}
			price = nextPrice(points, aim.want*budget)
		}
	}
	return points, nil
}

// nextPrice is the price to try next to get to a number of look-ups: the number goes with
// a power of the price, which the last two tries tell, and is the inverse root at first.
func nextPrice(tried []simulate.Point, looks float64) float64 {
	last, power := tried[len(tried)-1], -0.5
	if len(tried) > 1 {
		before := tried[len(tried)-2]
		power = math.Log(last.Lookups/before.Lookups) / math.Log(last.Price/before.Price)
		power = min(max(power, -0.6), -0.15) // or chance makes anything of it
		if math.IsNaN(power) {
			power = -0.5
		}
	}
	return last.Price * min(max(math.Pow(looks/max(last.Lookups, 0.1), 1/power), 1e-3), 1e3)
}

// newLoop learns what the engine knows at first of how tweets grow: what the training
// half teaches, seen through the fake provider, or nothing.
func newLoop(cfg config.Config, p simulate.Population, o Options) (loop, error) {
	l := loop{Options: o, cfg: cfg, population: p, model: engagement.DefaultModel()}
	if o.DefaultModel {
		return l, nil
	}
	var err error
	if l.histories, err = providedHistories(p.Train, o.Seed); err != nil {
		return loop{}, fmt.Errorf("learn from the training half: %w", err)
	}
	l.model = engagement.Fit(l.model, l.histories)
	// The test tweets are posted when the loop runs, not at the hour of the recorded ones.
	l.model.Clock = engagement.Clock{}
	return l, nil
}
