package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc/pool"
	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/store"
	"gorgone/twitter/twittertest"
)

const (
	// benchSpeed makes the ten minutes between two looks pass so fast that more
	// falls due than the engine can do: the backlog tops itself up, and nothing
	// is written to do so.
	benchSpeed = 120

	// benchTiers keeps every tweet in the first tier for the whole run.
	benchTiers = "ultra_hot 1000h 10m"

	benchSettle = 10 * time.Second // before measuring, for the window to find the pace
)

type benchOptions struct {
	tweets    int
	duration  time.Duration
	refreshes int
	rate      float64
	seed      uint64
}

func newBench(a *app) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine: tweets a second end to end, and refresh latency under load",
		Long: `Measure what this machine does, with everything real but the provider: a private
Postgres that syncs its commits, NATS, one dispatcher process, one worker process,
and the provider double answering as fast as it can, all on the same cores.

It tracks tweets in a fresh data folder, measures how fast the store alone applies
results (the ceiling), then lets the engine work off a backlog of at least
100,000 due tweets while refreshes are asked for at an even pace, and measures the
ceiling again.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.tweets < 10_000 || o.duration < 5*time.Second || o.refreshes < 1 {
				return usageError("want at least --tweets 10000, --duration 5s and --refreshes 1")
			}
			return a.bench(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.tweets, "tweets", 300_000, "tweets to track")
	f.DurationVar(&o.duration, "duration", time.Minute, "how long to measure")
	f.IntVar(&o.refreshes, "refreshes", 1200, "refreshes to ask for meanwhile")
	f.Float64Var(&o.rate, "rate", 1000, "calls a second that the shared pace allows")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the tweets")
	return cmd
}

// benchRun is one run of the bench.
type benchRun struct {
	*app
	o benchOptions
	database
	messaging
	double *twittertest.Server
	ids    []string
	zone   uuid.UUID
}

func (a *app) bench(ctx context.Context, o benchOptions) error {
	dir, err := os.MkdirTemp("", "gorgone-bench-")
	if err != nil {
		return fmt.Errorf("make a data folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Postgres may run as another user
		return err
	}
	var open resources
	defer open.close()
	b := &benchRun{app: a, o: o}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := b.prepare(ctx, dir, cancel, &open); err != nil {
		return err
	}
	b.printf("%d tweets tracked, %d cores, %s\n", len(b.ids), runtime.NumCPU(), runtime.Version())
	wire, err := b.measureWire(ctx)
	if err != nil {
		return err
	}
	before, err := b.ceiling(ctx)
	if err != nil {
		return err
	}
	e2e, err := b.endToEnd(ctx)
	if err != nil {
		return err
	}
	after, err := b.ceiling(ctx)
	if err != nil {
		return err
	}
	b.report(wire, before, after, e2e)
	return nil
}

// prepare starts everything that is not measured, and tracks the tweets.
func (b *benchRun) prepare(ctx context.Context, dir string, fail context.CancelCauseFunc, open *resources) (err error) {
	b.dataDir = dir
	b.cfg.Database.URL, b.cfg.Queue.URL = "", ""
	if err := b.cfg.Schedule.Tiers.Decode(benchTiers); err != nil {
		return err
	}
	if _, err := b.startPostgres(ctx, fail, open); err != nil {
		return err
	}
	options, err := b.startNATS(open)
	if err != nil {
		return err
	}
	if _, err := store.Migrate(ctx, string(b.cfg.Database.URL)); err != nil {
		return err
	}
	if err := b.speedUp(ctx); err != nil {
		return err
	}
	b.cfg.Database.MaxConns = max(b.cfg.Database.MaxConns, b.cfg.Worker.BatchSlots+4)
	if b.database, err = b.openDatabase(ctx, "bench", open); err != nil {
		return err
	}
	if b.messaging, err = b.openQueueWith(ctx, options, b.queueConfig(), "bench", open); err != nil {
		return err
	}
	return b.track(ctx, open)
}

func (b *benchRun) speedUp(ctx context.Context) error {
	db, err := store.Connect(ctx, store.Config{URL: string(b.cfg.Database.URL), MaxConns: 1, ApplicationName: "gorgone bench"})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.MarkPrivate(ctx); err != nil {
		return err
	}
	now, err := db.DatabaseTime(ctx)
	if err != nil {
		return err
	}
	return db.SetClockSetting(ctx, clock.Setting{Database: now, Engine: now, Speed: benchSpeed})
}

func (b *benchRun) track(ctx context.Context, open *resources) error {
	now := b.clock.Now()
	population, err := twittertest.NewSynthetic(twittertest.Options{
		N: b.o.tweets, Seed: b.o.seed, Start: now.Add(-time.Hour), Spread: 50 * time.Minute,
	})
	if err != nil {
		return err
	}
	b.double, err = twittertest.NewServer(twittertest.Config{Population: population, Now: b.clock.Now, Key: demoKey})
	if err != nil {
		return err
	}
	open.add(b.double.Close)
	if b.cfg.Provider.URL, err = b.double.Listen(ctx, ""); err != nil {
		return err
	}
	b.cfg.Provider.Key, b.cfg.Provider.Rate = demoKey, b.o.rate
	zone, err := b.store.CreateZone(ctx, store.Zone{Name: "bench"})
	if err != nil {
		return err
	}
	b.zone = zone.ID
	tweets := make([]store.NewTweet, 0, b.o.tweets)
	for t := range population.All() {
		b.ids = append(b.ids, t.ID)
		tweets = append(tweets, store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt, Text: t.Text})
	}
	for part := range slices.Chunk(tweets, 10_000) {
		if _, err := b.store.Track(ctx, zone.ID, part); err != nil {
			return err
		}
	}
	return nil
}

// ceiling measures how many tweets a second the store applies when there is
// nothing else to do: the batches are claimed before, and the counts are made up.
func (b *benchRun) ceiling(ctx context.Context) (float64, error) {
	var applied int
	var took time.Duration
	for took < b.o.duration/6 {
		batches, err := b.claim(ctx, 100_000)
		if err != nil {
			return 0, err
		}
		at := b.clock.Now()
		started := time.Now()
		p := pool.New().WithMaxGoroutines(b.cfg.Worker.Writes).WithErrors()
		for _, batch := range batches {
			p.Go(func() error {
				_, err := b.store.Apply(ctx, store.Work{ClaimID: batch.ClaimID, Results: b.madeUp(batch, at)})
				return err
			})
			applied += len(batch.Tweets)
		}
		if err := p.Wait(); err != nil {
			return 0, err
		}
		took += time.Since(started)
	}
	return float64(applied) / took.Seconds(), nil
}

func (b *benchRun) claim(ctx context.Context, tweets int) ([]store.Batch, error) {
	var batches []store.Batch
	for claimed := 0; claimed < tweets; {
		c, err := b.store.Claim(ctx, store.ClaimRequest{
			Tweets: 5000, BatchTweets: b.cfg.Dispatcher.Batch, BatchRows: 1000, Lease: b.queue.Lease(),
		})
		if err != nil {
			return nil, err
		}
		if c.Tweets == 0 {
			if claimed == 0 {
				// All have just been applied: wait for the next to fall due.
				if err := sleep(ctx, 100*time.Millisecond); err != nil {
					return nil, err
				}
				continue
			}
			break
		}
		claimed += c.Tweets
		batches = append(batches, c.Batches...)
	}
	return batches, nil
}

func (b *benchRun) madeUp(batch store.Batch, at time.Time) []store.Result {
	results := make([]store.Result, len(batch.Tweets))
	for i, t := range batch.Tweets {
		m, _ := b.double.Population().MetricsAt(t.TweetID, at)
		results[i] = store.Result{
			TweetID: t.TweetID, Rows: t.Rows, Kind: store.Found,
			Observation: engagement.Observation{At: at, Metrics: m},
		}
	}
	return results
}

// endToEndResult is what was measured of the whole engine.
type endToEndResult struct {
	tweets, calls  float64 // a second
	perCall        float64
	backlog        int // the smallest seen
	refresh        []time.Duration
	unanswered     int
	workerMemory   int64 // bytes, the most it ever used
	dispatchMemory int64
}

func (b *benchRun) endToEnd(ctx context.Context) (r endToEndResult, err error) {
	worker, err := b.child(ctx, "worker")
	if err != nil {
		return r, err
	}
	dispatcher, err := b.child(ctx, "dispatcher")
	if err != nil {
		return r, err
	}
	defer func() {
		r.workerMemory = stopChild(worker)
		r.dispatchMemory = stopChild(dispatcher)
	}()
	if err := sleep(ctx, benchSettle); err != nil {
		return r, err
	}
	s, err := b.store.Stats(ctx)
	if err != nil {
		return r, err
	}
	r.backlog = s.DueUnclaimed
	before, started := b.double.Stats(), time.Now()
	r.refresh, r.unanswered, err = b.askForRefreshes(ctx)
	if err != nil {
		return r, err
	}
	after, took := b.double.Stats(), time.Since(started).Seconds()
	if s, err = b.store.Stats(ctx); err != nil {
		return r, err
	}
	r.backlog = min(r.backlog, s.DueUnclaimed)
	r.tweets = s.Outstanding.DonePerSecond
	r.calls = float64(after.Calls-before.Calls) / took
	r.perCall = float64(after.Returned-before.Returned) / float64(max(after.Calls-before.Calls, 1))
	return r, nil
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

func (b *benchRun) report(w wireCost, before, after float64, r endToEndResult) {
	ceiling := (before + after) / 2
	b.printf("\nceiling     %.0f tweets/s applied with nothing else (%.0f before, %.0f after)\n", ceiling, before, after)
	b.printf("end to end  %.0f tweets/s = %.0f%% of the ceiling, %.0f calls/s of %.1f tweets, backlog never under %d\n",
		r.tweets, 100*r.tweets/ceiling, r.calls, r.perCall, r.backlog)
	b.printf("database    %.3f round trips and %.0f bytes a tweet (worker; %d tweets in batches of %d)\n",
		w.roundTrips, w.bytes, w.tweets, b.cfg.Dispatcher.Batch)
	b.printf("refreshes   %d answered, %d not; p50 %s, p95 %s, p99 %s, max %s\n", len(r.refresh), r.unanswered,
		percentile(r.refresh, 50), percentile(r.refresh, 95), percentile(r.refresh, 99), percentile(r.refresh, 100))
	b.printf("memory      worker %d MiB, dispatcher %d MiB at their most\n", r.workerMemory>>20, r.dispatchMemory>>20)
}

// percentile of sorted durations; 0 of none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := (len(sorted)*p+99)/100 - 1
	return sorted[max(i, 0)].Round(100 * time.Microsecond)
}

// viaHost returns the database URL with another address in it.
func viaHost(databaseURL, host string) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", fmt.Errorf("read the private database's url: %w", err)
	}
	u.Host = host
	return u.String(), nil
}
