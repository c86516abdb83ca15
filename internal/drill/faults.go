package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/twitter/twittertest"
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
	heal, err := w.spoil(ctx, &e, random)
	if err != nil {
		w.Log.Info().Err(err).Stringer("event", e).Msg("did not happen")
		return
	}
	sleep(ctx, e.length)
	if err := heal(); err != nil {
		w.Log.Error().Err(err).Stringer("event", e).Msg("not healed")
	}
}

// spoil begins an event, and returns what ends it.
func (w *world) spoil(ctx context.Context, e *event, random *rand.Rand) (heal func() error, err error) {
	switch e.kind {
	case kill:
		return w.killed(e)
	case crash:
		return w.crashed(ctx, e)
	case freeze:
		return w.frozen(e)
	case cut, stall, delay:
		return w.spoilLink(ctx, e)
	case deletes, returns, poison:
		return w.spoilTweets(e, random)
	case fault, drop, broke:
	}
	return w.spoilProvider(e)
}

func (w *world) killed(e *event) (heal func() error, err error) {
	p := w.find(e.target)
	if p.isFrozen() {
		return nil, errors.New("it is frozen, to be let go again")
	}
	end := w.events.begin(*e)
	p.kill()
	return func() error {
		defer end()
		return p.start()
	}, nil
}

func (w *world) crashed(ctx context.Context, e *event) (heal func() error, err error) {
	end := w.events.begin(*e)
	w.postgresMu.Lock()
	server := w.postgres
	w.postgresMu.Unlock()
	if err := server.Crash(); err != nil {
		end()
		return nil, err
	}
	return func() error {
		defer end()
		return w.startPostgres(ctx)
	}, nil
}

func (w *world) frozen(e *event) (heal func() error, err error) {
	thaw, err := w.find(e.target).freeze()
	if err != nil {
		return nil, err
	}
	end := w.events.begin(*e)
	return func() error {
		thaw()
		end()
		return nil
	}, nil
}

func (w *world) spoilLink(ctx context.Context, e *event) (heal func() error, err error) {
	l := w.proxies.find(e.target, e.link)
	if l == nil {
		return nil, fmt.Errorf("no connection from %s to %s", e.target, e.link)
	}
	end := w.events.begin(*e)
	var mend func() error
	switch e.kind {
	case cut:
		l.cut()
		mend = l.mend
	case stall:
		err = l.stall()
		mend = func() error { return l.unstall(ctx) }
	default:
		err = l.slow(time.Duration(e.number) * time.Millisecond)
		mend = func() error { l.heal(ctx); return nil } //nolint:unparam // the other ways to mend can fail
	}
	if err != nil {
		end()
		return nil, err
	}
	return func() error {
		defer end()
		return mend()
	}, nil
}

func (w *world) spoilProvider(e *event) (heal func() error, err error) {
	end := w.events.begin(*e)
	steer := func(calls, dropped float64, credits int64) error {
		s := twittertest.Steering{}
		switch e.kind {
		case drop:
			s.DropShare = &dropped
		case broke:
			s.Credits = &credits
		default:
			s.Calls = []twittertest.CallSteering{{Fault: twittertest.Fault(e.what), Share: &calls}}
			if calls == 0 && credits == 0 {
				s.Calls[0].Next = e.number
			}
		}
		return w.provider.Steer(s)
	}
	if err := steer(e.share, e.share, 0); err != nil {
		end()
		return nil, err
	}
	return func() error {
		defer end()
		return steer(0, 0, -1)
	}, nil
}

func (w *world) spoilTweets(e *event, random *rand.Rand) (heal func() error, err error) {
	done := func() error { return nil }
	if e.kind == returns {
		if e.tweets = w.someDeleted(random); len(e.tweets) == 0 {
			e.kind = deletes // first things first
		}
	}
	switch e.kind {
	case returns:
		defer w.events.begin(*e)()
		return done, w.provider.restore(e.tweets)
	case poison:
		e.tweets = w.some(random, 1)
		end := w.events.begin(*e)
		steer := func(f twittertest.TweetFault) error {
			return w.provider.Steer(twittertest.Steering{Tweets: []twittertest.TweetSteering{{Fault: f, IDs: e.tweets}}})
		}
		return func() error {
			defer end()
			return steer(twittertest.Healthy)
		}, steer(twittertest.BadTweet)
	default:
		e.tweets = w.some(random, e.number)
		defer w.events.begin(*e)()
		return done, w.provider.remove(e.tweets)
	}
}

// some draws tweets that are there, each once.
func (w *world) some(random *rand.Rand, n int) (ids []string) {
	all := w.tweets
	for tries := 0; len(ids) < n && tries < 100*n; tries++ {
		id := all[random.IntN(len(all))]
		if !w.provider.isDeleted(id) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// someDeleted draws half of the tweets that are deleted.
func (w *world) someDeleted(random *rand.Rand) []string {
	var ids []string
	for _, id := range w.tweets {
		if w.provider.isDeleted(id) {
			ids = append(ids, id)
		}
	}
	random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids[:len(ids)/2]
}

// find returns a process by its name.
func (w *world) find(name string) *process {
	for _, p := range slices.Concat(w.processes, w.nodes) {
		if p.name == name {
			return p
		}
	}
	panic("drill: there is no " + name) // plans name what there is
}
