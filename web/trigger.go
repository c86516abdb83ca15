package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"gorgone/dispatcher"
	"gorgone/queue"
	"gorgone/store/access"
	"gorgone/store/postgres"
	"gorgone/store/report"
	"gorgone/web/auth"
)

const (
	defaultLimit = 1000
	maxLimit     = 10_000
	maxWait      = 2 * time.Minute

	// dispatchTimeout bounds a dispatch.
	dispatchTimeout = 30 * time.Second

	// progressEvery is how often the progress of batches is read.
	progressEvery = 200 * time.Millisecond
)

// triggered is the response to a trigger.
type triggered struct {
	Success   bool         `json:"success"`
	Message   string       `json:"message"`
	Skipped   string       `json:"skipped,omitempty"` // why nothing was dispatched
	Timestamp time.Time    `json:"timestamp"`
	Batch     *batchResult `json:"batch_result,omitempty"`
	API       *apiStats    `json:"api_stats,omitempty"`
	Tracking  *tracking    `json:"tracking_stats,omitempty"`
}

// batchResult is the result of a dispatch.
type batchResult struct {
	Total      int     `json:"total"`      // tweets that were claimed
	Dispatched int     `json:"dispatched"` // of those, published
	Batches    int     `json:"batches"`
	Skipped    int     `json:"skipped"`     // claimed and not published, or released since
	DurationMS int64   `json:"duration_ms"` // deprecated: Duration, by the name that the replaced system gave it
	Duration   float64 `json:"duration_seconds"`

	// Only when the caller waits.
	Successful *int  `json:"successful,omitempty"`
	Failed     *int  `json:"failed,omitempty"`
	Complete   *bool `json:"complete,omitempty"` // false: the wait ended before all were answered
}

type apiStats struct {
	Calls         int     `json:"calls"`
	TweetsPerCall float64 `json:"tweets_per_call"`
	AvgLatencyMS  float64 `json:"avg_latency_ms"` // deprecated: AvgLatency, by the name that the replaced system gave it
	AvgLatency    float64 `json:"avg_latency_seconds"`
}

// trigger dispatches what is due.
func (s *Server) trigger(w http.ResponseWriter, r *request) error {
	asked := struct {
		Limit *int `json:"limit"`
	}{}
	if err := r.readTrigger(&asked); err != nil {
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
	if err := extendDeadlines(w, dispatchTimeout+wait); err != nil {
		return err
	}
	message, err := r.messageID()
	if err != nil {
		return err
	}
	if message == "" {
		answer, err := s.dispatch(r.Context(), limit, wait)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, answer)
	}
	return s.triggerOnce(w, r, message, limit, wait)
}

// readTrigger decodes the body of a trigger into v. What else a schedule of QStash's sends
// is ignored: it can be another program's, and would otherwise dispatch nothing, for good.
func (r *request) readTrigger(v any) error {
	err := readJSON(r.body, v)
	if err == nil || r.caller.Kind != auth.KindQStash {
		return err
	}
	if json.Unmarshal(r.body, v) != nil {
		return err
	}
	r.server.log.Warn().Str("request", noteOf(r.Context()).id).Str("schedule", r.caller.Message.ScheduleID).AnErr("detail", err).
		Msg("a schedule of QStash sends another body than gorgone qstash sync; only its limit is used")
	return nil
}

// messageID identifies a trigger that is delivered again; "" when it has no id. Ids are
// separate for each caller.
func (r *request) messageID() (string, error) {
	id := r.Header.Get(auth.HeaderMessageID)
	if r.caller.Message != nil {
		id = r.caller.Message.ID
	}
	switch {
	case id == "" || len(id) > 256:
		return "", nil
	case !utf8.ValidString(id):
		return "", badRequest("the header %s is not UTF-8", auth.HeaderMessageID)
	}
	return string(r.caller.Kind) + ":" + r.caller.Name + ":" + id, nil
}

