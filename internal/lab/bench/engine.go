package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorgone/internal/config"
	"gorgone/internal/lab/proc"
)

// engine is a worker and a dispatcher, as they are by default.
type engine struct {
	b       *bench
	fail    context.CancelCauseFunc // called when one of them ended by itself
	tiers   string
	monitor string // address of the worker's metrics
	relays  []*relay

	worker, dispatcher *child
}

// startEngine starts a worker, and waits until it is ready. When a process of the engine
// ends by itself, fail is called. counted sends what it and
// the dispatcher exchange with Postgres through relays.
func (b *bench) startEngine(ctx context.Context, fail context.CancelCauseFunc, tiers string, counted bool) (_ *engine, err error) {
	e := &engine{b: b, fail: fail, tiers: tiers}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.stop(&results{}))
		}
	}()
	if counted {
		host, err := hostOf(string(b.cfg.Database.URL))
		if err != nil {
			return nil, err
		}
		for range 2 {
			r, err := newRelay(ctx, host)
			if err != nil {
				return nil, fmt.Errorf("listen for a counting relay: %w", err)
			}
			e.relays = append(e.relays, r)
		}
	}
	if e.monitor, err = proc.FreeAddress(ctx); err != nil {
		return nil, err
	}
	if e.worker, err = e.start(ctx, "worker", 0, "GORGONE_METRICS_ADDR="+e.monitor); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("the worker is not ready"))
	defer cancel()
	return e, retry(waiting, func() error {
		page, err := get(waiting, "http://"+e.monitor+"/readyz")
		if err != nil {
			return err
		}
		return page.Close()
	})
}

func (e *engine) startDispatcher(ctx context.Context) (err error) {
	e.dispatcher, err = e.start(ctx, "dispatcher", 1)
	return err
}

func (e *engine) start(ctx context.Context, role string, relay int, env ...string) (*child, error) {
	b := e.b
	database := string(b.cfg.Database.URL)
	if len(e.relays) > 0 {
		var err error
		if database, err = viaHost(database, e.relays[relay].addr()); err != nil {
			return nil, err
		}
	}
	return b.start(ctx, e.fail, nil, append(env,
		"DATABASE_URL="+database,
		"NATS_URL="+string(b.cfg.Queue.URL),
		"TWITTER_API_KEY="+config.DemoKey,
		"TWITTER_API_URL="+b.cfg.Provider.URL,
		fmt.Sprintf("TWITTER_RATE=%g", b.Rate),
		"GORGONE_TIERS="+e.tiers,
		"GORGONE_DISPATCH_EVERY="+dispatchEvery.String(),
	), role)
}

// stop ends both processes, which must end well, and notes the memory that they used.
func (e *engine) stop(r *results) (err error) {
	for _, c := range []struct {
		*child
		peak *int64
	}{{e.dispatcher, &r.dispatcherMemory}, {e.worker, &r.workerMemory}} {
		if c.child != nil {
			err = errors.Join(err, c.stop())
			*c.peak = max(*c.peak, c.child.peak)
		}
	}
	for _, r := range e.relays {
		r.close()
	}
	return err
}
