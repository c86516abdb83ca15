package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store/postgres"
	"gorgone/store/report"
	"gorgone/throttle"
)

// Source reads the state that the gauges show. Each function may fail on its own; the
// state that could be read is shown.
type Source struct {
	Schedule func(ctx context.Context) (report.Stats, error)
	Depth    func(ctx context.Context) (queue.Depth, error)
	// Providers may be nil: their gauges are then omitted.
	Providers func(ctx context.Context) ([]throttle.ProviderStatus, error)
	Pool      func() postgres.PoolUse
	Paused    func() (until time.Time, reason string, paused bool)
}

const (
	// maxAge is how long a state is cached: several scrapers must not multiply the load on
	// the database.
	maxAge = 10 * time.Second

	// readTimeout bounds reading the state. A scrape must not hang because the database
	// does.
	readTimeout = 5 * time.Second
)

// state is a collector that reads the state on demand.
type state struct {
	source Source
	now    func() time.Time
	errors prometheus.Counter

	mu     sync.Mutex
	at     time.Time
	stats  *report.Stats
	depths *queue.Depth
	asked  []throttle.ProviderStatus
}

// Watch registers gauges of the source's state. It is read on a scrape, at most once in
// ten seconds. State that cannot be read is omitted, and counted by
// gorgone_state_errors_total.
func Watch(reg prometheus.Registerer, source Source, now func() time.Time) {
	s := &state{source: source, now: now, errors: counter("state_errors_total", "Failed reads of the schedule, the queue or the providers for these metrics.")}
	reg.MustRegister(s, s.errors)
}

var (
	descDue         = desc("due_tweets", "Rows that are due, by tier: the backlog and claimed rows.", "tier")
	descBacklog     = desc("backlog_tweets", "Rows that are due and not claimed.")
	descClaimed     = desc("claimed_tweets", "Rows that are due and claimed by a batch.")
	descLateness    = desc("lateness_seconds", "How long the longest-waiting row of the tier has been due.", "tier")
	descTracked     = desc("tracked_tweets", "Rows by tier; those of tier cold are an estimate in a large table.", "tier")
	descFailing     = desc("failing_tweets", "Live rows whose last look-ups failed.")
	descMissing     = desc("missing_tweets", "Live rows that the last answers lacked.")
	descGone        = desc("gone_tweets", "Rows of tweets that count as deleted.")
	descUnusable    = desc("unusable_tweets", "Rows that fell due and cannot be looked up: their tweet has no usable id or no zone, or does not exist.")
	descHeld        = desc("deletions_held", "1 while more tweets are missing than ever go at once, so that none is called deleted, 0 otherwise.")
	descRate        = desc("tweets_per_second", "Tweets answered per second, over the last minute.")
	descMessages    = desc("queue_messages", "Messages waiting for a worker.", "stream")
	descAckPending  = desc("queue_ack_pending", "Messages delivered to a worker and not settled.", "stream")
	descRedelivered = desc("queue_redelivered", "Unsettled messages that were delivered more than once.", "stream")
	descPulls       = desc("queue_waiting_pulls", "Workers waiting for a message; 0 while messages wait means that no worker fetches any.", "stream")
	descDead        = desc("dead_letters", "Messages that could not be handled.")
	descPool        = desc("store_pool_connections", "Connections to Postgres, by state.", "state")
	descPoolWaits   = desc("store_pool_waits_total", "How often a caller had to wait for a connection to Postgres.")
	descPace        = desc("pace_calls_per_second", "Calls per second in force over all replicas: the configured rate, or less after a rate limit was hit. 0: unlimited.", "provider")
	descPauses      = desc("pauses_total", "How often the provider's rate limit was hit, over all replicas; refusals during one pause count once.", "provider")
	descBreaker     = desc("breaker_state", "Circuit breaker of the provider: 0 closed, 1 half open, 2 open.", "provider")
	descCredits     = desc("credits_left", "Balance of the account when last read.", "provider")
	descPaused      = desc("paused", "1 while calls are paused, 0 otherwise.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// Describe implements [prometheus.Collector]. It describes nothing: the series depend on
// what could be read.
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
		gauge(descMissing, float64(stats.Missing))
		gauge(descGone, float64(stats.Gone))
		gauge(descUnusable, float64(stats.Unusable))
		gauge(descHeld, flag(!stats.HeldSince.IsZero()))
		gauge(descRate, stats.Outstanding.DonePerSecond)
	}
	if depth != nil {
		for stream, lane := range map[string]queue.ClassDepth{"batch": depth.Batch, "refresh": depth.Refresh} {
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
	_, _, paused := s.source.Paused()
	gauge(descPaused, flag(paused))
}

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// read returns the cached state, and reads it again if that is old.
func (s *state) read() (*report.Stats, *queue.Depth, []throttle.ProviderStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now().Sub(s.at) < maxAge {
		return s.stats, s.depths, s.asked
	}
	// Collect is given no context.
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

func breakerValue(state throttle.BreakerState) float64 {
	switch state {
	case throttle.BreakerOpen:
		return 2
	case throttle.BreakerHalfOpen:
		return 1
	default:
		return 0
	}
}
