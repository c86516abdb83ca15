package worker

import (
	"context"

	"gorgone/store"
)

// calls is what a look-up cost.
func (a *asked) calls() store.Calls {
	return store.Calls{Provider: a.Provider, Count: a.Calls, Failed: a.failedCalls, Time: a.Took, Billed: a.Billed, Controls: a.controls}
}

// recordRest records what calls cost that nothing was applied from.
func (w *Worker) recordRest(ctx context.Context, refresh bool, spent []store.Calls) {
	if len(spent) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	if err := w.Sink.RecordCalls(ctx, refresh, spent...); err != nil {
		w.Log.Warn().Err(err).Msg("what some calls cost is missing from the ledger")
	}
}
