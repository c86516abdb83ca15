package worker

import (
	"context"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// suspectTries is how often results are refused together, for a reason that may be one
// row's although its code is the database's, before they are tried in halves.
const suspectTries = 4

// resultWriter writes results that were paid for. What the database refuses because of
// one of them is written in halves until that one stands alone. While the database is
// at fault they are tried again, until the context ends: a paid result is kept for as
// long as the worker runs.
type resultWriter[T any] struct {
	database *database
	until    time.Time // engine time from which on no one waits for the results
	slot     bool      // write in one of the slots for batches
	log      *zerolog.Logger

	write   func(context.Context, []T) error      // in one transaction
	refused func(context.Context, T, error) error // deals with a result that is refused alone
	failed  func(context.Context)                 // is called after each failure
	late    func(context.Context)                 // is called when until has passed

	// keep puts results where they outlive this worker, until forget is called for what it
	// returns; nil: they are there.
	keep   func(context.Context, []T) ([]uint64, error)
	forget func(context.Context, uint64) error

	unkept []T      // results that the database did not take, and that are nowhere else
	kept   []uint64 // what was kept
}

// put writes results, each once. When ctx ends before they are, they are kept.
func (w *resultWriter[T]) put(ctx context.Context, results []T) error {
	if w.keep != nil {
		w.unkept = results
	}
	err := w.insist(ctx, results)
	for _, seq := range w.kept {
		if err != nil {
			break
		}
		if e := w.forget(ctx, seq); e != nil {
			w.log.Warn().Err(e).Msg("answers that are written stay in the queue; they are written again")
		}
	}
	if err != nil && len(w.unkept) > 0 {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
		if w.keepAll(last); len(w.unkept) > 0 {
			w.log.Error().Err(err).Int("results", len(w.unkept)).Msg("answers that were paid for are lost: neither the database nor the queue took them")
		}
	}
	return err
}

// keepAll keeps the results, unless that is done.
func (w *resultWriter[T]) keepAll(ctx context.Context) {
	if len(w.unkept) == 0 {
		return
	}
	var err error
	if w.kept, err = w.keep(ctx, w.unkept); err != nil {
		w.log.Warn().Err(err).Int("results", len(w.unkept)).Msg("answers that the database did not take are in this worker's memory only")
		return
	}
	w.log.Info().Int("results", len(w.unkept)).Msg("answers that the database did not take are kept in the queue")
	w.unkept = nil
}

// insist writes results until each is written or refused, or ctx ends.
func (w *resultWriter[T]) insist(ctx context.Context, results []T) error {
	for tries := 1; ; tries++ {
		written := w.database.written.Load()
		left, cause, err := w.divide(ctx, results, suspectTries)
		if err != nil || len(left) == 0 {
			return err
		}
		if w.database.written.Load() == written {
			// Nothing at all is written: it is not these results.
			if err := pause(ctx, engagement.Backoff(tries, retryBase, retryCeiling, w.database.random())); err != nil {
				return err
			}
			results = left
			continue
		}
		for _, r := range left {
			if err := w.refused(ctx, r, cause); err != nil {
				return err
			}
		}
		return nil
	}
}

// divide writes results, in halves if need be. It returns those that stand alone and may
// be refused because of what they are, or because of the database.
func (w *resultWriter[T]) divide(ctx context.Context, results []T, tries int) (left []T, cause, err error) {
	if len(results) == 0 {
		return nil, nil, nil
	}
	err = w.persist(ctx, results, tries)
	switch {
	case err == nil || ctx.Err() != nil:
		return nil, nil, err
	case len(results) > 1:
		half := len(results) / 2
		if left, cause, err = w.divide(ctx, results[:half], 1); err != nil {
			return nil, nil, err
		}
		rest, because, err := w.divide(ctx, results[half:], 1)
		if because != nil {
			cause = because
		}
		return append(slices.Clip(left), rest...), cause, err
	case postgres.Refused(err):
		return nil, nil, w.refused(ctx, results[0], err)
	default:
		return results, err, nil
	}
}

// persist writes results until it succeeds, the context ends, or they are refused for
// what may be one of them.
func (w *resultWriter[T]) persist(ctx context.Context, results []T, suspect int) error {
	stuck := false
	defer func() {
		if stuck {
			w.database.stuck.Add(-1)
		}
	}()
	for tries := 1; ; tries++ {
		err := w.try(ctx, results)
		w.database.note(err)
		if err == nil {
			w.database.written.Add(1)
			return nil
		}
		if ctx.Err() != nil || postgres.Refused(err) {
			return err
		}
		w.database.refusal.Store(refusal{err})
		w.failed(ctx)
		w.keepAll(ctx)
		if !w.database.clock.Now().Before(w.until) {
			w.late(ctx)
		}
		if postgres.Suspect(err) {
			if tries >= suspect {
				return err
			}
		} else if !stuck {
			stuck = true
			w.database.stuck.Add(1)
		}
		w.log.Warn().Err(err).Int("tries", tries).Int("results", len(results)).Msg("database unavailable, trying again")
		if err := pause(ctx, engagement.Backoff(tries, retryBase, retryCeiling, w.database.random())); err != nil {
			return err
		}
	}
}

func (w *resultWriter[T]) try(ctx context.Context, results []T) error {
	if !w.slot {
		return w.write(ctx, results)
	}
	return w.database.inSlot(ctx, func() error { return w.write(ctx, results) })
}
