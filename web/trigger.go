package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"gorgone/dispatcher"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/web/auth"
)

const (
	defaultLimit = 1000
	maxLimit     = 10_000
	maxWait      = 2 * time.Minute

	// dispatchTime is how long a dispatch may take.
	dispatchTime = 30 * time.Second

	// progressEvery is how often it is looked whether batches are answered.
	progressEvery = 200 * time.Millisecond
)

// triggered is the answer to a trigger.
type triggered struct {
	Success   bool         `json:"success"`
	Message   string       `json:"message"`
	Skipped   string       `json:"skipped,omitempty"` // why nothing was dispatched
	Timestamp time.Time    `json:"timestamp"`
	Batch     *batchResult `json:"batch_result,omitempty"`
	API       *apiStats    `json:"api_stats,omitempty"`
	Tracking  *tracking    `json:"tracking_stats,omitempty"`
}

// batchResult is what became of what was due.
type batchResult struct {
	Total      int   `json:"total"`      // tweets that were taken
	Dispatched int   `json:"dispatched"` // of those, handed to the workers
	Batches    int   `json:"batches"`
	Skipped    int   `json:"skipped"` // taken and not handed over, or given back since
	DurationMS int64 `json:"duration_ms"`

	// Only when it was waited for.
	Successful *int  `json:"successful,omitempty"`
	Failed     *int  `json:"failed,omitempty"`
	Complete   *bool `json:"complete,omitempty"` // false: the wait was over before all was answered
}

type apiStats struct {
	Calls         int     `json:"calls"`
	TweetsPerCall float64 `json:"tweets_per_call"`
	AvgLatencyMS  float64 `json:"avg_latency_ms"`
}

// trigger has what is due looked up now.
func (s *Server) trigger(w http.ResponseWriter, r *request) error {
	asked := struct {
		Limit *int `json:"limit"`
	}{}
	if err := readJSON(r.body, &asked); err != nil {
		return err
	}
	limit := defaultLimit
	if asked.Limit != nil {
		limit = *asked.Limit
	}
	if limit < 1 || limit > maxLimit {
		return badRequest("limit is %d, want 1 to %d", limit, maxLimit)
	}
	wait, err := r.duration("wait", 0, 0, maxWait)
	if err != nil {
		return err
	}
	if err := takeTime(w, dispatchTime+wait); err != nil {
		return err
	}
	message := r.messageID()
	if message == "" {
		answer, err := s.dispatch(r.Context(), limit, wait)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, answer)
	}
	return s.triggerOnce(w, r, message, limit, wait)
}

// messageID is what a trigger is known by when it comes again; "" when it has
// none. Each caller's are its own.
func (r *request) messageID() string {
	id := r.Header.Get(auth.HeaderMessageID)
	if r.caller.Message != nil {
		id = r.caller.Message.ID
	}
	if id == "" || len(id) > 256 {
		return ""
	}
	return string(r.caller.Kind) + ":" + r.caller.Name + ":" + id
}

// triggerOnce runs a trigger that has an id, unless that was done before; then it
// gives the answer of that time.
func (s *Server) triggerOnce(w http.ResponseWriter, r *request, message string, limit int, wait time.Duration) error {
	given, err := s.parts.Triggers.BeginTrigger(r.Context(), message, dispatchTime+maxWait)
	switch {
	case errors.Is(err, store.ErrTriggerRunning):
		return writeJSON(w, http.StatusOK, s.skipped("busy", "this message is being worked on"))
	case err != nil:
		return err
	case given != nil:
		w.Header().Set("Idempotent-Replayed", "true")
		return writeJSON(w, http.StatusOK, given)
	}
	answer, err := s.dispatch(r.Context(), limit, wait)
	var kept json.RawMessage // nil: it may come again
	if err == nil || answer.Batch != nil {
		// What was dispatched stays dispatched, even if the caller did not wait for
		// its end: the same message must not dispatch more.
		var encoding error
		kept, encoding = json.Marshal(answer)
		err = errors.Join(err, encoding)
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), retryUnavailable)
	defer cancel()
	if e := s.parts.Triggers.EndTrigger(ending, message, kept); e != nil {
		s.log.Error().Err(e).Msg("the answer to a trigger was not kept")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, kept)
}

func (s *Server) skipped(why, message string) triggered {
	return triggered{Success: true, Message: message, Skipped: why, Timestamp: s.parts.Clock.Database()}
}

// dispatch does the work of a trigger. With an error its answer tells what was
// dispatched all the same, if anything was.
func (s *Server) dispatch(ctx context.Context, limit int, wait time.Duration) (triggered, error) {
	if !s.parts.Connection.Connected() {
		return triggered{}, queueAway(nil)
	}
	dispatching, cancel := context.WithTimeout(ctx, dispatchTime)
	defer cancel()
	result, err := s.parts.Dispatcher.DispatchOnce(dispatching, limit)
	// Batches refused because the queue is full fall due again by themselves.
	if err != nil && !errors.Is(err, queue.ErrFull) {
		if !store.Unavailable(err) && !s.parts.Connection.Connected() {
			return triggered{}, queueAway(err)
		}
		return triggered{}, err
	}
	if result.Tweets == 0 && (result.Busy || result.Closed != "") {
		return s.notDispatched(result), nil
	}
	answer := triggered{
		Success: true, Timestamp: s.parts.Clock.Database(),
		Message: fmt.Sprintf("dispatched %d tweets in %d batches", result.Tweets, result.Batches),
		Batch: &batchResult{
			Total: result.Tweets + result.Refused, Dispatched: result.Tweets, Batches: result.Batches,
			Skipped: result.Refused, DurationMS: result.Duration.Milliseconds(),
		},
	}
	if wait > 0 {
		if err := s.await(ctx, result.Claims, wait, &answer); err != nil {
			return answer, err
		}
	}
	stats, err := s.readStatistics(ctx)
	if err != nil {
		return answer, err
	}
	answer.Tracking, answer.Timestamp = &stats, s.parts.Clock.Database()
	return answer, nil
}

func (s *Server) notDispatched(r dispatcher.Result) triggered {
	if r.Busy {
		return s.skipped("busy", "another dispatch is under way")
	}
	return s.skipped("paused", r.Closed)
}

// await waits until the batches are answered, at most for the given time.
func (s *Server) await(ctx context.Context, claims []uuid.UUID, wait time.Duration, answer *triggered) error {
	started := time.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for over := false; ; {
		p, err := s.parts.Triggers.BatchProgress(ctx, claims)
		if err != nil {
			return err
		}
		if p.Open == 0 || over {
			answer.add(p, p.Open == 0)
			answer.Batch.DurationMS += time.Since(started).Milliseconds()
			return nil
		}
		select {
		case <-tick.C:
		case <-timer.C:
			over = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// add fills in what became of the batches.
func (t *triggered) add(p store.BatchProgress, complete bool) {
	failed := p.Missing + p.Unresolved
	t.Batch.Successful, t.Batch.Failed, t.Batch.Complete = &p.Found, &failed, &complete
	t.Batch.Skipped += p.Skipped + p.Abandoned
	t.API = &apiStats{Calls: p.Calls.Count}
	if n := float64(p.Calls.Count); n > 0 {
		t.API.TweetsPerCall = float64(p.Found+p.Missing+p.Unresolved) / n
		t.API.AvgLatencyMS = float64(p.Calls.Time) / float64(time.Millisecond) / n
	}
}
