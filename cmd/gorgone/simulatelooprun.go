package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/metrics"
	"gorgone/simulate"
	"gorgone/store"
	"gorgone/twitter/twittertest"
)

// loop is a run of the real engine over the test half of a population.
type loop struct {
	app        *app
	population simulate.Population
	options    simulation
	horizon    time.Duration
	model      engagement.Model
	histories  []engagement.History // that the model was learnt from; none: it is the default
}

// looped is what came of a run.
type looped struct {
	simulate.Point

	records  []loopRecord // of the tweets
	calls    int64
	returned int64 // tweets
}

// authorLead is the engine time before the first post in which the tweets that the
// authors posted before are brought in.
const authorLead = 2 * time.Hour

// run runs one schedule and scores what its history shows.
func (l loop) run(ctx context.Context, kind store.Schedule, price float64) (looped, error) {
	none := looped{}
	dir, err := os.MkdirTemp("", "gorgone-loop-")
	if err != nil {
		return none, fmt.Errorf("make a folder for the run: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Postgres may run as another user
		return none, fmt.Errorf("open the folder of the run: %w", err)
	}
	file := filepath.Join(dir, "tweets.tsv")
	if err := os.WriteFile(file, cascadeFile(l.population.Test), 0o600); err != nil {
		return none, fmt.Errorf("write the tweets of the run: %w", err)
	}
	run := *l.app
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
	d := demo{Tweets: len(l.population.Test), Seed: l.options.seed, Spread: loopSpread, Replay: file, Young: true}
	if l.known() {
		d.Lead = authorLead
	}
	h, err := run.openHouse(running, upOptions{demo: d, speed: l.options.speed}, fail, &open)
	if err != nil {
		return none, err
	}
	if err := l.prepare(running, h); err != nil {
		return none, err
	}
	length := d.Lead + loopSpread + l.horizon + 30*time.Minute
	until, stop := context.WithCancel(running)
	defer stop()
	var watch conc.WaitGroup
	watch.Go(func() {
		defer stop()
		if sleep(until, time.Duration(float64(length)/l.options.speed)) != nil {
			return
		}
		// On a machine that does not keep up nothing was looked up yet.
		for h.provider.calls.returned.Load() == 0 && sleep(until, loopTick) == nil {
		}
	})
	err = run.runHouse(until, h, false)
	stop()
	watch.Wait()
	if err := errors.Join(err, ctx.Err()); err != nil {
		return none, err
	}
	return l.score(ctx, h, kind, price)
}

// known tells whether the authors of the tweets are.
func (l loop) known() bool {
	return slices.ContainsFunc(l.population.Test, func(t simulate.Tweet) bool { return t.Expected > 0 })
}

func authorOf(t simulate.Tweet) string { return "author-" + strconv.Itoa(t.Parent) }

// prepare gives the engine what it is to know at first: the model, and what the
// authors of the tweets posted two days before, which is seen to its end.
func (l loop) prepare(ctx context.Context, h house) error {
	if l.histories != nil {
		if err := h.store.KeepModel(ctx, uuid.Nil, l.model, l.histories); err != nil {
			return err
		}
	}
	if !l.known() {
		return nil
	}
	h.collector.authors = make(map[string]string, len(l.population.Test))
	for i, t := range inOrder(h.collector.population) {
		h.collector.authors[t.ID] = authorOf(l.population.Test[i])
	}
	posted := h.clock.Now().Add(-simulate.Horizon48 - time.Hour)
	double, err := double(l.population.Train, l.options.seed, posted)
	if err != nil {
		return err
	}
	tweets := make([]store.NewTweet, 0, double.Len())
	final := make(map[string]engagement.Metrics, double.Len())
	for i, t := range inOrder(double) {
		final[t.ID], _ = double.MetricsAt(t.ID, posted.Add(simulate.Horizon48))
		tweets = append(tweets, store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt, Metrics: final[t.ID], Raw: byAuthor(authorOf(l.population.Train[i]))})
	}
	for _, zone := range h.collector.zones {
		if _, err := h.store.Track(ctx, zone, tweets); err != nil {
			return fmt.Errorf("bring in what authors posted before: %w", err)
		}
	}
	return lookOnce(ctx, h, final)
}

// lookOnce gives everything that is due one look, which shows counts.
func lookOnce(ctx context.Context, h house, counts map[string]engagement.Metrics) error {
	for {
		claimed, err := h.store.Claim(ctx, store.ClaimRequest{Tweets: 1000, BatchTweets: 100, BatchRows: 1000, Lease: time.Minute})
		if err != nil {
			return err
		}
		if len(claimed.Batches) == 0 {
			return nil
		}
		for _, b := range claimed.Batches {
			work := store.Work{ClaimID: b.ClaimID}
			for _, t := range b.Tweets {
				work.Results = append(work.Results, store.Result{
					TweetID: t.TweetID, Rows: t.Rows, Kind: store.Found,
					Observation: engagement.Observation{At: h.clock.Now(), Metrics: counts[t.TweetID]},
				})
			}
			if _, err := h.store.Apply(ctx, work); err != nil {
				return err
			}
		}
	}
}

