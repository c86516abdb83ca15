package dispatcher

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"gorgone/store"
)

const (
	// partitionsAhead is how far ahead, in engine time, history has a partition
	// for every day.
	partitionsAhead = 3 * 24 * time.Hour

	// maintainEvery is the real time between two rounds of housekeeping; less
	// when a sped-up clock uses partitions up faster.
	maintainEvery = time.Minute
)

// Keeper is the housekeeping that a schedule needs.
type Keeper interface {
	PruneBatches(ctx context.Context, before time.Time) (int, error)
	EnsurePartitions(ctx context.Context, from, to time.Time) (int, error)
	Retain(ctx context.Context, r store.Retention) (store.Retained, error)
	CheckStalled(ctx context.Context) error
	PruneAlerts(ctx context.Context, before time.Time) (int, error)
}

// Keep says how long what is kept for a time is kept, in engine time.
type Keep struct {
	Batches time.Duration // records of batches, after they ended
	Alerts  time.Duration // alerts, after they were over
	History store.Retention
}

// Maintain does the housekeeping until ctx ends: it forgets old batches, makes
// history's partitions ahead of time, cuts old history down, and tells of tweets
// that should have been looked at long ago. Any number of
// processes may do so at once. Faults are logged and tried again.
func Maintain(ctx context.Context, keeper Keeper, clock Clock, keep Keep, log zerolog.Logger) {
	every := max(min(maintainEvery, clock.Real(partitionsAhead/6)), minTick)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		MaintainOnce(ctx, keeper, clock.Now(), keep, log)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// MaintainOnce does one round of it, at a time. What one step fails of does not stop
// the others.
func MaintainOnce(ctx context.Context, keeper Keeper, now time.Time, keep Keep, log zerolog.Logger) {
	failed := failures(ctx, log)
	if n, err := keeper.EnsurePartitions(ctx, now, now.Add(partitionsAhead)); !failed(err, "make history partitions") && n > 0 {
		log.Debug().Int("partitions", n).Msg("made history partitions")
	}
	failed(keeper.CheckStalled(ctx), "look for stalled tweets")
	_, err := keeper.PruneBatches(ctx, now.Add(-keep.Batches))
	failed(err, "prune batches")
	_, err = keeper.PruneAlerts(ctx, now.Add(-keep.Alerts))
	failed(err, "prune alerts")
	r, err := keeper.Retain(ctx, keep.History)
	failed(err, "cut history down")
	if r.Dropped+r.Deleted+r.Thinned > 0 {
		log.Info().Int("partitions", r.Dropped).Int("deleted", r.Deleted).Int("thinned", r.Thinned).Msg("cut history down")
	}
}

// failures returns a function that tells whether a step of a round failed, and logs it
// unless it was cut short.
func failures(ctx context.Context, log zerolog.Logger) (failed func(err error, doing string) bool) {
	return func(err error, doing string) bool {
		if err != nil && ctx.Err() == nil {
			log.Error().Err(err).Msg(doing)
		}
		return err != nil
	}
}
