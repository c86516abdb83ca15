// Package dispatcher claims the tweets that are due and publishes them as
// batches for the workers. It never claims more than they can finish in time: a backlog
// stays in Postgres, where it is visible, ordered and cheap. The package also runs the
// housekeeping and the cost control of a schedule, and retries dead letters.
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

	"gorgone/engagement"
	"gorgone/internal/traceparent"
	"gorgone/queue"
	"gorgone/store"
)

const (
	// claimTweets is the maximum number of tweets in one claim transaction; it bounds how
	// long the transaction holds its locks. A dispatch makes as many claims as it needs.
	claimTweets = 5000

	// batchRows is the maximum number of rows in a batch. A tweet that very many zones
	// track spills over into further batches, so that messages stay small.
	batchRows = 1000

	// settleTimeout bounds publishing or releasing a claim, which continues after the
	// dispatcher was told to stop: no claim is left behind.
	settleTimeout = 5 * time.Second

	// minTick is the shortest real time between two dispatches when the clock is sped up.
	minTick = 50 * time.Millisecond

	// backlogSpeedup is how many times sooner than usual the next dispatch starts while due
	// tweets wait, and maxBacklogWait the longest real time until then. Workers that have
	// finished all that was outstanding get more within that time.
	backlogSpeedup = 10
	maxBacklogWait = 500 * time.Millisecond
)

// Source claims due tweets.
type Source interface {
	Claim(ctx context.Context, req store.ClaimRequest) (store.Claimed, error)
	Held(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) ([]uuid.UUID, error)
	Release(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) error
}

// Publisher publishes batches.
type Publisher interface {
	PublishBatches(ctx context.Context, batches []queue.Batch) (refused []uuid.UUID, err error)
}

// Gate reports whether claimed work could be handled now.
type Gate interface {
	// Closed returns why nothing should be claimed now (calls are paused, the queue is
	// unreachable), or "" if something may be.
	Closed() string
}

// Keys tells what may be claimed for each key.
type Keys interface {
	// State is asked for clients that have keys of their own, and for the shared one
	// ([keys.Shared]), whose window and batches are those of [Config].
	State(client uuid.UUID) store.KeyState
}

// Clock tells engine time and database time, and converts engine time to real time.
type Clock interface {
	Now() time.Time
	Database() time.Time
	Real(engine time.Duration) time.Duration
	// Agrees returns an error while it is doubtful whether the time is right.
	Agrees() error
}

// Config configures a [Dispatcher].
type Config struct {
	Every       time.Duration // engine time between two dispatches
	BatchTweets int           // maximum number of tweet ids in a batch
	Window      Window        // bounds outstanding work

	// Keys, if set, says what may be claimed for each key. Without it no client's own key is used.
	Keys Keys
	// Tracer, if set, records every dispatch that publishes batches.
	Tracer trace.Tracer
	// OnDispatch, if set, is called after every dispatch.
	OnDispatch func(Result, error)
}

// Dispatcher claims due tweets and publishes them. Any number may run at once, in one
// process or many; only one of them claims at a time.
type Dispatcher struct {
	cfg       Config
	source    Source
	publisher Publisher
	gate      Gate
	clock     Clock
	log       zerolog.Logger

	unconfirmed unconfirmed
}

// New returns a dispatcher.
func New(cfg Config, source Source, publisher Publisher, gate Gate, clock Clock, log zerolog.Logger) *Dispatcher {
	if cfg.Tracer == nil {
		cfg.Tracer = noop.NewTracerProvider().Tracer("")
	}
	return &Dispatcher{cfg: cfg, source: source, publisher: publisher, gate: gate, clock: clock, log: log}
}

// Result is the result of one dispatch.
type Result struct {
	Tweets   int           // published
	Rows     int           // rows that those tweets serve
	Batches  int           // published
	Claims   []uuid.UUID   // of those batches
	Refused  int           // tweets claimed, refused by the queue and released
	Unsure   int           // of those published, tweets of batches that the queue may not hold
	Parked   int           // due rows of inactive zones, postponed
	Busy     bool          // another dispatcher was claiming
	Closed   string        // why nothing was claimed; "" if something could be
	Limited  bool          // the window left room for fewer tweets than were due
	MoreDue  bool          // due tweets were left for the next dispatch, for whatever reason
	KeyFull  bool          // due tweets were left for a client's own key, which is slower
	Duration time.Duration // real time it took
}

