package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gorgone/queue"
	"gorgone/store/report"
)

const (
	// recentWindow is the period of the overview's rates, in real time. Batch records are
	// kept a little longer.
	recentWindow = 5 * time.Minute
	recentSteps  = 30

	// presenceTimeout is how long replicas may take to answer.
	presenceTimeout = time.Second
)

// overview is the state of the whole engine.
type overview struct {
	Clock    sessionClock `json:"clock"`
	Tracking tracking     `json:"tracking"`
	Recent   recent       `json:"recent"`
	Replicas []replica    `json:"replicas"` // null: the queue cannot be reached, or the caller may not operate
}

// recent sums up the batches of the last minutes.
type recent struct {
	Seconds float64 `json:"seconds"` // real time
	recentCounts
	SuccessRate   *float64 `json:"success_rate"`    // fraction of tweets with a usable answer; null: no look-ups
	ErrorRate     *float64 `json:"error_rate"`      // fraction of calls that failed; null: no calls
	CallSeconds   *float64 `json:"call_seconds"`    // mean duration of a call
	BatchSeconds  float64  `json:"batch_seconds"`   // from claim to last answer, mean, in real time
	BatchSecond95 float64  `json:"batch_seconds95"` // 95th percentile
	BatchSecondsM float64  `json:"batch_seconds_max"`

	Steps []recentStep `json:"steps"` // equal parts of the period, the oldest first
}

type recentCounts struct {
	Batches     int `json:"batches"`
	Found       int `json:"found"`
	Missing     int `json:"missing"`
	Unresolved  int `json:"unresolved"`
	OddCounts   int `json:"odd_counts"` // tweets among found with counters that were not read or not believed
	Calls       int `json:"calls"`
	FailedCalls int `json:"failed_calls"`
}

type recentStep struct {
	Ago float64 `json:"seconds_ago"` // of its end, in real time
	recentCounts
}

// replica is a running process.
type replica struct {
	ID      string    `json:"id"`
	Host    string    `json:"host"`
	Roles   []string  `json:"roles"`
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	InWork  int       `json:"in_work"`
	Done    int64     `json:"done"`
}

// overview responds with the state of the engine. Answers are shared for two seconds.
func (s *Server) overview(w http.ResponseWriter, r *request) error {
	sight, err := r.sight()
	if err != nil {
		return err
	}
	// Callers who see the same share an answer.
	view, err := s.overviews.get(r.Context(), fmt.Sprint(sight), func(ctx context.Context) (overview, error) {
		defer s.reads.hold(r.quotas)() // also when the caller has left
		return s.readOverview(ctx, sight)
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Success   bool      `json:"success"`
		Timestamp time.Time `json:"timestamp"`
		Data      overview  `json:"data"`
	}{true, s.parts.Clock.Database(), view})
}

func (s *Server) readOverview(ctx context.Context, sight sight) (view overview, err error) {
	view.Clock = s.clock()
	if view.Tracking, err = s.readStatistics(ctx, sight); err != nil {
		return view, err
	}
	if !sight.operations {
		view.Recent = s.recentOf(report.Recent{Steps: []report.RecentStep{}}) // batches are of all zones
		return view, nil
	}
	since := s.parts.Clock.Now().Add(-s.parts.Clock.Engine(recentWindow))
	done, err := s.parts.Reports.Recent(ctx, since, recentSteps)
	if err != nil {
		return view, err
	}
	view.Recent = s.recentOf(done)
	view.Replicas, err = s.readReplicas(ctx)
	if err != nil {
		s.log.Warn().Err(err).Msg("listing replicas failed")
	}
	return view, nil
}

func (s *Server) readReplicas(ctx context.Context) ([]replica, error) {
	present, err := s.parts.Queue.Replicas(ctx, presenceTimeout)
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

func (s *Server) recentOf(done report.Recent) recent {
	seconds := func(d time.Duration) float64 { return s.parts.Clock.Real(d).Seconds() }
	r := recent{
		Seconds: recentWindow.Seconds(), recentCounts: countsOf(done.RecentWork),
		SuccessRate:  share(done.Found+done.Missing, done.Found+done.Missing+done.Unresolved),
		ErrorRate:    share(done.Calls.Failed, done.Calls.Count),
		BatchSeconds: seconds(done.LatencyMean), BatchSecond95: seconds(done.LatencyP95), BatchSecondsM: seconds(done.LatencyMax),
		Steps: make([]recentStep, len(done.Steps)),
	}
	if n := done.Calls.Count; n > 0 {
		mean := done.Calls.Time.Seconds() / float64(n)
		r.CallSeconds = &mean
	}
	for i, step := range done.Steps {
		width := recentWindow.Seconds() / float64(len(done.Steps))
		r.Steps[i] = recentStep{width * float64(len(done.Steps)-1-i), countsOf(step.RecentWork)}
	}
	return r
}

func countsOf(w report.RecentWork) recentCounts {
	return recentCounts{w.Batches, w.Found, w.Missing, w.Unresolved, w.OddCounts, w.Calls.Count, w.Calls.Failed}
}

// share returns part/all, or nil when all is 0.
func share(part, all int) *float64 {
	if all == 0 {
		return nil
	}
	f := float64(part) / float64(all)
	return &f
}