// score scores what the history shows of each tweet, and prints it. The first snapshot
// is the collection, with its counts: a look that is not paid for.
func (l loop) score(ctx context.Context, h house, kind store.Schedule, price float64) (looped, error) {
	var policy engagement.Policy = engagement.DefaultTierPolicy()
	if kind == store.ScheduleAdaptive {
		policy = engagement.DefaultAdaptive(l.model, price)
	}
	records, err := loopRecords(ctx, h)
	if err != nil {
		return looped{}, err
	}
	p := looped{calls: h.provider.calls.calls.Load(), returned: h.provider.calls.returned.Load()}
	p.Price, p.Scores = price, make([]simulate.Score, len(l.population.Test))
	var late []time.Duration
	for i, t := range inOrder(h.collector.population) {
		tweet, r := l.population.Test[i], records[t.ID]
		p.records = append(p.records, r)
		ages := make([]float64, len(r.Snapshots))
		for k, s := range r.Snapshots {
			ages[k] = s.At.Sub(r.CreatedAt).Seconds()
		}
		if len(ages) > 0 {
			tweet.Found, ages = ages[0], ages[1:]
		}
		p.Scores[i] = tweet.Score(ages, l.horizon)
		found, err := simulate.Lateness(policy, r.Record, r.expected)
		if err != nil {
			return p, err
		}
		late = append(late, found...)
	}
	p.Summary = simulate.Summarize(p.Scores, nil)
	slices.Sort(late)
	at := func(share float64) time.Duration {
		if len(late) == 0 {
			return 0
		}
		return late[min(int(share*float64(len(late))), len(late)-1)].Round(time.Second)
	}
	l.app.printf("%s, price %.3g: looks %.2f, empty %.0f%%, delay %.2f min, staleness %.2f%%, take-off %.1f min (90%% within %.1f); late %s, 90%% within %s, 99%% within %s; %d calls for %d tweets (%.1f each)\n",
		kind, price, p.Looks, 100*p.Empty, p.Delay, 100*p.Stale, p.DetectMean[simulate.TakeOff], p.Detect90[simulate.TakeOff],
		at(0.5), at(0.9), at(0.99), p.calls, p.returned, float64(p.returned)/math.Max(float64(p.calls), 1))
	return p, nil
}

// loopRecord is what the engine saw of a tweet, and what it expected of its author.
type loopRecord struct {
	simulate.Record

	row      uuid.UUID
	expected float64
}

// loopRecords reads what the history has of each tweet that the collector found. A
// tweet of two zones is looked up once for both.
func loopRecords(ctx context.Context, h house) (map[string]loopRecord, error) {
	records := make(map[string]loopRecord)
	for _, zone := range h.collector.zones {
		seen := make(map[string]loopRecord)
		err := h.store.Export(ctx, zone, store.HistoryRange{}, func(page []store.ExportRow) error {
			for _, x := range page {
				r := seen[x.TweetID]
				r.ID, r.CreatedAt, r.row = x.TweetID, x.Posted, x.Row
				r.Snapshots = append(r.Snapshots, x.Snapshot)
				seen[x.TweetID] = r
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for id, r := range seen {
			if len(r.Snapshots) > len(records[id].Snapshots) {
				records[id] = r
			}
		}
	}
	for id := range h.collector.authors {
		r, ok := records[id]
		if !ok {
			continue
		}
		t, err := h.store.Tweet(ctx, r.row)
		if err != nil {
			return nil, err
		}
		r.expected = t.Tracking.Activity.Expected
		records[id] = r
	}
	return records, nil
}

// cascadeFile writes tweets as a file of cascades.
func cascadeFile(tweets []simulate.Tweet) []byte {
	var b []byte
	for _, t := range tweets {
		b = fmt.Appendf(b, "%s\t0\t0", t.ID)
		for _, at := range t.Events {
			b = fmt.Appendf(b, " %d", int64(at))
		}
		b = append(b, "\t1000\n"...)
	}
	return b
}

// double makes the provider double's tweets of a population's, all posted at once.
func double(tweets []simulate.Tweet, seed uint64, posted time.Time) (*twittertest.Population, error) {
	cascades := make([]twittertest.Cascade, len(tweets))
	for i, t := range tweets {
		cascades[i].Name = t.ID
		for _, at := range t.Events {
			cascades[i].Retweets = append(cascades[i].Retweets, int32(at))
		}
	}
	return twittertest.NewReplay(cascades, twittertest.Options{N: len(tweets), Seed: seed, Start: posted})
}

// doubleHistories records tweets as the engine would, by the counts that the provider
// double shows of them.
func doubleHistories(tweets []simulate.Tweet, seed uint64) ([]engagement.History, error) {
	posted := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	double, err := double(tweets, seed, posted)
	if err != nil {
		return nil, err
	}
	ages := simulate.HistoryAges(simulate.Horizon48)
	histories := make([]engagement.History, double.Len())
	for i, t := range inOrder(double) {
		histories[i].CreatedAt = t.CreatedAt
		for _, age := range ages {
			at := t.CreatedAt.Add(age)
			m, _ := double.MetricsAt(t.ID, at)
			histories[i].Snapshots = append(histories[i].Snapshots, engagement.Snapshot{At: at, Metrics: m})
		}
	}
	return histories, nil
}

// inOrder numbers the tweets of a population.
func inOrder(p *twittertest.Population) iter.Seq2[int, twittertest.Tweet] {
	return func(yield func(int, twittertest.Tweet) bool) {
		i := 0
		for t := range p.All() {
			if !yield(i, t) {
				return
			}
			i++
		}
	}
}
