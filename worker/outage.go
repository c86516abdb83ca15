package worker

import (
	"context"

	"gorgone/engagement"
	"gorgone/store"
)

// noteOutage keeps in mind whether the database is away, from the result of using it.
func (w *Worker) noteOutage(err error) {
	switch {
	case err == nil:
		w.away.Store(false)
	case store.Unavailable(err):
		w.away.Store(true)
	}
}

// awaitDatabase returns nil at once unless the database is known to be away; then
// it waits until it is back. What a worker has it holds, or gives back; but it takes
// nothing that it could not write.
func (w *Worker) awaitDatabase(ctx context.Context) error {
	for tries := 1; w.away.Load(); tries++ {
		err := w.Sink.Ping(ctx)
		if err == nil {
			if w.away.CompareAndSwap(true, false) {
				w.Log.Info().Msg("database is back, taking work again")
			}
			return nil
		}
		if tries == 1 {
			w.Log.Warn().Err(err).Msg("database is away, taking no work")
		}
		if err := w.pauseFor(ctx, engagement.Backoff(tries, retryBase, retryCeiling, w.Random())); err != nil {
			return err
		}
	}
	return nil
}
