package inloop

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
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/internal/devstack"
	"gorgone/internal/lab/lookups"
	"gorgone/internal/simulate"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/twitter/fakeprovider"
)

// loop runs the real engine over the test half of a population.
type loop struct {
	Options

	cfg        config.Config
	population simulate.Population
	model      engagement.Model
	histories  []engagement.History // that the model was learnt from; none: it is the default
}

// printf writes a result. A reader that went away is no error.
func (l loop) printf(format string, args ...any) { _, _ = fmt.Fprintf(l.Out, format, args...) }

// looped is what came of a run.
type looped struct {
	simulate.Point

	records  []record // of the tweets
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
	cfg := l.cfg
	cfg.Schedule.Kind, cfg.Schedule.LookPrice = string(kind), price
	cfg.Dispatcher.Every = tick
	cfg.Web.Listen, cfg.Monitor.Listen = "127.0.0.1:0", ""
	d := devstack.Demo{Tweets: len(l.population.Test), Seed: l.Seed, Spread: spread, Replay: file, Young: true}
	if l.known() {
		d.Lead = authorLead
	}
	h, err := devstack.Start(ctx, cfg, devstack.Options{
		DataDir: filepath.Join(dir, "data"), Demo: d, Speed: l.Speed, Version: l.Version, Log: l.Log,
	})
	if err != nil {
		return none, err
	}
	defer h.Close()
	if err := l.prepare(ctx, h); err != nil {
		return none, err
	}
	length := d.Lead + spread + l.Horizon + 30*time.Minute
	calls := h.App().Provider().Calls()
	until, stop := context.WithCancel(ctx)
	defer stop()
	var watch conc.WaitGroup
	watch.Go(func() {
		defer stop()
		if sleep(until, time.Duration(float64(length)/l.Speed)) != nil {
			return
		}
		// On a machine that does not keep up nothing was looked up yet.
		for calls.Returned.Load() == 0 && sleep(until, tick) == nil {
		}
	})
	err = h.Run(until)
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
func (l loop) prepare(ctx context.Context, h *devstack.Stack) error {
	if err := lookups.Keep(ctx, h.App().Database().DB); err != nil {
		return err
	}
	if l.histories != nil {
		if err := h.App().Database().Store.SaveModel(ctx, uuid.Nil, l.model, len(l.histories)); err != nil {
			return err
		}
	}
	if !l.known() {
		return nil
	}
	h.Collector().Authors = make(map[string]string, len(l.population.Test))
	for i, t := range inOrder(h.Collector().Population) {
		h.Collector().Authors[t.ID] = authorOf(l.population.Test[i])
	}
	posted := h.App().Database().Clock.Now().Add(-simulate.Horizon48 - time.Hour)
	past, err := provided(l.population.Train, l.Seed, posted)
	if err != nil {
		return err
	}
	tweets := make([]store.NewTweet, 0, past.Len())
	final := make(map[string]engagement.Metrics, past.Len())
	for i, t := range inOrder(past) {
		final[t.ID], _ = past.MetricsAt(t.ID, posted.Add(simulate.Horizon48))
		tweets = append(tweets, store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt, Metrics: final[t.ID], Raw: devstack.ByAuthor(authorOf(l.population.Train[i]))})
	}
	for _, zone := range h.Collector().Zones {
		if _, err := h.App().Database().Store.Track(ctx, zone, tweets); err != nil {
			return fmt.Errorf("bring in what authors posted before: %w", err)
		}
	}
	return observeOnce(ctx, h, final)
}

// observeOnce gives everything that is due one observation with the counts.
func observeOnce(ctx context.Context, h *devstack.Stack, counts map[string]engagement.Metrics) error {
	for {
		claimed, err := h.App().Database().Store.Claim(ctx, store.ClaimRequest{Tweets: 1000, BatchTweets: 100, BatchRows: 1000, Lease: time.Minute})
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
					Observation: engagement.Observation{At: h.App().Database().Clock.Now(), Metrics: counts[t.TweetID]},
				})
			}
			if _, err := h.App().Database().Store.Apply(ctx, work); err != nil {
				return err
			}
		}
	}
}

