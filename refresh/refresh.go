// Package refresh is the one way to have a tweet looked up now. The HTTP route, the command and the retry of a dead
// letter all go through it: it records the request, holds it against the caller's limits and the day's budget, puts
// one message into the queue, and waits for the answer.
package refresh

import (
	"context"
	"errors"
	"fmt"
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
	"gorgone/throttle"
)

const (
	// Life is the real time in which a request may be answered: as long as the queue keeps its message.
	Life = time.Minute

	// Fresh is the age, in engine time, below which an observation answers a request without a look-up.
	Fresh = 15 * time.Second

	// pollEvery is how often a request's row is read while waiting, in case the event of its end was lost.
	pollEvery = time.Second

	// cancelTime bounds the removal of a request that the queue did not take.
	cancelTime = 5 * time.Second
)

// ErrQueueUnavailable is wrapped by the error for a request that was not made because the queue could not be reached.
var ErrQueueUnavailable = errors.New("the queue cannot be reached")

// StoppedError is returned when no call to the provider will be made in time.
type StoppedError struct {
	Cause  engagement.FailureCause
	Reason string
	After  time.Duration // real time until calls may be made again; zero or less: not known
}

func (e *StoppedError) Error() string { return "calls to the provider are stopped: " + e.Reason }

// Requests records requests. [store.Store] does.
type Requests interface {
	OpenRefresh(ctx context.Context, r store.RequestRefresh) (request store.RefreshRequest, fresh bool, err error)
	CancelRefresh(ctx context.Context, id uuid.UUID) error
	RefreshRequest(ctx context.Context, id uuid.UUID) (store.RefreshRequest, error)
}

// Queue carries requests to the workers and announces their results. [queue.Queue] does.
type Queue interface {
	PublishRefresh(ctx context.Context, r queue.Refresh) (coalesced bool, err error)
	WatchResults(ctx context.Context, tweetID string) (results <-chan queue.RefreshResult, stop func(), err error)
}

// Calls reports whether calls for the tweets of a zone are stopped, and why.
type Calls interface {
	StoppedIn(zone uuid.UUID) (stop throttle.Stop, stopped bool)
}

// Clock tells engine time and database time.
type Clock interface {
	Now() time.Time
	Database() time.Time
}

// Service makes refresh requests. It has no state of its own, so any number may be used at once.
type Service struct {
	Requests Requests
	Queue    Queue
	Calls    Calls // nil: a worker that cannot make a call says so
	Clock    Clock
	Tracer   trace.Tracer // nil: nothing is traced
	Log      zerolog.Logger
}

// Caller is who a refresh is made for.
type Caller struct {
	Name   string       // unique among all callers, such as "user:<id>"
	Limits store.Limits // zero fields do not limit
}

// Request asks for one tweet to be looked up now.
type Request struct {
	Tweets []store.Tweet // rows of the tweet; the request names the first that is tracked in an active zone
	Caller Caller
	Force  bool // look the tweet up although it was looked up less than Fresh ago
	Detail bool // Do also waits for the event that says what changed in each row
}

// Result is how a request stands.
type Result struct {
	Row       uuid.UUID            // the row that the request names
	Cached    bool                 // the row was looked up less than Fresh ago; no request was made
	Coalesced bool                 // the look-up of an earlier request answers this one too
	Request   store.RefreshRequest // zero when Cached
	Done      queue.RefreshResult  // only with Detail, of a request that has ended
}

// Do makes a request and waits at most wait for its end. A request that has not ended by then has
// [engagement.RequestOpen]; it is still looked up, and its row tells the answer later.
//
// The errors are those of [Service.Submit], and a [*StoppedError].
func (s *Service) Do(ctx context.Context, r Request, wait time.Duration) (Result, error) {
	if row, ok := s.cached(r); ok {
		return Result{Row: row, Cached: true}, nil
	}
	if len(r.Tweets) == 0 {
		return Result{}, store.ErrTweetNotFound
	}
	if err := s.stopped(r.Tweets[0].ZoneID, wait); err != nil {
		return Result{}, err
	}
	// Subscribe first: the answer may come before the publication returns.
	events, stop, err := s.Queue.WatchResults(ctx, r.Tweets[0].TweetID)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrQueueUnavailable, err)
	}
	defer stop()
	result, err := s.Submit(ctx, r)
	if err != nil || result.Cached {
		return result, err
	}
	err = s.await(ctx, &result, events, wait, r.Detail)
	return result, err
}