// DispatchOnce claims up to limit due tweets (0: as many as the window allows) and
// publishes them. Batches that the queue refuses are released at once. The result is
// valid even if there is an error.
func (d *Dispatcher) DispatchOnce(ctx context.Context, limit int) (r Result, err error) {
	started := d.clock.Database()
	defer func() {
		r.Duration = max(d.clock.Database().Sub(started), 0) // the clock may be set back
		if d.cfg.OnDispatch != nil {
			d.cfg.OnDispatch(r, err)
		}
	}()
	var refusals error
	for more, first := true, true; more; first = false {
		if r.Closed = d.gate.Closed(); r.Closed != "" {
			return r, nil
		}
		if first {
			r.Unsure, refusals = d.confirm(ctx)
		}
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		n := claimTweets
		if limit > 0 {
			n = min(n, limit-r.Tweets)
		}
		claimed, err := d.source.Claim(ctx, store.ClaimRequest{
			Key:         d.keyState(),
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
		r.KeyFull = claimed.KeyFull
		r.Parked += claimed.Parked
		published := r.Batches
		if err := d.publish(ctx, claimed.Batches, &r); err != nil {
			refusals = errors.Join(refusals, err)
			if r.Batches == published || errors.Is(err, queue.ErrFull) {
				return r, refusals
			}
			// A batch that cannot be published does not stop the others.
		}
		more = claimed.MoreDue && !claimed.Limited && (limit == 0 || r.Tweets < limit)
	}
	return r, refusals
}

// keyState is what a claim asks of keys; nil: nothing.
func (d *Dispatcher) keyState() func(uuid.UUID) store.KeyState {
	if d.cfg.Keys == nil {
		return nil
	}
	return d.cfg.Keys.State
}

// publish publishes claimed batches and releases those that are refused.
func (d *Dispatcher) publish(ctx context.Context, batches []store.Batch, r *Result) error {
	if len(batches) == 0 {
		return nil
	}
	ctx, span := d.cfg.Tracer.Start(context.WithoutCancel(ctx), "publish batches", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.Int("batches", len(batches))))
	defer span.End()
	parent := traceparent.Of(ctx)
	byClaim := make(map[uuid.UUID]store.Batch, len(batches))
	for _, b := range batches {
		byClaim[b.ClaimID] = b
		r.Tweets += len(b.Tweets)
		r.Rows += len(b.Rows())
		r.Claims = append(r.Claims, b.ClaimID)
	}
	r.Batches += len(batches)

	publishing, cancel := context.WithTimeout(ctx, settleTimeout)
	refused, err := d.publisher.PublishBatches(publishing, messages(batches, parent))
	cancel()
	if err != nil {
		if unsure, ok := errors.AsType[*queue.UnconfirmedError](err); ok {
			for _, claim := range unsure.Batches {
				d.unconfirmed.add(byClaim[claim])
				r.Unsure += len(byClaim[claim].Tweets)
			}
		}
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
			err = errors.Join(err, fmt.Errorf("release claim %s (it expires at %s): %w", claim, b.Until.Format(time.RFC3339), e))
		}
	}
	return err
}

func messages(batches []store.Batch, trace string) []queue.Batch {
	out := make([]queue.Batch, len(batches))
	for i, b := range batches {
		out[i] = message(b, trace)
	}
	return out
}

func message(b store.Batch, trace string) queue.Batch {
	m := queue.Batch{
		ID: b.ClaimID, Key: b.Key, Until: b.Until, Tweets: make([]queue.Tweet, len(b.Tweets)), Trace: trace,
		Known: &queue.Known{At: b.At, States: make([]engagement.PriorState, len(b.Tweets))},
	}
	for i, t := range b.Tweets {
		m.Tweets[i] = queue.Tweet{ID: t.TweetID, Rows: t.Rows}
		m.Known.States[i] = t.Prior
	}
	return m
}

// Run dispatches every [Config].Every, and at least twice a second while due tweets wait
// or the gate is closed, until ctx ends. It logs errors and tries again at the next tick.
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
		if err == nil && !r.Busy { // otherwise it is unknown
			d.reportClosed(closed, r.Closed)
			closed = r.Closed
		}
		timer.Reset(d.pause(r))
	}
}

// pause is the real time until the dispatch after one that ended with r. Due tweets wait
// for room in the window, for a closed gate to open, or for the queue to confirm their
// batch: none may take a whole tick to be noticed, because the workers may be idle.
func (d *Dispatcher) pause(r Result) time.Duration {
	wait := d.clock.Real(d.cfg.Every)
	if r.MoreDue || r.KeyFull || r.Closed != "" || r.Unsure > 0 {
		wait = min(wait/backlogSpeedup, maxBacklogWait)
	}
	return max(wait, minTick)
}

// reportClosed logs when the gate closes, when the reason changes, and when the gate
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
	d.log.WithLevel(level).Err(err).Int("tweets", r.Tweets).Int("rows", r.Rows).Int("batches", r.Batches).Int("refused", r.Refused).Int("unsure", r.Unsure).
		Int("parked", r.Parked).Bool("busy", r.Busy).Bool("limited", r.Limited).Bool("more_due", r.MoreDue).
		Str("closed", r.Closed).Dur("took_ms", r.Duration).Msg("dispatch")
}
