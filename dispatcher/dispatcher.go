// Package dispatcher claims the tweets that are due and publishes them as
// batches for the workers. It never claims more than they can finish in time:
// a backlog stays in Postgres, where it is visible, ordered and cheap.
package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"gorgone/internal/traceparent"
	"gorgone/queue"
	"gorgone/store"
)

const (
	// chunk is how many tweets one claim takes at most; it bounds how long the
	// claim's transaction holds its locks. A dispatch makes as many claims as it
	// needs.
	chunk = 5000

	// batchRows is how many rows a batch holds at most. A tweet tracked in very
	// many zones spills over into more batches, so that messages stay small.
	batchRows = 1000

	// settleTimeout is how long publishing a claim, or giving it back, may take.
	// It runs on after the dispatcher was told to stop: a claim that was made is
	// not left behind.
	settleTimeout = 5 * time.Second

	// minTick is the shortest time between two dispatches of a sped-up clock.
	minTick = 50 * time.Millisecond

	// hurry is how much sooner than usual the next dispatch comes when due
	// tweets were left behind.
	hurry = 10
)

// Source is where due tweets are claimed.
type Source interface {
	Claim(ctx context.Context, req store.ClaimRequest) (store.Claimed, error)
	Release(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) error
}

// Publisher is where batches go.
type Publisher interface {
	PublishBatches(ctx context.Context, batches []queue.Batch) (refused []uuid.UUID, err error)
}

// Gate tells whether claimed work could be worked on now.
type Gate interface {
	// Closed returns why nothing should be claimed now (calls are paused, the
	// queue is away), or "" when all is well.
	Closed() string
}

// Clock converts the schedule's time to real time.
type Clock interface {
	Now() time.Time
	Database() time.Time
	Real(engine time.Duration) time.Duration
}

// Config says how the dispatcher works.
type Config struct {
	Every       time.Duration // engine time between two dispatches
	BatchTweets int           // tweet ids a batch, at most
	Window      Window        // how much may be outstanding

	// Tracer, if set, records every dispatch that publishes something.
	Tracer trace.Tracer
	// OnDispatch, if set, is told of every dispatch when it is over.
	OnDispatch func(Result, error)
}

// Dispatcher claims and publishes. Any number may run at once, in one process or
// many: one of them claims at a time.
type Dispatcher struct {
	cfg       Config
	source    Source
	publisher Publisher
	gate      Gate
	clock     Clock
	log       zerolog.Logger
}

// New returns a dispatcher.
func New(cfg Config, source Source, publisher Publisher, gate Gate, clock Clock, log zerolog.Logger) *Dispatcher {
	if cfg.Tracer == nil {
		cfg.Tracer = noop.NewTracerProvider().Tracer("")
	}
	return &Dispatcher{cfg: cfg, source: source, publisher: publisher, gate: gate, clock: clock, log: log}
}

// Result is what one dispatch did.
type Result struct {
	Tweets   int           // published
	Rows     int           // rows that those tweets serve
	Batches  int           // published
	Claims   []uuid.UUID   // of those batches
	Refused  int           // tweets claimed, refused by the queue and given back
	Parked   int           // due rows of inactive zones, put off
	Busy     bool          // another dispatcher was claiming
	Closed   string        // why nothing was claimed; "" when something could be
	Limited  bool          // the workers had enough to do
	MoreDue  bool          // due tweets were left for the next dispatch
	Duration time.Duration // real time it took
}

// DispatchOnce claims what is due, at most limit tweets (0: as many as the
// workers can take), and publishes it. What the queue refuses is given back at
// once. The result tells what was done also when there is an error.
func (d *Dispatcher) DispatchOnce(ctx context.Context, limit int) (r Result, err error) {
	started := d.clock.Database()
	defer func() {
		r.Duration = max(d.clock.Database().Sub(started), 0) // a clock may be set back
		if d.cfg.OnDispatch != nil {
			d.cfg.OnDispatch(r, err)
		}
	}()
	var refusals error
	for more := true; more; {
		if r.Closed = d.gate.Closed(); r.Closed != "" {
			return r, nil
		}
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		n := chunk
		if limit > 0 {
			n = min(n, limit-r.Tweets)
		}
		claimed, err := d.source.Claim(ctx, store.ClaimRequest{
			Tweets:      n,
			BatchTweets: d.cfg.BatchTweets,
			BatchRows:   batchRows,
			Lease:       d.cfg.Window.Lease,
			Allowance: func(o store.Outstanding) int {
				return d.cfg.Window.Allowance(o.Tweets, o.DonePerSecond)
			},
		})
		if err != nil {
			return r, fmt.Errorf("claim due tweets: %w", err)
		}
		r.Closed, r.Busy, r.Limited, r.MoreDue = claimed.Closed, claimed.Busy, claimed.Limited, claimed.MoreDue
		r.Parked += claimed.Parked
		published := r.Batches
		if err := d.publish(ctx, claimed.Batches, &r); err != nil {
			refusals = errors.Join(refusals, err)
			if r.Batches == published || errors.Is(err, queue.ErrFull) {
				return r, refusals
			}
			// One batch that cannot be published does not stop the others.
		}
		more = claimed.MoreDue && !claimed.Limited && (limit == 0 || r.Tweets < limit)
	}
	return r, refusals
}

