package web

import (
	"context"
	"net/http"
	"time"

	"gorgone/queue"
	"gorgone/store"
)

const (
	// recentStretch is what the rates of the overview are about, in real time. The
	// records of batches are kept a little longer.
	recentStretch = 5 * time.Minute
	recentSteps   = 30

	// rollCallTime is how long replicas may take to answer.
	rollCallTime = time.Second
)

// overview is how everything is doing.
type overview struct {
	Clock    sessionClock `json:"clock"`
	Tracking tracking     `json:"tracking"`
	Recent   recent       `json:"recent"`
	Replicas []replica    `json:"replicas"` // null: the queue can not be reached
}

// recent is what became of the batches of the last minutes.
type recent struct {
	Seconds float64 `json:"seconds"` // real time
	recentCounts
	SuccessRate   *float64 `json:"success_rate"`    // tweets with a usable answer; null: none was looked up
	ErrorRate     *float64 `json:"error_rate"`      // calls that failed; null: none was made
	CallMS        *float64 `json:"call_ms"`         // mean duration of a call
	BatchSeconds  float64  `json:"batch_seconds"`   // from claim to last answer, mean, in real time
	BatchSecond95 float64  `json:"batch_seconds95"` // of 95 in 100 batches at most
	BatchSecondsM float64  `json:"batch_seconds_max"`

	Steps []recentStep `json:"steps"` // the stretch in equal parts, the oldest first
}

type recentCounts struct {
	Batches     int `json:"batches"`
	Found       int `json:"found"`
	Missing     int `json:"missing"`
	Unresolved  int `json:"unresolved"`
	Calls       int `json:"calls"`
	FailedCalls int `json:"failed_calls"`
}

type recentStep struct {
	Ago float64 `json:"seconds_ago"` // of its end, in real time
	recentCounts
}

// replica is a process that is there.
type replica struct {
	ID      string    `json:"id"`
	Host    string    `json:"host"`
	Roles   []string  `json:"roles"`
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	InWork  int       `json:"in_work"`
	Done    int64     `json:"done"`
}

// overview answers how everything is doing, with the same numbers for all who ask
// within two seconds.
func (s *Server) overview(w http.ResponseWriter, r *request) error {
	view, err := s.overviews.get(r.Context(), "", s.readOverview)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Success   bool      `json:"success"`
		Timestamp time.Time `json:"timestamp"`
		Data      overview  `json:"data"`
	}{true, s.parts.Clock.Database(), view})
}

func (s *Server) readOverview(ctx context.Context) (view overview, err error) {
	if view.Tracking, err = s.readStatistics(ctx); err != nil {
		return view, err
	}
	since := s.parts.Clock.Now().Add(-s.parts.Clock.Engine(recentStretch))
	done, err := s.parts.Triggers.Recent(ctx, since, recentSteps)
	if err != nil {
		return view, err
	}
	view.Recent = s.recentOf(done)
	view.Replicas, err = s.readReplicas(ctx)
	if err != nil {
		s.log.Warn().Err(err).Msg("call the roll")
	}
	view.Clock = s.clock()
	return view, nil
}

func (s *Server) readReplicas(ctx context.Context) ([]replica, error) {
	present, err := s.parts.Queue.RollCall(ctx, rollCallTime)
	if err != nil {
		return nil, err
	}
	list := make([]replica, len(present))
	for i, p := range present {
		list[i] = replicaOf(p)
	}
	return list, nil
}

func replicaOf(r queue.Replica) replica {
	return replica{r.ID, r.Host, r.Roles, r.Version, r.Since, r.InWork, r.Done}
}

func (s *Server) recentOf(done store.Recent) recent {
	seconds := func(d time.Duration) float64 { return s.parts.Clock.Real(d).Seconds() }
	r := recent{
		Seconds: recentStretch.Seconds(), recentCounts: countsOf(done.RecentWork),
		SuccessRate:  share(done.Found+done.Missing, done.Found+done.Missing+done.Unresolved),
		ErrorRate:    share(done.Calls.Failed, done.Calls.Count),
		BatchSeconds: seconds(done.LatencyMean), BatchSecond95: seconds(done.LatencyP95), BatchSecondsM: seconds(done.LatencyMax),
		Steps: make([]recentStep, len(done.Steps)),
	}
	if n := done.Calls.Count; n > 0 {
		ms := float64(done.Calls.Time) / float64(time.Millisecond) / float64(n)
		r.CallMS = &ms
	}
	for i, step := range done.Steps {
		width := recentStretch.Seconds() / float64(len(done.Steps))
		r.Steps[i] = recentStep{width * float64(len(done.Steps)-1-i), countsOf(step.RecentWork)}
	}
	return r
}

func countsOf(w store.RecentWork) recentCounts {
	return recentCounts{w.Batches, w.Found, w.Missing, w.Unresolved, w.Calls.Count, w.Calls.Failed}
}

// share is a part of all, or nil when there is nothing to be a part of.
func share(part, all int) *float64 {
	if all == 0 {
		return nil
	}
	f := float64(part) / float64(all)
	return &f
}
