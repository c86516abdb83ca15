package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"gorgone/alert"
	"gorgone/dispatcher"
	"gorgone/engagement"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/web/auth"
	"gorgone/worker"
)

// namespace is the prefix of every name.
const namespace = "gorgone"

// Metrics are the counters and histograms of one process. It is safe for
// concurrent use.
type Metrics struct {
	claimed    prometheus.Counter
	published  prometheus.Counter
	dispatches *prometheus.CounterVec

	tweets    *prometheus.CounterVec
	snapshots *prometheus.CounterVec
	batches   prometheus.Histogram
	refreshes *prometheus.HistogramVec

	calls       *prometheus.CounterVec
	callSeconds *prometheus.HistogramVec
	billed      *prometheus.CounterVec
	unreadable  *prometheus.CounterVec

	alerts     *prometheus.CounterVec
	deliveries *prometheus.CounterVec

	storeSeconds *prometheus.HistogramVec
	storeErrors  *prometheus.CounterVec

	requests  *prometheus.HistogramVec
	refused   *prometheus.CounterVec
	spent     *prometheus.GaugeVec
	dollars   *prometheus.GaugeVec
	exhausted *prometheus.GaugeVec
}

// New creates the metrics and registers them together with those of the Go runtime and
// the process. Every series with known labels starts at zero, so that rates are correct
// from the first event on. New panics if the registry already has them.
func New(reg prometheus.Registerer, version string) *Metrics {
	m := &Metrics{
		claimed:      counter("claimed_tweets_total", "Tweets claimed by this dispatcher."),
		published:    counter("published_batches_total", "Batches published by this dispatcher."),
		dispatches:   counterVec("dispatches_total", "Dispatches, by result: done, busy (another dispatcher was claiming), closed (nothing may be claimed now), error.", "result"),
		tweets:       counterVec("tweets_total", "Rows handled by batches and refreshes, by result.", "result"),
		snapshots:    counterVec("snapshots_total", "Snapshots, by the tweet's tier, also those that found nothing new.", "tier"),
		batches:      prometheus.NewHistogram(histogram("batch_duration_seconds", "Time from fetching a batch to settling it.", batchBuckets)),
		refreshes:    prometheus.NewHistogramVec(histogram("refresh_duration_seconds", "Time from the request for a refresh to its answer, by outcome.", refreshBuckets), []string{"outcome"}),
		calls:        counterVec("lookup_calls_total", "Calls to the provider, by status.", "provider", "status"),
		callSeconds:  prometheus.NewHistogramVec(histogram("lookup_duration_seconds", "Duration of a call to the provider, until its answer was read.", prometheus.DefBuckets), []string{"provider"}),
		billed:       counterVec("tweets_billed_total", "Tweets that the provider bills: those in its answers, or its minimum per call.", "provider"),
		unreadable:   counterVec("unreadable_counters_total", "Counters in the provider's answers that ought to have a count and do not, by counter.", "provider", "counter"),
		alerts:       counterVec("alerts_total", "Alerts raised, by kind, as announced by this dispatcher.", "kind"),
		deliveries:   counterVec("alert_deliveries_total", "Attempts to post an alert to a webhook: delivered, failed (it is retried), dead (it is not).", "result"),
		storeSeconds: prometheus.NewHistogramVec(histogram("store_duration_seconds", "Duration of a Postgres transaction, by operation.", storeBuckets), []string{"op"}),
		requests:     prometheus.NewHistogramVec(histogram("http_request_duration_seconds", "Duration of an HTTP request, by route and status.", requestBuckets), []string{"route", "status"}),
		spent: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "budget_spent_ratio",
			Help: "Share of a budget that is spent: the day's and the month's for scheduled look-ups, the day's for refreshes. 0 without a budget.",
		}, []string{"period"}),
		exhausted: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "budget_exhausted",
			Help: "1 while a budget does not buy another look-up, so that there are none until the next begins, 0 otherwise.",
		}, []string{"period"}),
		dollars: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "spent_dollars",
			Help: "Dollars spent in the UTC day or month up to now, refreshes included.",
		}, []string{"period"}),
		refused:     counterVec("http_refused_total", "HTTP requests refused, by reason.", "reason"),
		storeErrors: counterVec("store_errors_total", "Postgres transactions that failed, by operation.", "op"),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the label is the version.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	reg.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build,
		m.claimed, m.published, m.dispatches, m.tweets, m.snapshots, m.batches, m.refreshes,
		m.alerts, m.deliveries, m.calls, m.callSeconds, m.billed, m.unreadable, m.storeSeconds, m.storeErrors, m.requests, m.refused, m.spent, m.exhausted, m.dollars,
	)
	for _, result := range engagement.RowResults() {
		m.tweets.WithLabelValues(string(result))
	}
	for _, kind := range engagement.AlertKinds() {
		m.alerts.WithLabelValues(string(kind))
	}
	for _, result := range []string{alert.ResultDelivered, alert.ResultFailed, alert.ResultDead} {
		m.deliveries.WithLabelValues(result)
	}
	for _, tier := range engagement.Tiers() {
		m.snapshots.WithLabelValues(string(tier))
	}
	return m
}

