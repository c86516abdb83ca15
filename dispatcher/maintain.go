package dispatcher

import (
	"context"
	"time"

	"github.com/rs/zerolog"
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
}

// Maintain does the housekeeping until ctx ends: it forgets batches that ended
// keep or longer ago (engine time), and makes history's partitions ahead of time.
// Any number of processes may do so at once. Faults are logged and tried again.
func Maintain(ctx context.Context, keeper Keeper, clock Clock, keep time.Duration, log zerolog.Logger) {
	every := max(min(maintainEvery, clock.Real(partitionsAhead/6)), minTick)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		now := clock.Now()
		if n, err := keeper.EnsurePartitions(ctx, now, now.Add(partitionsAhead)); err != nil && ctx.Err() == nil {
			log.Error().Err(err).Msg("make history partitions")
		} else if n > 0 {
			log.Debug().Int("partitions", n).Msg("made history partitions")
		}
		if _, err := keeper.PruneBatches(ctx, now.Add(-keep)); err != nil && ctx.Err() == nil {
			log.Error().Err(err).Msg("prune batches")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
