package drill

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/internal/lab/drill/supervise"
)

// carryOut lets everything of the plan happen, and returns when the time is over
// and all of it is healed again.
func (w *world) carryOut(ctx context.Context, plan plan) {
	began := time.Now()
	var tracks conc.WaitGroup
	for i, events := range plan.tracks {
		random := rand.New(rand.NewPCG(w.Seed, uint64(i)))
		tracks.Go(func() {
			for _, e := range events {
				if !sleep(ctx, time.Until(began.Add(e.at))) {
					return
				}
				w.happen(ctx, e, random)
			}
		})
	}
	sleep(ctx, time.Until(began.Add(w.Duration)))
	tracks.Wait()
}

// happen lets one event happen, and heals it after its time.
func (w *world) happen(ctx context.Context, e event, random *rand.Rand) {
	heal, err := faultKindOf(e).begin(ctx, w, &e, random)
	if err != nil {
		w.Log.Info().Err(err).Stringer("event", e).Msg("did not happen")
		return
	}
	sleep(ctx, e.length)
	if err := heal(); err != nil {
		w.Log.Error().Err(err).Stringer("event", e).Msg("not healed")
	}
}

// begun notes the begin of an event, and lets what begins it happen. What ends it then
// notes the end.
func (w *world) begun(e *event, begin, heal func() error) (func() error, error) {
	end := w.events.begin(*e)
	if err := begin(); err != nil {
		end()
		return nil, err
	}
	return func() error {
		defer end()
		return heal()
	}, nil
}

// some draws tweets that are there, each once.
func (w *world) some(random *rand.Rand, tweets []string, n int) (ids []string) {
	drawn := make(map[string]bool, n)
	for tries := 0; len(ids) < n && tries < 100*n && len(tweets) > 0; tries++ {
		id := tweets[random.IntN(len(tweets))]
		if !drawn[id] && !w.provider.isDeleted(id) {
			drawn[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// someDeleted draws half of the tweets that are deleted, a few at most.
func (w *world) someDeleted(random *rand.Rand) []string {
	var ids []string
	for _, id := range w.tweets {
		if w.provider.isDeleted(id) {
			ids = append(ids, id)
		}
	}
	random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids[:min(len(ids)/2, 1+w.Tweets/500)]
}

// find returns a process by its name.
func (w *world) find(name string) *supervise.Process {
	for _, p := range slices.Concat(w.processes, w.nodes) {
		if p.Name == name {
			return p
		}
	}
	panic("drill: there is no " + name) // plans name what there is
}