// score scores what the history shows of each tweet, and prints it. The first snapshot
// is the collection, with its counts: a look-up that is not paid for.
func (l loop) score(ctx context.Context, h *devstack.Stack, kind store.Schedule, price float64) (looped, error) {
	var policy engagement.Policy = engagement.DefaultTierPolicy()
	if kind == store.ScheduleAdaptive {
		policy = engagement.DefaultAdaptive(l.model, price)
	}
	records, err := readRecords(ctx, h)
	if err != nil {
		return looped{}, err
	}
	calls := h.App().Provider().Calls()
	p := looped{calls: calls.Made.Load(), returned: calls.Returned.Load()}
	p.Price, p.Scores = price, make([]simulate.Score, len(l.population.Test))
	var late []time.Duration
	for i, t := range inOrder(h.Collector().Population) {
		tweet, r := l.population.Test[i], records[t.ID]
		p.records = append(p.records, r)
		ages := make([]float64, len(r.Snapshots))
		for k, s := range r.Snapshots {
			ages[k] = s.At.Sub(r.CreatedAt).Seconds()
		}
		if len(ages) > 0 {
			tweet.Found, ages = ages[0], ages[1:]
		}
		p.Scores[i] = tweet.Score(ages, l.Horizon)
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
	l.printf("%s, price %.3g: looks %.2f, empty %.0f%%, delay %.2f min, staleness %.2f%%, take-off %.1f min (90%% within %.1f); late %s, 90%% within %s, 99%% within %s; %d calls for %d tweets (%.1f each)\n",
		kind, price, p.Lookups, 100*p.Empty, p.Delay, 100*p.Stale, p.DetectMean[simulate.TakeOff], p.Detect90[simulate.TakeOff],
		at(0.5), at(0.9), at(0.99), p.calls, p.returned, float64(p.returned)/math.Max(float64(p.calls), 1))
	return p, nil
}

// record is what the engine saw of a tweet, and what it expected of its author.
type record struct {
	simulate.Record

	row      uuid.UUID
	expected float64
}

// readRecords reads the look-ups of each tweet that the collector found, after the first
// point of its history. A tweet of two zones is looked up once for both.
func readRecords(ctx context.Context, h *devstack.Stack) (map[string]record, error) {
	all, err := lookups.Read(ctx, h.App().Database().DB)
	if err != nil {
		return nil, err
	}
	records := make(map[string]record)
	for _, zone := range h.Collector().Zones {
		seen := make(map[string]record)
		err := h.App().Database().History.Export(ctx, zone, history.Range{}, func(page []history.ExportRow) error {
			for _, x := range page {
				if _, ok := seen[x.TweetID]; ok {
					continue
				}
				r := record{row: x.Row, Record: simulate.Record{ID: x.TweetID, CreatedAt: x.Posted, Snapshots: []engagement.Snapshot{x.Snapshot}}}
				for _, s := range all[x.Row] {
					if s.At.After(x.Snapshot.At) {
						r.Snapshots = append(r.Snapshots, s)
					}
				}
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
	for id := range h.Collector().Authors {
		r, ok := records[id]
		if !ok {
			continue
		}
		t, err := h.App().Database().Store.Tweet(ctx, r.row)
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

// provided makes the fake provider's tweets of a population's, all posted at once.
func provided(tweets []simulate.Tweet, seed uint64, posted time.Time) (*fakeprovider.Population, error) {
	cascades := make([]fakeprovider.Cascade, len(tweets))
	for i, t := range tweets {
		cascades[i].Name = t.ID
		for _, at := range t.Events {
			cascades[i].Retweets = append(cascades[i].Retweets, int32(at))
		}
	}
	return fakeprovider.NewReplay(cascades, fakeprovider.Options{N: len(tweets), Seed: seed, Start: posted})
}

// providedHistories records tweets as the engine would, by the counts that the fake
// provider shows of them.
func providedHistories(tweets []simulate.Tweet, seed uint64) ([]engagement.History, error) {
	posted := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	past, err := provided(tweets, seed, posted)
	if err != nil {
		return nil, err
	}
	ages := simulate.HistoryAges(simulate.Horizon48)
	histories := make([]engagement.History, past.Len())
	for i, t := range inOrder(past) {
		histories[i].CreatedAt = t.CreatedAt
		for _, age := range ages {
			at := t.CreatedAt.Add(age)
			m, _ := past.MetricsAt(t.ID, at)
			histories[i].Snapshots = append(histories[i].Snapshots, engagement.Snapshot{At: at, Metrics: m})
		}
	}
	return histories, nil
}

// inOrder numbers the tweets of a population.
func inOrder(p *fakeprovider.Population) iter.Seq2[int, fakeprovider.Tweet] {
	return func(yield func(int, fakeprovider.Tweet) bool) {
		i := 0
		for t := range p.All() {
			if !yield(i, t) {
				return
			}
			i++
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
