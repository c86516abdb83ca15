package web

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"gorgone/throttle"
	"gorgone/web/answers"
	"gorgone/web/auth"
)

// depthTimeout bounds the wait for the queue's depth, without which the statistics are
// returned.
const depthTimeout = 2 * time.Second

// tracking is the state of the schedule.
type tracking struct {
	answers.Schedule

	PausedUntil *time.Time `json:"paused_until"`
	PauseReason string     `json:"pause_reason,omitempty"`

	Pauses  []answers.Pause  `json:"pauses"` // by operators
	Budgets []answers.Budget `json:"budgets"`

	Queue     *answers.Depth            `json:"queue"`     // null: it cannot be reached, or the caller may not operate
	Providers []throttle.ProviderStatus `json:"providers"` // likewise
}

// statistics responds with the state of the schedule.
func (s *Server) statistics(w http.ResponseWriter, r *request) error {
	sight, err := r.sight()
	if err != nil {
		return err
	}
	stats, err := s.readStatistics(r.Context(), sight)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, triggered{
		Success: true, Message: "statistics", Timestamp: s.parts.Clock.Database(), Tracking: &stats,
	})
}

// sight is how much of the engine a caller sees: the counts of some zones (nil: of all),
// and operations, which are of all.
type sight struct {
	zones      []uuid.UUID
	operations bool
}

// sight returns what the caller sees. Who may operate sees everything.
func (r *request) sight() (sight, error) {
	operates, err := r.mayInSomeZone(auth.ScopeOperate)
	if err != nil || operates {
		return sight{operations: true}, err
	}
	zones, err := r.zonesFor()
	return sight{zones: zones}, err
}

func (s *Server) readStatistics(ctx context.Context, sight sight) (tracking, error) {
	stats, err := s.parts.Reports.StatsOf(ctx, sight.zones)
	if err != nil {
		return tracking{}, err
	}
	t := tracking{Schedule: answers.ScheduleOf(stats)}
	if stop, stopped := s.parts.Calls.Stopped(); stopped {
		if t.PausedUntil = answers.TimeOrNull(stop.Until); sight.operations {
			t.PauseReason = stop.Reason
		}
	}
	spent, err := s.parts.Ledger.Spending(ctx)
	if err != nil {
		return tracking{}, err
	}
	t.Budgets = answers.BudgetsOf(spent, sight.operations)
	if !sight.operations {
		t.Pauses = []answers.Pause{}
		return t, nil
	}
	pauses, err := s.parts.Pauses.List(ctx)
	if err != nil {
		return tracking{}, err
	}
	t.Pauses = answers.PausesOf(pauses)
	asking, cancel := context.WithTimeout(ctx, depthTimeout)
	defer cancel()
	if t.Providers, err = s.parts.Calls.Status(asking); err != nil {
		s.log.Warn().Err(err).Msg("reading the providers' state failed")
	}
	if d, err := s.parts.Queue.Depth(asking); err != nil {
		s.log.Warn().Err(err).Msg("reading the queue's depth failed")
	} else {
		t.Queue = answers.DepthOf(d)
	}
	return t, nil
}