// publish puts claimed batches into the queue and gives back what is refused.
func (d *Dispatcher) publish(ctx context.Context, batches []store.Batch, r *Result) error {
	if len(batches) == 0 {
		return nil
	}
	ctx, span := d.cfg.Tracer.Start(context.WithoutCancel(ctx), "publish batches", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.Int("batches", len(batches))))
	defer span.End()
	parent := traceparent.Of(ctx)
	messages := make([]queue.Batch, len(batches))
	byClaim := make(map[uuid.UUID]store.Batch, len(batches))
	for i, b := range batches {
		messages[i] = message(b)
		messages[i].Trace = parent
		byClaim[b.ClaimID] = b
		r.Tweets += len(b.Tweets)
		r.Rows += len(b.Rows())
		r.Claims = append(r.Claims, b.ClaimID)
	}
	r.Batches += len(batches)

	publishing, cancel := context.WithTimeout(ctx, settleTimeout)
	refused, err := d.publisher.PublishBatches(publishing, messages)
	cancel()
	if err != nil {
		err = fmt.Errorf("publish %d batches (%d refused): %w", len(batches), len(refused), err)
	}
	releasing, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for _, claim := range refused {
		b := byClaim[claim]
		r.Batches--
		r.Tweets -= len(b.Tweets)
		r.Rows -= len(b.Rows())
		r.Refused += len(b.Tweets)
		r.Claims = slices.DeleteFunc(r.Claims, func(id uuid.UUID) bool { return id == claim })
		if e := d.source.Release(releasing, claim, b.Rows()); e != nil {
			err = errors.Join(err, fmt.Errorf("give back claim %s (it ends by itself at %s): %w", claim, b.Until.Format(time.RFC3339), e))
		}
	}
	return err
}

func message(b store.Batch) queue.Batch {
	m := queue.Batch{ID: b.ClaimID, Until: b.Until, Tweets: make([]queue.Tweet, len(b.Tweets))}
	for i, t := range b.Tweets {
		m.Tweets[i] = queue.Tweet{ID: t.TweetID, Rows: t.Rows}
	}
	return m
}

// Run dispatches every [Config].Every, and sooner while due tweets are left
// behind, until ctx ends. Faults are logged and the next tick tries again.
func (d *Dispatcher) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	closed := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		r, err := d.DispatchOnce(ctx, 0)
		if ctx.Err() != nil {
			return
		}
		d.report(r, err)
		if err == nil && !r.Busy { // else it is not known
			d.reportClosed(closed, r.Closed)
			closed = r.Closed
		}
		wait := d.clock.Real(d.cfg.Every)
		if r.MoreDue && r.Tweets > 0 {
			wait /= hurry
		}
		timer.Reset(max(wait, minTick))
	}
}

// reportClosed logs when dispatching closes, for another reason too, and when it
// opens again.
func (d *Dispatcher) reportClosed(was, now string) {
	switch {
	case was == now:
	case now != "":
		d.log.Info().Str("closed", now).Msg("dispatching is closed: what is due waits")
	default:
		d.log.Info().Str("was_closed", was).Msg("dispatching goes on")
	}
}

func (d *Dispatcher) report(r Result, err error) {
	level := zerolog.DebugLevel
	switch {
	case errors.Is(err, queue.ErrFull):
		level = zerolog.WarnLevel
	case err != nil:
		level = zerolog.ErrorLevel
	case r.Tweets > 0 || r.Parked > 0:
		level = zerolog.InfoLevel
	}
	d.log.WithLevel(level).Err(err).Int("tweets", r.Tweets).Int("rows", r.Rows).Int("batches", r.Batches).Int("refused", r.Refused).
		Int("parked", r.Parked).Bool("busy", r.Busy).Bool("limited", r.Limited).Bool("more_due", r.MoreDue).
		Str("closed", r.Closed).Dur("took_ms", r.Duration).Msg("dispatch")
}