// Submit makes a request without waiting for its end.
//
// The error wraps [store.ErrTweetNotFound], [store.ErrNotTracked], [queue.ErrFull], [ErrQueueUnavailable] or a
// [*store.LimitError]; after each of them no request is left.
func (s *Service) Submit(ctx context.Context, r Request) (Result, error) {
	if row, ok := s.cached(r); ok {
		return Result{Row: row, Cached: true}, nil
	}
	err := store.ErrTweetNotFound
	for _, tweet := range r.Tweets {
		var result Result
		if result, err = s.submit(ctx, r, tweet); !errors.Is(err, store.ErrNotTracked) {
			return result, err
		}
	}
	return Result{}, err
}

// cached returns the first row that needs no look-up, if there is one.
func (s *Service) cached(r Request) (row uuid.UUID, ok bool) {
	for _, t := range r.Tweets {
		at := t.Tracking.ObservedAt
		if age := s.Clock.Now().Sub(at); !r.Force && t.Tracked && !at.IsZero() && age >= 0 && age < Fresh {
			return t.Row, true
		}
	}
	return uuid.Nil, false
}

// stopped returns why no call will be made within the wait, if that is known.
func (s *Service) stopped(zone uuid.UUID, wait time.Duration) error {
	if s.Calls == nil {
		return nil
	}
	stop, stopped := s.Calls.StoppedIn(zone)
	left := stop.Until.Sub(s.Clock.Database())
	if !stopped || stop.Cause == engagement.CauseRateLimited && left < wait {
		return nil // a short pause is waited out
	}
	return &StoppedError{Cause: stop.Cause, Reason: stop.Reason, After: left}
}

// submit records a request for one row and publishes it.
func (s *Service) submit(ctx context.Context, r Request, tweet store.Tweet) (Result, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Result{}, fmt.Errorf("make a request id: %w", err)
	}
	open := store.RequestRefresh{
		ID: id, Row: tweet.Row, Requester: r.Caller.Name, Limits: r.Caller.Limits, Wait: Life, Fresh: Fresh,
	}
	if r.Force {
		open.Fresh = 0
	}
	result := Result{Row: tweet.Row}
	if result.Request, result.Cached, err = s.Requests.OpenRefresh(ctx, open); err != nil || result.Cached {
		return result, err
	}
	tracer := s.Tracer
	if tracer == nil {
		tracer = noop.NewTracerProvider().Tracer("")
	}
	ctx, span := tracer.Start(ctx, "ask for a refresh", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.Stringer("request", id)))
	defer span.End()
	result.Coalesced, err = s.Queue.PublishRefresh(ctx, queue.Refresh{
		RequestID: id, TweetID: tweet.TweetID, RequestedAt: result.Request.RequestedAt, Deadline: result.Request.Deadline,
		Trace: traceparent.Of(ctx),
	})
	if err == nil {
		return result, nil
	}
	cancelling, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	if e := s.Requests.CancelRefresh(cancelling, id); e != nil {
		s.Log.Warn().Err(e).Msg("a refresh request that was not published stays until it expires")
	}
	if !errors.Is(err, queue.ErrFull) && ctx.Err() == nil {
		// Not connected, or a stream without a leader: it did not take the message, and may soon.
		err = fmt.Errorf("%w: %w", ErrQueueUnavailable, err)
	}
	return Result{}, err
}

// await fills in how a request stands when it ends or when the wait is over.
func (s *Service) await(ctx context.Context, result *Result, events <-chan queue.RefreshResult, wait time.Duration, detail bool) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	heard := false
	for over := wait <= 0; ; {
		if !over {
			select {
			case result.Done = <-events:
				heard = true
			case <-tick.C:
			case <-timer.C:
				over = true
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		var err error
		if result.Request, err = s.Requests.RefreshRequest(ctx, result.Request.ID); err != nil {
			return err
		}
		if ended := result.Request.Outcome != engagement.RequestOpen; over || ended {
			if ended && detail && !heard {
				result.Done = awaitEvent(ctx, result.Request, events)
			}
			return nil
		}
	}
}

// awaitEvent returns the event of a request that has ended, which follows its end within moments. Of a lost event
// only what the row tells is known.
func awaitEvent(ctx context.Context, r store.RefreshRequest, events <-chan queue.RefreshResult) queue.RefreshResult {
	lost := time.NewTimer(pollEvery)
	defer lost.Stop()
	select {
	case done := <-events:
		return done
	case <-lost.C:
	case <-ctx.Done():
	}
	return queue.RefreshResult{
		V: 1, TweetID: r.TweetID, RequestIDs: []uuid.UUID{r.ID}, Outcome: r.Outcome,
		Cause: engagement.FailureCause(r.Cause), Reason: r.Reason, RetryAt: r.RetryAt,
	}
}
