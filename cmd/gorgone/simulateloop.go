package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"gorgone/engagement"
	"gorgone/simulate"
	"gorgone/store"
)

const (
	// loopSpread is the time over which the tweets of a run are posted.
	loopSpread = time.Hour

	// loopTick is the real time between two dispatches of a run.
	loopTick = 100 * time.Millisecond

	// loopRuns is how many prices are tried at most to get to a number of looks.
	loopRuns = 4
)

// inTheLoop runs the real engine over the test half of a population, with the tiers
// and with the adaptive schedule at some prices, scores the looks that its history
// shows, and compares them.
func (a *app) inTheLoop(ctx context.Context, p simulate.Population, o simulation) error {
	if o.speed < 1 || o.speed > 3600 {
		return usageError("--speed %g: want 1 to 3600", o.speed)
	}
	if a.cfg.Database.URL != "" || a.cfg.Queue.URL != "" || a.cfg.Provider.Key != "" {
		return usageError("--in-the-loop brings its own database, queue and provider double: unset DATABASE_URL, NATS_URL and TWITTER_API_KEY")
	}
	p = p.FoundAt(0) // the collector finds tweets in its own time
	p.Test = p.Test[:min(len(p.Test), o.tweets)]
	if len(p.Test) < fewestTweets {
		return usageError("--in-the-loop: %s has %d tweets to test on, want %d", p.Name, len(p.Test), fewestTweets)
	}
	model, histories, err := a.loopModel(p, o)
	if err != nil {
		return err
	}
	for _, horizon := range o.horizons {
		a.printf("%s: %d tweets, the real engine at %g times the speed, up to %s, model %s\n", p.Name, len(p.Test), o.speed, horizon, o.model)
		l := loop{app: a, population: p, options: o, horizon: horizon, model: model, histories: histories}
		tiers, err := l.run(ctx, store.ScheduleTiers, 0)
		if err != nil {
			return err
		}
		points, err := l.sweep(ctx, tiers.Looks)
		if err != nil {
			return err
		}
		slices.SortFunc(points, func(a, b simulate.Point) int { return cmp.Compare(a.Price, b.Price) })
		curves := []simulate.Curve{{Name: simulate.Tiers, Points: []simulate.Point{tiers.Point}}, {Name: simulate.Adaptive, Points: points}}
		a.showResults(simulate.Compare(curves, o.samples, o.seed))
		a.printf("\n")
	}
	return nil
}

// sweep runs the adaptive schedule at the prices that were asked for, or at some that
// lead to a little more than a number of looks a tweet, and to a little less than half
// of it.
func (l loop) sweep(ctx context.Context, budget float64) ([]simulate.Point, error) {
	var points []simulate.Point
	at := func(price float64) (float64, error) {
		p, err := l.run(ctx, store.ScheduleAdaptive, price)
		points = append(points, p.Point)
		return p.Looks, err
	}
	for _, price := range l.options.prices {
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
		for range loopRuns {
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

// nextPrice is the price to try next to get to a number of looks: the number goes with
// a power of the price, which the last two tries tell, and is the inverse root at first.
func nextPrice(tried []simulate.Point, looks float64) float64 {
	last, power := tried[len(tried)-1], -0.5
	if len(tried) > 1 {
		before := tried[len(tried)-2]
		power = math.Log(last.Looks/before.Looks) / math.Log(last.Price/before.Price)
		power = min(max(power, -0.6), -0.15) // or chance makes anything of it
		if math.IsNaN(power) {
			power = -0.5
		}
	}
	return last.Price * min(max(math.Pow(looks/max(last.Looks, 0.1), 1/power), 1e-3), 1e3)
}

// loopModel is what the engine knows at first of how tweets grow: what the training
// half teaches, seen through the double, or nothing.
func (a *app) loopModel(p simulate.Population, o simulation) (engagement.Model, []engagement.History, error) {
	if o.model == modelDefault {
		return engagement.DefaultModel(), nil, nil
	}
	histories, err := doubleHistories(p.Train, o.seed)
	if err != nil {
		return engagement.Model{}, nil, fmt.Errorf("learn from the training half: %w", err)
	}
	return engagement.Fit(engagement.DefaultModel(), histories), histories, nil
}
