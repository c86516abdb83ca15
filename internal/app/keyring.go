package app

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/keys"
	"gorgone/throttle"
	"gorgone/worker/lookup"
)

const (
	// keysEvery is how often a process reads which clients have keys of their own.
	keysEvery = 5 * time.Second

	// keyWindow is for how long, in real time, the tweets last that may be outstanding of a
	// client's own key.
	keyWindow = 3 * time.Second
)

// keyring is the keys that clients bring of their own as a process uses them: each with a pace,
// breaker and account that all replicas share, apart from those of the shared key. It looks
// tweets up by the key that a request names.
type keyring struct {
	process *Process
	cfg     config.Provider
	db      *Database
	queue   *Queue
	sealer  *keys.Sealer
	shared  *lookup.Client // nil: the process makes no calls
	client  func([]*lookup.Provider, lookup.Tweets) *lookup.Client

	reading sync.Mutex // one reads at a time
	closing conc.WaitGroup
	changed chan struct{}

	mu    sync.RWMutex
	rings map[uuid.UUID]*ring
}

// ring is one client's key, or, once that was removed, whether the shared one may be used. It is
// not changed once made.
type ring struct {
	key      keys.Key
	fault    error // why the key cannot be used by this process; nil: it can
	provider *Provider
	shared   throttle.Providers // what replicas share; empty: the key was removed
	client   *lookup.Client     // nil: no calls are made with it

	uses    sync.WaitGroup
	closers closers
}

// newKeyring reads the keys. Call follow to keep them in step.
func newKeyring(ctx context.Context, p *Process, cfg config.Config, q *Queue, d *Database) (*keyring, error) {
	sealer, err := keys.ParseSecrets(string(cfg.KeySecrets.Sealing))
	if err != nil {
		return nil, failure.Usagef("GORGONE_KEY_SECRETS: %w", err)
	}
	k := &keyring{process: p, cfg: cfg.Provider, db: d, queue: q, sealer: sealer, changed: make(chan struct{}, 1), rings: make(map[uuid.UUID]*ring)}
	return k, k.read(ctx)
}

// follow keeps the keys in step with the database until ctx ends.
func (k *keyring) follow(ctx context.Context) {
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := k.read(ctx); err != nil && ctx.Err() == nil {
			k.process.Log.Warn().Err(err).Msg("reading the keys of clients failed; those known go on to be used")
		}
	}
}

// read makes rings of keys that have changed. One that is in use is closed after that.
func (k *keyring) read(ctx context.Context) error {
	k.reading.Lock()
	defer k.reading.Unlock()
	list, err := k.db.Keys.List(ctx)
	if err != nil {
		return err
	}
	next := make(map[uuid.UUID]*ring, len(list))
	var faults []error
	for _, key := range list {
		k.mu.RLock()
		old := k.rings[key.Client]
		k.mu.RUnlock()
		if old != nil && old.key.Same(key) && old.key.Shared == key.Shared {
			next[key.Client] = old
			continue
		}
		made, err := k.open(ctx, key)
		if err != nil {
			faults = append(faults, fmt.Errorf("join what is shared of the key of client %s: %w", key.Client, err))
			if made = old; old == nil {
				continue
			}
		}
		next[key.Client] = made
	}
	k.mu.Lock()
	before := k.rings
	k.rings = next
	k.mu.Unlock()
	for client, old := range before {
		if next[client] != old {
			k.closing.Go(old.close)
		}
	}
	select {
	case k.changed <- struct{}{}:
	default:
	}
	return errors.Join(faults...)
}

// reopen makes all rings again, for a process that makes calls.
func (k *keyring) reopen(ctx context.Context) error {
	k.mu.Lock()
	before := k.rings
	k.rings = make(map[uuid.UUID]*ring)
	k.mu.Unlock()
	for _, r := range before {
		r.close()
	}
	return k.read(ctx)
}

