package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
)

// Source is where the state of everything is read. Each answer may fail on its
// own: what is known is shown.
type Source struct {
	Schedule func(ctx context.Context) (store.Stats, error)
	Depth    func(ctx context.Context) (queue.Depth, error)
	// Providers may be nil: nothing is known of them then.
	Providers func(ctx context.Context) ([]queue.SourceStatus, error)
	Pool      func() store.PoolUse
	Paused    func() (until time.Time, reason string, paused bool)
}

const (
	// fresh is how old a state may be that is shown again: several that scrape
	// must not multiply the questions to the database.
	fresh = 10 * time.Second

	// readTimeout bounds the reading of the state. A scrape must not hang because
	// the database does.
	readTimeout = 5 * time.Second
)

// state shows the state of everything when it is asked.
type state struct {
	source Source
	now    func() time.Time
	errors prometheus.Counter

	mu     sync.Mutex
	at     time.Time
	stats  *store.Stats
	depths *queue.Depth
	asked  []queue.SourceStatus
}

// Watch registers gauges of what the source tells. They are read when somebody
// scrapes, at most once in ten seconds. What cannot be read is left out, and
// counted by gorgone_state_errors_total.
func Watch(reg prometheus.Registerer, source Source, now func() time.Time) {
	s := &state{source: source, now: now, errors: counter("state_errors_total", "Readings of the schedule or the queue for these metrics that failed.")}
	reg.MustRegister(s, s.errors)
}

var (
	descDue         = desc("due_tweets", "Rows that are due, by tier: the backlog and what is in work.", "tier")
	descBacklog     = desc("backlog_tweets", "Rows that are due and not claimed.")
	descClaimed     = desc("claimed_tweets", "Rows that are due and held by a batch.")
	descLateness    = desc("lateness_seconds", "How long the row of the tier that has waited longest has been due.", "tier")
	descTracked     = desc("tracked_tweets", "Rows by tier; those of tier cold are an estimate in a large table.", "tier")
	descFailing     = desc("failing_tweets", "Live rows whose last look-ups failed.")
	descRate        = desc("tweets_per_second", "Tweets answered a second, over the last minute.")
	descMessages    = desc("queue_messages", "Messages that wait for a worker.", "stream")
	descAckPending  = desc("queue_ack_pending", "Messages that a worker has taken and not settled.", "stream")
	descRedelivered = desc("queue_redelivered", "Messages not settled that were delivered more than once.", "stream")
	descPulls       = desc("queue_waiting_pulls", "Workers that ask for work at this moment; 0 with messages waiting means that none takes any.", "stream")
	descDead        = desc("dead_letters", "Messages that nobody could handle.")
	descPool        = desc("store_pool_connections", "Connections to Postgres, by state.", "state")
	descPoolWaits   = desc("store_pool_waits_total", "How often somebody had to wait for a connection to Postgres.")
	descPace        = desc("pace_calls_per_second", "Calls a second in force over all replicas: the set rate, or less after a rate limit was met. 0: unlimited.", "provider")
	descPauses      = desc("pauses_total", "How often the provider's rate limit was met, over all replicas; refusals of one pause count once.", "provider")
	descBreaker     = desc("breaker_state", "Circuit breaker of the provider: 0 closed, 1 half open, 2 open.", "provider")
	descCredits     = desc("credits_left", "What was left in the account when it was last read.", "provider")
	descPaused      = desc("paused", "1 while calls are paused, 0 otherwise.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// Describe implements [prometheus.Collector]. It describes nothing: which series
// there are depends on what could be read.
func (s *state) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (s *state) Collect(ch chan<- prometheus.Metric) {
	stats, depth, providers := s.read()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	if stats != nil {
		for _, tier := range engagement.Tiers() {
			gauge(descTracked, float64(stats.Tier[tier]), string(tier))
			gauge(descDue, float64(stats.Due[tier].Rows), string(tier))
			gauge(descLateness, stats.Due[tier].Lateness(stats.At).Seconds(), string(tier))
		}
		gauge(descBacklog, float64(stats.DueUnclaimed))
		gauge(descClaimed, float64(stats.DueClaimed))
		gauge(descFailing, float64(stats.Failing))
		gauge(descRate, stats.Outstanding.DonePerSecond)
	}
	if depth != nil {
		for stream, lane := range map[string]queue.LaneDepth{"batch": depth.Batch, "refresh": depth.Refresh} {
			gauge(descMessages, float64(lane.Pending), stream)
			gauge(descAckPending, float64(lane.AckPending), stream)
			gauge(descRedelivered, float64(lane.Redelivered), stream)
			gauge(descPulls, float64(lane.Waiting), stream)
		}
		gauge(descDead, float64(depth.DeadLetters))
	}
	for _, p := range providers {
		gauge(descPace, p.Rate*p.Factor, p.Provider)
		ch <- prometheus.MustNewConstMetric(descPauses, prometheus.CounterValue, float64(p.RateLimits), p.Provider)
		gauge(descBreaker, breakerValue(p.Breaker.State), p.Provider)
		if p.Balance != nil {
			gauge(descCredits, float64(p.Balance.Left), p.Provider)
		}
	}
	pool := s.source.Pool()
	gauge(descPool, float64(pool.InUse), "used")
	gauge(descPool, float64(pool.Idle), "idle")
	gauge(descPool, float64(pool.Max), "max")
	ch <- prometheus.MustNewConstMetric(descPoolWaits, prometheus.CounterValue, float64(pool.Waited))
	paused := 0.0
	if _, _, is := s.source.Paused(); is {
		paused = 1
	}
	gauge(descPaused, paused)
}

// read returns what is known, and reads it anew when that is old.
func (s *state) read() (*store.Stats, *queue.Depth, []queue.SourceStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now().Sub(s.at) < fresh {
		return s.stats, s.depths, s.asked
	}
	// Collect has no context of its caller's to hand on.
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout) //nolint:forbidigo // see above
	defer cancel()
	s.stats, s.depths, s.asked = nil, nil, nil
	if stats, err := s.source.Schedule(ctx); err != nil {
		s.errors.Inc()
	} else {
		s.stats = &stats
	}
	if depth, err := s.source.Depth(ctx); err != nil {
		s.errors.Inc()
	} else {
		s.depths = &depth
	}
	if s.source.Providers != nil {
		var err error
		if s.asked, err = s.source.Providers(ctx); err != nil {
			s.errors.Inc()
		}
	}
	s.at = s.now()
	return s.stats, s.depths, s.asked
}

func breakerValue(state queue.BreakerState) float64 {
	switch state {
	case queue.BreakerOpen:
		return 2
	case queue.BreakerHalfOpen:
		return 1
	default:
		return 0
	}
}
