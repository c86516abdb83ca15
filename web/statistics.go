package web

import (
	"context"
	"net/http"
	"time"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
)

// depthTime is how long the queue may take to say how full it is; the rest of the
// statistics does not wait longer.
const depthTime = 2 * time.Second

// tracking is how the schedule is doing.
type tracking struct {
	Total    int `json:"total"`
	UltraHot int `json:"ultra_hot"`
	Hot      int `json:"hot"`
	Warm     int `json:"warm"`
	Cold     int `json:"cold"`

	NextBatchSize int        `json:"next_batch_size"` // tweets due and not taken yet
	NextBatchDue  *time.Time `json:"next_batch_due"`  // when the first of them fell due, or will; null: never

	Claimed         int        `json:"claimed"` // due and being looked up
	LatenessSeconds float64    `json:"lateness_seconds"`
	TweetsPerSecond float64    `json:"tweets_per_second"`
	Failing         int        `json:"failing"`
	Missing         int        `json:"missing"`
	Gone            int        `json:"gone"`   // count as deleted
	Parked          int        `json:"parked"` // in zones that are not active
	PausedUntil     *time.Time `json:"paused_until"`
	PauseReason     string     `json:"pause_reason,omitempty"`

	Pauses []heldLane `json:"pauses"` // what people have paused

	Queue     *depth               `json:"queue"`     // null: it can not be reached
	Providers []queue.SourceStatus `json:"providers"` // likewise
}

// heldLane is what somebody has paused.
type heldLane struct {
	Lane   store.PauseLane `json:"lane"`
	Until  *time.Time      `json:"until"` // engine time; null: until somebody resumes it
	Reason string          `json:"reason"`
	By     string          `json:"by"`
	Since  time.Time       `json:"since"` // engine time
}

type depth struct {
	Batches     laneDepth `json:"batches"`
	Refreshes   laneDepth `json:"refreshes"`
	DeadLetters int       `json:"dead_letters"`
}

type laneDepth struct {
	Waiting int `json:"waiting"`
	InHand  int `json:"in_hand"`
}

func laneOf(d queue.LaneDepth) laneDepth { return laneDepth{d.Pending, d.AckPending} }

// statistics answers how the schedule is doing.
func (s *Server) statistics(w http.ResponseWriter, r *request) error {
	stats, err := s.readStatistics(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, triggered{
		Success: true, Message: "statistics", Timestamp: s.parts.Clock.Database(), Tracking: &stats,
	})
}

func (s *Server) readStatistics(ctx context.Context) (tracking, error) {
	stats, err := s.parts.Triggers.Stats(ctx)
	if err != nil {
		return tracking{}, err
	}
	next := stats.OldestDue
	if next.IsZero() {
		next = stats.NextDue
	}
	t := tracking{
		Total:    stats.Total(),
		UltraHot: stats.Tier[engagement.UltraHot], Hot: stats.Tier[engagement.Hot],
		Warm: stats.Tier[engagement.Warm], Cold: stats.Tier[engagement.Cold],
		NextBatchSize: stats.DueUnclaimed, NextBatchDue: moment(next),
		Claimed: stats.DueClaimed, LatenessSeconds: stats.Lateness().Seconds(), TweetsPerSecond: stats.Outstanding.DonePerSecond,
		Failing: stats.Failing, Missing: stats.Missing, Gone: stats.Gone, Parked: stats.Parked,
	}
	if stop, stopped := s.parts.Calls.Stopped(); stopped {
		t.PausedUntil, t.PauseReason = moment(stop.Until), stop.Reason
	}
	pauses, err := s.parts.Pauses.Pauses(ctx)
	if err != nil {
		return tracking{}, err
	}
	t.Pauses = make([]heldLane, len(pauses))
	for i, p := range pauses {
		t.Pauses[i] = heldLane{p.Lane, moment(p.Until), p.Reason, p.By, p.At}
	}
	asking, cancel := context.WithTimeout(ctx, depthTime)
	defer cancel()
	if t.Providers, err = s.parts.Calls.Status(asking); err != nil {
		s.log.Warn().Err(err).Msg("read how the providers are doing")
	}
	if d, err := s.parts.Queue.Depth(asking); err != nil {
		s.log.Warn().Err(err).Msg("read the queue's depth")
	} else {
		t.Queue = &depth{Batches: laneOf(d.Batch), Refreshes: laneOf(d.Refresh), DeadLetters: d.DeadLetters}
	}
	return t, nil
}