// configOf is how a client's key is called: as the installation's own provider of that name,
// or at the provider's own address.
func configOf(cfg config.Provider, key keys.Key, secret string) config.Provider {
	own := cfg
	if f, ok := cfg.Fallback(); key.Provider != cfg.Name {
		if own = f; !ok || key.Provider != f.Name {
			own.URL, own.PerCall = "", 0
		}
	}
	own.Name, own.Key, own.Rate, own.FallbackName = key.Provider, config.Secret(secret), key.Rate, ""
	return own
}

// sealedKey stands for a key that this process cannot open. No call is made with it.
const sealedKey = "sealed"

// open joins what replicas share of a key.
func (k *keyring) open(ctx context.Context, key keys.Key) (_ *ring, err error) {
	r := &ring{key: key}
	if key.Removed {
		return r, nil
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	secret := sealedKey
	if k.shared != nil {
		var opened string
		if opened, r.fault = k.sealer.Open(key); r.fault == nil {
			secret = opened
		} else {
			k.process.Log.Error().Err(r.fault).Stringer("client", key.Client).Msg("the key of a client cannot be used: its tweets wait")
		}
	}
	cfg := configOf(k.cfg, key, secret)
	if r.provider, err = k.process.openProvider(cfg, k.db.Clock.Now); err != nil {
		return nil, err
	}
	r.provider.KeyID = key.ID
	shared, err := k.process.join(ctx, cfg, r.provider, key.Provider+" with the key of client "+key.Client.String(), k.queue, k.db.Clock, &r.closers)
	if err != nil {
		return nil, err
	}
	r.shared = throttle.Providers{shared}
	if k.shared != nil && r.fault == nil {
		p := r.provider.forWorker(shared, shared.Account)
		p.Client = key.Client
		r.client = k.client([]*lookup.Provider{p}, keyTweets{k.db.Store, key.Client})
	}
	return r, nil
}

// close leaves what replicas share, once no call is under way.
func (r *ring) close() {
	r.uses.Wait()
	r.closers.close()
}

// stopped says why no call is made with the key for now.
func (r *ring) stopped() (stop throttle.Stop, stopped bool) {
	if r.key.Removed {
		return throttle.Stop{Cause: engagement.CauseKeyRefused, Reason: "the client's own key was removed, and the shared one is not allowed"}, true
	}
	return r.shared.Stopped()
}

// use returns a client's ring, and what ends its use; nil: the client has none.
func (k *keyring) use(client uuid.UUID) (r *ring, done func()) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if r = k.rings[client]; r == nil {
		return nil, func() {}
	}
	r.uses.Add(1)
	return r, r.uses.Done
}

// close leaves what replicas share of all keys.
func (k *keyring) close() {
	k.mu.Lock()
	rings := k.rings
	k.rings = nil
	k.mu.Unlock()
	for _, r := range rings {
		r.close()
	}
	k.closing.Wait()
}

// usable reports whether calls can be made with a client's own key.
func (k *keyring) usable() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, r := range k.rings {
		if _, stopped := r.stopped(); !stopped {
			return true
		}
	}
	return false
}

// state is what may be claimed for a client's own key.
func (k *keyring) state(client uuid.UUID) store.KeyState {
	k.mu.RLock()
	defer k.mu.RUnlock()
	r := k.rings[client]
	if r == nil {
		return store.KeyState{Stopped: "its key is not known yet"}
	}
	if stop, stopped := r.stopped(); stopped {
		return store.KeyState{Stopped: stop.Reason}
	}
	call := r.provider.MaxIDs()
	return store.KeyState{
		Window: max(2*call, int(math.Ceil(r.provider.TweetRate()*keyWindow.Seconds()))),
		Batch:  max(call, int(r.provider.TweetRate())),
	}
}

