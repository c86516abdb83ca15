package app

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"

	"github.com/google/uuid"

	"gorgone/internal/config"
	"gorgone/store"
	"gorgone/store/keys"
	"gorgone/throttle"
	"gorgone/worker/lookup"
)

// KeyStates returns how the keys of clients do, for a command.
func (p *Process) KeyStates(ctx context.Context, cfg config.Config, q *Queue, d *Database) ([]KeyStatus, error) {
	k, err := newKeyring(ctx, p, cfg, q, d)
	if err != nil {
		return nil, err
	}
	defer k.close()
	return k.status(ctx)
}

// status is how the keys of clients do.
func (k *keyring) status(ctx context.Context) ([]KeyStatus, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := make([]KeyStatus, 0, len(k.rings))
	for _, r := range k.rings {
		s := KeyStatus{Key: r.key}
		if !r.key.Removed {
			list, err := r.shared.Status(ctx)
			if err != nil {
				return nil, err
			}
			s.Provider = &list[0]
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b KeyStatus) int { return bytes.Compare(a.Key.Client[:], b.Key.Client[:]) })
	return all, nil
}

// KeyStatus is how a client's own key does.
type KeyStatus struct {
	Key      keys.Key
	Provider *throttle.ProviderStatus // nil: the key was removed
}

// newLookups returns what makes the calls of a client of package lookup.
func (a *App) newLookups(providers []*lookup.Provider, tweets lookup.Tweets) *lookup.Client {
	return lookup.New(lookup.Config{
		CallTimeout:  a.cfg.Provider.Timeout,
		RatePause:    ratePause,
		BalanceEvery: a.cfg.Provider.BalanceEvery,
		MaxCalls:     callsPerSlot * a.cfg.Worker.BatchSlots,
	}, lookup.Parts{
		Providers: providers, Pauses: a.stops, Tweets: tweets,
		Tracer: a.tracer, Clock: a.db.Clock, Random: rand.Float64, Log: a.log,
	})
}

// claimKeys implements dispatcher.Keys.
type claimKeys struct{ stops stops }

// State implements dispatcher.Keys.
func (c claimKeys) State(client uuid.UUID) store.KeyState {
	if client == keys.Shared {
		return store.KeyState{Stopped: c.stops.shared()}
	}
	return c.stops.keys.state(client)
}

// keyTweets are [lookup.Tweets] of a client's own key: what it costs counts for caps, and for no
// budget of the installation.
type keyTweets struct {
	*store.Store

	client uuid.UUID
}

// SetAside implements lookup.Tweets.
func (t keyTweets) SetAside(ctx context.Context, id uuid.UUID, refresh bool, tweets int, asked []string) error {
	return t.SetAsideFor(ctx, t.client, id, refresh, tweets, asked)
}
