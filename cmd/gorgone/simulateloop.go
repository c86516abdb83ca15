package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gorgone/metrics"
	"gorgone/simulate"
	"gorgone/store"
)

const (
	// loopSpread is the time over which the tweets of a run are posted.
	loopSpread = time.Hour

	// loopTick is the real time between two dispatches of a run.
	loopTick = 250 * time.Millisecond

	// fewestLoopTweets is how small a run may be: smaller is no measurement.
	fewestLoopTweets = 20
)

// inTheLoop runs the real engine over the test half of a population, once with the
// tiers and once at each price, and scores the looks that its history shows.
func (a *app) inTheLoop(ctx context.Context, p simulate.Population, o simulation) error {
	if o.speed < 1 || o.speed > 3600 {
		return usageError("--speed %g: want 1 to 3600", o.speed)
	}
	if a.cfg.Database.URL != "" || a.cfg.Queue.URL != "" || a.cfg.Provider.Key != "" {
		return usageError("--in-the-loop brings its own database, queue and provider double: unset DATABASE_URL, NATS_URL and TWITTER_API_KEY")
	}
	tweets := p.Test[:min(len(p.Test), o.tweets)]
	if len(tweets) < fewestLoopTweets {
		return usageError("--in-the-loop: %s has %d tweets to test on, want %d", p.Name, len(tweets), fewestLoopTweets)
	}
	a.printf("%s: %d tweets, the real engine at %g times the speed, up to 12 h\n", p.Name, len(tweets), o.speed)
	tiers, err := a.loop(ctx, tweets, o, store.ScheduleTiers, 0)
	if err != nil {
		return err
	}
	for _, price := range o.prices {
		s, err := a.loop(ctx, tweets, o, store.ScheduleAdaptive, price)
		if err != nil {
			return err
		}
		// Delay goes with 1/looks, and the error of that is small where they are alike.
		a.printf("  over the tiers: looks %.3f, delay %.3f, staleness %.3f; delay x looks %.3f\n",
			s.Looks/tiers.Looks, s.Delay/tiers.Delay, s.Stale/tiers.Stale, s.Delay*s.Looks/(tiers.Delay*tiers.Looks))
	}
	return nil
}

// loop runs one schedule.
func (a *app) loop(ctx context.Context, tweets []simulate.Tweet, o simulation, kind store.Schedule, price float64) (simulate.Summary, error) {
	none := simulate.Summary{}
	dir, err := os.MkdirTemp("", "gorgone-loop-")
	if err != nil {
		return none, fmt.Errorf("make a folder for the run: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Postgres may run as another user
		return none, fmt.Errorf("open the folder of the run: %w", err)
	}
	file := filepath.Join(dir, "tweets.tsv")
	if err := os.WriteFile(file, cascadeFile(tweets), 0o600); err != nil {
		return none, fmt.Errorf("write the tweets of the run: %w", err)
	}
	run := *a
	run.dataDir = filepath.Join(dir, "data")
	run.cfg.Schedule.Kind, run.cfg.Schedule.LookPrice = string(kind), price
	run.cfg.Dispatcher.Every = loopTick
	run.cfg.Web.Listen = "127.0.0.1:0"
	run.registry = prometheus.NewRegistry()
	run.metrics = metrics.New(run.registry, versionString())
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var open resources
	defer open.close()
	if err := run.takeDataDir(running, false, &open); err != nil {
		return none, err
	}
	h, err := run.openHouse(running, upOptions{
		demo: demo{Tweets: len(tweets), Seed: o.seed, Spread: loopSpread, Replay: file, Young: true}, speed: o.speed,
	}, fail, &open)
	if err != nil {
		return none, err
	}
	length := loopSpread + simulate.Horizon12 + 30*time.Minute
	wall := time.Duration(float64(length) / o.speed)
	until, stop := context.WithTimeout(running, wall)
	defer stop()
	if err := run.runHouse(until, h, false); err != nil {
		return none, err
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	scores, err := scoreHistory(ctx, tweets, h)
	if err != nil {
		return none, err
	}
	s := simulate.Summarize(scores, nil)
	a.printf("%s, price %g: looks %.2f, empty %.0f%%, delay %.2f min, staleness %.2f%%, take-off %.1f min; %d calls for %d tweets (%.1f each)\n",
		kind, price, s.Looks, 100*s.Empty, s.Delay, 100*s.Stale, s.DetectMean[simulate.TakeOff],
		h.provider.calls.calls.Load(), h.provider.calls.returned.Load(), float64(h.provider.calls.returned.Load())/math.Max(float64(h.provider.calls.calls.Load()), 1))
	return s, nil
}

// cascadeFile writes tweets as a file of cascades.
func cascadeFile(tweets []simulate.Tweet) []byte {
	var b strings.Builder
	for _, t := range tweets {
		fmt.Fprintf(&b, "%s\t0\t0", t.ID)
		for _, at := range t.Events {
			fmt.Fprintf(&b, " %d", int64(at))
		}
		b.WriteString("\t1000\n")
	}
	return []byte(b.String())
}

// scoreHistory scores what the history shows of each tweet. The first snapshot is the
// discovery, with its counts: a look that is not paid for.
func scoreHistory(ctx context.Context, tweets []simulate.Tweet, h house) ([]simulate.Score, error) {
	looks := map[string][]float64{}
	zones, err := h.store.Zones(ctx)
	if err != nil {
		return nil, err
	}
	for _, z := range zones {
		seen := map[string][]float64{}
		err := h.store.Export(ctx, z.ID, store.HistoryRange{}, func(page []store.ExportRow) error {
			for _, r := range page {
				seen[r.TweetID] = append(seen[r.TweetID], r.Snapshot.At.Sub(r.Posted).Seconds())
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		// A tweet of two zones is looked up once for both.
		for id, ages := range seen {
			if len(ages) > len(looks[id]) {
				looks[id] = ages
			}
		}
	}
	scores := make([]simulate.Score, 0, len(tweets))
	i := 0
	for posted := range h.collector.population.All() {
		s := tweets[i].Score(looks[posted.ID], simulate.Horizon12)
		s.Looks = max(s.Looks-1, 0)
		scores = append(scores, s)
		i++
	}
	return scores, nil
}
