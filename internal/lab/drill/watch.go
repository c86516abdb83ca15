package drill

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// watchEvery is how often processes are looked at.
const watchEvery = time.Second

// watch follows what is only to be seen while it happens, until ctx ends.
func (w *world) watch(ctx context.Context) {
	w.watchers.Go(func() { w.pauses.follow(ctx, w) })
	w.watchers.Go(func() {
		for sleep(ctx, countEvery) {
			w.points.count(ctx, w)
		}
	})
	w.watchers.Go(func() {
		for sleep(ctx, watchEvery) {
			w.samples.take(w)
		}
	})
}

// countEvery is how often the points of history are counted.
const countEvery = 4 * time.Second

// pointCounts is how many points history had, now and then. It is safe for concurrent use.
type pointCounts struct {
	mu   sync.Mutex
	list []int
}

// count counts the points, if the database answers.
func (p *pointCounts) count(ctx context.Context, w *world) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	// One whose commit was called off while it waited for the standby sees its rows, as all
	// do, before the standby has them. A commit after it is waited for here.
	const sql = `select count(*), pg_current_xact_id()::text from public.twitter_engagement_history`
	var n int
	var commit string
	if err := w.sql.QueryRow(ctx, sql).Scan(&n, &commit); err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.list) - 1; last >= 0 && n < p.list[last] {
		w.Log.Error().Int("points", n).Int("before", p.list[last]).Msg("history lost points") // see the plan for why
	}
	p.list = append(p.list, n)
}

func (p *pointCounts) all() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int(nil), p.list...)
}

// written is a pause as it was shared: all calls rest until its end.
type written struct {
	at, until time.Time
	reason    string
}

// pauses are those that were written. It is safe for concurrent use.
type pauses struct {
	mu   sync.Mutex
	list []written
}

// pauseBucket is where the engine shares its pauses.
const pauseBucket = "ENG_PAUSE"

// follow notes every pause until ctx ends. What was written while the server was
// away is found when it is back, unless another pause has taken its place.
func (p *pauses) follow(ctx context.Context, w *world) {
	for ctx.Err() == nil {
		if err := p.watch(ctx, w); err != nil && ctx.Err() == nil {
			w.Log.Debug().Err(err).Msg("pauses not followed")
			sleep(ctx, 100*time.Millisecond)
		}
	}
}

func (p *pauses) watch(ctx context.Context, w *world) error {
	js, err := jetstream.New(w.nats)
	if err != nil {
		return err
	}
	opening, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	bucket, err := js.KeyValue(opening, pauseBucket)
	if err != nil {
		return err
	}
	watcher, err := bucket.WatchAll(ctx)
	if err != nil {
		return err
	}
	defer watcher.Stop() //nolint:errcheck // it fails when the connection is gone
	for {
		select {
		case <-ctx.Done():
			return nil
		case entry, ok := <-watcher.Updates():
			if !ok {
				return context.Cause(ctx)
			}
			if entry != nil {
				p.note(entry)
			}
		}
	}
}

func (p *pauses) note(entry jetstream.KeyValueEntry) {
	var e struct {
		Until  int64  `json:"until_ms"`
		Reason string `json:"reason"`
	}
	if json.Unmarshal(entry.Value(), &e) != nil || e.Until == 0 {
		return // not a pause
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, written{at: entry.Created(), until: time.UnixMilli(e.Until), reason: e.Reason})
}

func (p *pauses) all() []written {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]written(nil), p.list...)
}
