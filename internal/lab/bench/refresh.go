package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sourcegraph/conc/pool"

	"gorgone/engagement"
	"gorgone/refresh"
)

// refreshes is how refreshes were answered while the backlog was full.
type refreshes struct {
	took    []time.Duration // of those answered with counts, the shortest first
	backlog int             // the smallest seen
	done    float64         // tweets a second
}

// measureRefreshes requests refreshes while all tweets are due, and fall due again
// shortly after each look-up.
func (b *bench) measureRefreshes(ctx context.Context, r *results) (got refreshes, err error) {
	if err := b.ready(ctx); err != nil {
		return got, err
	}
	zones, err := b.db.Store.Zones(ctx)
	if err != nil {
		return got, err
	}
	for _, z := range zones {
		if err := b.due(ctx, true, z.ID); err != nil {
			return got, err
		}
	}
	if err := b.tune(ctx, false); err != nil {
		return got, err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	e, err := b.startEngine(ctx, fail, tiersAgain, false)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, e.stop(r)) }()
	if err := e.startDispatcher(ctx); err != nil {
		return got, err
	}
	if err := sleep(ctx, min(settle, b.Duration)); err != nil {
		return got, err
	}
	before, err := b.progress(ctx)
	if err != nil {
		return got, err
	}
	began := time.Now()
	if got.took, err = b.requestRefreshes(ctx); err != nil {
		return got, err
	}
	took := time.Since(began)
	after, err := b.progress(ctx)
	if err != nil {
		return got, err
	}
	got.backlog = min(before.backlog, after.backlog)
	got.done = float64(after.found-before.found) / took.Seconds()
	return got, nil
}

// progress is how far the engine has come.
type progress struct{ backlog, found int }

func (b *bench) progress(ctx context.Context) (p progress, err error) {
	stats, err := b.db.Report.Stats(ctx)
	if err != nil {
		return p, err
	}
	p.backlog = stats.DueUnclaimed
	if err := b.sql.QueryRow(ctx, `select coalesce(sum(found), 0) from gorgone.batches`).Scan(&p.found); err != nil {
		return p, fmt.Errorf("read the batches: %w", err)
	}
	return p, nil
}

// requestRefreshes requests refreshes at an even rate over the duration, and returns how
// long each took that was answered with counts, from the request on.
func (b *bench) requestRefreshes(ctx context.Context) ([]time.Duration, error) {
	random := rand.New(rand.NewPCG(b.Seed, 1)) // #nosec G404 -- it only picks tweets
	every := time.NewTicker(b.Duration / time.Duration(b.Refreshes))
	defer every.Stop()
	answers := pool.NewWithResults[time.Duration]().WithErrors()
	for range b.Refreshes {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-every.C:
		}
		id := b.ids[random.IntN(len(b.ids))]
		answers.Go(func() (time.Duration, error) { return b.requestRefresh(ctx, id) })
	}
	all, err := answers.Wait()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(took time.Duration) bool { return took == 0 })
	slices.Sort(all)
	return all, nil
}

// requestRefresh has a tweet looked up as the HTTP API does. It returns how long that
// took, from finding the tweet on; 0 when no counts came in time.
func (b *bench) requestRefresh(ctx context.Context, id string) (time.Duration, error) {
	started := time.Now()
	tweets, err := b.db.Store.FindTweet(ctx, id)
	if err != nil {
		return 0, err
	}
	service := refresh.Service{Requests: b.db.Store, Queue: b.queue, Clock: b.db.Clock, Log: b.Log}
	result, err := service.Do(ctx, refresh.Request{Tweets: tweets, Caller: refresh.Caller{Name: "bench"}, Force: true}, 10*time.Second)
	if err != nil {
		return 0, err
	}
	switch r := result.Request; r.Outcome {
	case engagement.RequestUpdated, engagement.RequestCurrent:
		return time.Since(started), nil
	case engagement.RequestOpen:
		return 0, nil
	default:
		b.Log.Error().Str("tweet", id).Str("outcome", string(r.Outcome)).Str("cause", r.Cause).
			Str("reason", r.Reason).Msg("a refresh was answered without counts")
		return 0, nil
	}
}