// Buckets, in seconds. A batch should take less than 30 s, a refresh less than one.
var (
	batchBuckets   = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120}
	refreshBuckets = []float64{.025, .05, .1, .15, .25, .5, 1, 2, 4, 10}
	requestBuckets = []float64{.005, .025, .1, .5, 1, 2.5, 10, 30}
	storeBuckets   = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30}
)

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}
}

// Dispatched counts a dispatch. It fits [dispatcher.Config].
func (m *Metrics) Dispatched(r dispatcher.Result, err error) {
	m.claimed.Add(float64(r.Tweets + r.Refused))
	m.published.Add(float64(r.Batches))
	result := "done"
	switch {
	case err != nil:
		result = "error"
	case r.Busy:
		result = "busy"
	case r.Closed != "":
		result = "closed"
	}
	m.dispatches.WithLabelValues(result).Inc()
}

var _ worker.Observer = (*Metrics)(nil)

// BatchDone implements [worker.Observer].
func (m *Metrics) BatchDone(took time.Duration) { m.batches.Observe(took.Seconds()) }

// RefreshDone implements [worker.Observer].
func (m *Metrics) RefreshDone(outcome engagement.RequestOutcome, took time.Duration) {
	m.refreshes.WithLabelValues(string(outcome)).Observe(max(took, 0).Seconds())
}

// Wrote implements [worker.Observer].
func (m *Metrics) Wrote(applied store.Applied) {
	for i := range applied.Rows {
		row := &applied.Rows[i]
		m.tweets.WithLabelValues(string(row.Outcome.Effect().Result)).Inc()
		if row.Snapshot != nil {
			m.snapshots.WithLabelValues(string(row.After.Tier)).Inc()
		}
	}
}

// Called counts a call to a provider. It fits [twitter.Config].
func (m *Metrics) Called(c twitter.Call) {
	m.calls.WithLabelValues(c.Provider, c.Kind).Inc()
	m.callSeconds.WithLabelValues(c.Provider).Observe(c.Duration.Seconds())
	m.billed.WithLabelValues(c.Provider).Add(float64(c.Billed))
	for i, n := range c.Unreadable {
		m.unreadable.WithLabelValues(c.Provider, engagement.Counter(i).String()).Add(float64(n))
	}
}

// Requested counts an HTTP request. It fits [web.Config].
func (m *Metrics) Requested(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// Refused counts a request that was refused. It fits [auth.GuardConfig].
func (m *Metrics) Refused(reason auth.Reason) { m.refused.WithLabelValues(string(reason)).Inc() }

// Spent records what was spent. It fits [dispatcher.ControlCosts].
func (m *Metrics) Spent(s store.Spending) {
	m.spent.WithLabelValues("day").Set(s.UsedToday())
	m.spent.WithLabelValues("month").Set(s.UsedThisMonth())
	m.spent.WithLabelValues("refreshes").Set(s.UsedRefreshes())
	exhausted := map[string]bool{"day": false, "month": false, "refreshes": false}
	for _, l := range s.Limits() {
		period := l.Period
		if l.Refreshes() {
			period = "refreshes"
		}
		exhausted[period] = l.Exhausted()
	}
	for period, is := range exhausted {
		m.exhausted.WithLabelValues(period).Set(flag(is))
	}
	m.dollars.WithLabelValues("day").Set(s.Today + s.RefreshToday)
	m.dollars.WithLabelValues("month").Set(s.Month + s.RefreshMonth)
}

// Transacted counts a transaction. It fits [postgres.Config].
func (m *Metrics) Transacted(op string, took time.Duration, err error) {
	m.storeSeconds.WithLabelValues(op).Observe(took.Seconds())
	if err != nil {
		m.storeErrors.WithLabelValues(op).Inc()
	}
}

// Alerted implements [alert.Observer].
func (m *Metrics) Alerted(kind engagement.AlertKind) { m.alerts.WithLabelValues(string(kind)).Inc() }

// AlertDelivered implements [alert.Observer].
func (m *Metrics) AlertDelivered(result string) { m.deliveries.WithLabelValues(result).Inc() }