// stoppedIn says why no call is made for a zone of a client that has or had a key of its own.
// shared reports that the shared key may be used instead.
func (k *keyring) stoppedIn(owner keys.Owner) (stop throttle.Stop, stopped, shared bool) {
	r, done := k.use(owner.Client)
	defer done()
	if r == nil { // a worker knows more
		return stop, false, false
	}
	stop, stopped = r.stopped()
	return stop, stopped, stopped && owner.Shared
}

// Lookup implements worker.Lookups.
func (k *keyring) Lookup(ctx, stop context.Context, r lookup.Request) iter.Seq[lookup.Answer] {
	if r.Client == keys.Shared {
		return k.shared.Lookup(ctx, stop, r)
	}
	return func(yield func(lookup.Answer) bool) {
		own, done := k.use(r.Client)
		defer func() { done() }()
		if own == nil || own.key.Removed && r.Class == queue.ClassBatch { // it may have changed a moment ago
			if err := k.read(ctx); err != nil {
				r.Log.Warn().Err(err).Msg("reading the keys of clients failed")
			}
			done()
			own, done = k.use(r.Client)
		}
		by, err := k.pick(ctx, own, r)
		if err != nil {
			yield(lookup.Answer{Left: r.IDs, Err: err})
			return
		}
		by.Lookup(ctx, stop, r)(yield)
	}
}

// pick returns what makes the calls of a request that names a client. A batch was claimed for
// the client's own key; a refresh may go by the shared one where that is allowed.
func (k *keyring) pick(ctx context.Context, own *ring, r lookup.Request) (*lookup.Client, error) {
	if own == nil {
		return nil, &lookup.KeyError{Client: r.Client, Reason: "is not known"}
	}
	if _, stopped := own.stopped(); stopped && own.key.Shared && r.Class == queue.ClassRefresh {
		return k.shared, nil
	}
	switch {
	case own.key.Removed:
		return nil, &lookup.KeyError{Client: r.Client, Reason: "was removed, and the shared one is not allowed"}
	case own.fault != nil:
		own.shared[0].Breaker.Open(context.WithoutCancel(ctx), k.db.Clock.Database(), engagement.CauseKeyRefused, own.fault.Error())
		return nil, &lookup.KeyError{Client: r.Client, Reason: "cannot be used: " + own.fault.Error()}
	}
	return own.client, nil
}

// Explain implements worker.Lookups.
func (k *keyring) Explain(err error) lookup.Failure { return k.shared.Explain(err) }

// MaxIDs implements worker.Lookups.
func (k *keyring) MaxIDs() int { return k.shared.MaxIDs() }

// CheckProviders implements worker.Lookups: it checks the keys of clients, too.
func (k *keyring) CheckProviders(ctx context.Context) {
	var checks conc.WaitGroup
	defer checks.Wait()
	checks.Go(func() { k.shared.CheckProviders(ctx) })
	running := make(map[*ring]context.CancelFunc)
	for {
		k.mu.RLock()
		current := make(map[*ring]bool, len(k.rings))
		for _, r := range k.rings {
			current[r] = true
			if _, runs := running[r]; !runs && !r.key.Removed {
				checking, cancel := context.WithCancel(ctx)
				running[r] = cancel
				r.uses.Add(1)
				checks.Go(func() {
					defer r.uses.Done()
					r.check(checking)
				})
			}
		}
		k.mu.RUnlock()
		for r, cancel := range running {
			if !current[r] {
				cancel()
				delete(running, r)
			}
		}
		select {
		case <-k.changed:
		case <-ctx.Done():
			for _, cancel := range running {
				cancel()
			}
			return
		}
	}
}

// check checks the key's provider until ctx ends. One that cannot be opened stays stopped.
func (r *ring) check(ctx context.Context) {
	if r.client != nil {
		r.client.CheckProviders(ctx)
		return
	}
	r.shared[0].Breaker.Run(ctx, func(context.Context) (engagement.FailureCause, string) {
		return engagement.CauseKeyRefused, r.fault.Error()
	})
}