// triggerOnce runs a trigger that has an id, or responds as it did the first time.
func (s *Server) triggerOnce(w http.ResponseWriter, r *request, message string, limit int, wait time.Duration) error {
	given, err := s.parts.Triggers.BeginTrigger(r.Context(), message, dispatchTimeout+maxWait)
	switch {
	case errors.Is(err, access.ErrTriggerRunning):
		return writeJSON(w, http.StatusOK, s.skipped("busy", "this message is being handled"))
	case err != nil:
		return err
	case given != nil:
		w.Header().Set("Idempotent-Replayed", "true")
		return writeJSON(w, http.StatusOK, given)
	}
	answer, err := s.dispatch(r.Context(), limit, wait)
	var kept json.RawMessage // nil: the message may be retried
	if err == nil || answer.Batch != nil {
		// The dispatch stands even if the caller did not wait for its end: the same
		// message must not dispatch more.
		var encoding error
		kept, encoding = json.Marshal(answer)
		err = errors.Join(err, encoding)
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), retryUnavailable)
	defer cancel()
	if e := s.parts.Triggers.EndTrigger(ending, message, kept); e != nil {
		s.log.Error().Err(e).Msg("recording the response to a trigger failed")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, kept)
}

func (s *Server) skipped(why, message string) triggered {
	return triggered{Success: true, Message: message, Skipped: why, Timestamp: s.parts.Clock.Database()}
}

// dispatch does the work of a trigger. Its answer says what was dispatched even with an
// error, if anything was.
func (s *Server) dispatch(ctx context.Context, limit int, wait time.Duration) (triggered, error) {
	if !s.parts.Connection.Connected() {
		return triggered{}, queueUnavailable(nil)
	}
	dispatching, cancel := context.WithTimeout(ctx, dispatchTimeout)
	defer cancel()
	result, err := s.parts.Dispatcher.DispatchOnce(dispatching, limit)
	// Batches that a full queue refused fall due again.
	if err != nil && !errors.Is(err, queue.ErrFull) {
		if !postgres.Unavailable(err) && !s.parts.Connection.Connected() {
			return triggered{}, queueUnavailable(err)
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
			Skipped: result.Refused, DurationMS: result.Duration.Milliseconds(), Duration: result.Duration.Seconds(),
		},
	}
	if wait > 0 {
		if err := s.await(ctx, result.Claims, wait, &answer); err != nil {
			return answer, err
		}
	}
	stats, err := s.readStatistics(ctx, sight{operations: true})
	if err != nil {
		return answer, err
	}
	answer.Tracking, answer.Timestamp = &stats, s.parts.Clock.Database()
	return answer, nil
}

func (s *Server) notDispatched(r dispatcher.Result) triggered {
	if r.Busy {
		return s.skipped("busy", "another dispatch is in progress")
	}
	return s.skipped("paused", r.Closed)
}

// await waits until the batches are answered, at most for wait.
func (s *Server) await(ctx context.Context, claims []uuid.UUID, wait time.Duration, answer *triggered) error {
	started := time.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for over := false; ; {
		p, err := s.parts.Reports.BatchProgress(ctx, claims)
		if err != nil {
			return err
		}
		if p.Open == 0 || over {
			answer.add(p, p.Open == 0)
			answer.Batch.DurationMS += time.Since(started).Milliseconds()
			answer.Batch.Duration += time.Since(started).Seconds()
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

// add fills in the results of the batches.
func (t *triggered) add(p report.BatchProgress, complete bool) {
	failed := p.Missing + p.Unresolved
	t.Batch.Successful, t.Batch.Failed, t.Batch.Complete = &p.Found, &failed, &complete
	t.Batch.Skipped += p.Skipped + p.Abandoned
	t.API = &apiStats{Calls: p.Calls.Count}
	if n := float64(p.Calls.Count); n > 0 {
		t.API.TweetsPerCall = float64(p.Found+p.Missing+p.Unresolved) / n
		t.API.AvgLatency = p.Calls.Time.Seconds() / n
		t.API.AvgLatencyMS = 1000 * t.API.AvgLatency
	}
}
