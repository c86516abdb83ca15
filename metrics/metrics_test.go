package metrics_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"gorgone/alert"
	"gorgone/dispatcher"
	"gorgone/engagement"
	"gorgone/metrics"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/store/report"
	"gorgone/twitter"
	"gorgone/web/auth"
)

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func TestWorkIsCounted(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg, "v1")
	m.Dispatched(dispatcher.Result{Tweets: 40, Refused: 2, Batches: 3}, nil)
	m.Dispatched(dispatcher.Result{Busy: true}, nil)
	m.Dispatched(dispatcher.Result{Closed: "paused"}, nil)
	m.Dispatched(dispatcher.Result{}, errors.New("away"))
	m.Called(twitter.Call{Provider: "twitterapi.io", Kind: twitter.KindOK, Duration: 80 * time.Millisecond, IDs: 50, Returned: 49, Billed: 49})
	m.Called(twitter.Call{Provider: "twitterapi.io", Kind: twitter.KindRateLimited, Status: 429})
	m.Wrote(store.Applied{Rows: []store.AppliedRow{
		{Outcome: engagement.RowApplied, After: engagement.Tracking{Tier: engagement.Hot}, Snapshot: &engagement.Snapshot{}},
		{Outcome: engagement.RowApplied, After: engagement.Tracking{Tier: engagement.Hot}},
		{Outcome: engagement.RowMissing},
		{Outcome: engagement.RowOutOfRange},
		{Outcome: engagement.RowLostClaim},
	}})
	m.BatchDone(2 * time.Second)
	m.RefreshDone(engagement.RequestUpdated, 90*time.Millisecond)
	m.Refused(auth.ReasonToken)
	m.Alerted(engagement.AlertVelocity)
	m.Alerted(engagement.AlertVelocity)
	m.AlertDelivered(alert.ResultDelivered)
	m.AlertDelivered(alert.ResultFailed)
	m.AlertDelivered(alert.ResultDead)
	m.Requested("GET /healthz", 200, time.Millisecond)
	m.Transacted("apply_a_batch", 3*time.Millisecond, nil)
	m.Transacted("apply_a_batch", 3*time.Millisecond, errors.New("away"))

	want := `
# HELP gorgone_alert_deliveries_total Attempts to post an alert to a webhook: delivered, failed (it is retried), dead (it is not).
# TYPE gorgone_alert_deliveries_total counter
gorgone_alert_deliveries_total{result="dead"} 1
gorgone_alert_deliveries_total{result="delivered"} 1
gorgone_alert_deliveries_total{result="failed"} 1
# HELP gorgone_alerts_total Alerts raised, by kind, as announced by this dispatcher.
# TYPE gorgone_alerts_total counter
gorgone_alerts_total{kind="budget"} 0
gorgone_alerts_total{kind="burst"} 0
gorgone_alerts_total{kind="count"} 0
gorgone_alerts_total{kind="deleted"} 0
gorgone_alerts_total{kind="forecast"} 0
gorgone_alerts_total{kind="held"} 0
gorgone_alerts_total{kind="stalled"} 0
gorgone_alerts_total{kind="tier"} 0
gorgone_alerts_total{kind="velocity"} 2
# HELP gorgone_claimed_tweets_total Tweets claimed by this dispatcher.
# TYPE gorgone_claimed_tweets_total counter
gorgone_claimed_tweets_total 42
# HELP gorgone_dispatches_total Dispatches, by result: done, busy (another dispatcher was claiming), closed (nothing may be claimed now), error.
# TYPE gorgone_dispatches_total counter
gorgone_dispatches_total{result="busy"} 1
gorgone_dispatches_total{result="closed"} 1
gorgone_dispatches_total{result="done"} 1
gorgone_dispatches_total{result="error"} 1
# HELP gorgone_http_refused_total HTTP requests refused, by reason.
# TYPE gorgone_http_refused_total counter
gorgone_http_refused_total{reason="unknown_token"} 1
# HELP gorgone_lookup_calls_total Calls to the provider, by status.
# TYPE gorgone_lookup_calls_total counter
gorgone_lookup_calls_total{provider="twitterapi.io",status="ok"} 1
gorgone_lookup_calls_total{provider="twitterapi.io",status="rate_limited"} 1
# HELP gorgone_published_batches_total Batches published by this dispatcher.
# TYPE gorgone_published_batches_total counter
gorgone_published_batches_total 3
# HELP gorgone_snapshots_total Snapshots, by the tweet's tier, also those that found nothing new.
# TYPE gorgone_snapshots_total counter
gorgone_snapshots_total{tier="cold"} 0
gorgone_snapshots_total{tier="hot"} 1
gorgone_snapshots_total{tier="ultra_hot"} 0
gorgone_snapshots_total{tier="warm"} 0
# HELP gorgone_store_errors_total Postgres transactions that failed, by operation.
# TYPE gorgone_store_errors_total counter
gorgone_store_errors_total{op="apply_a_batch"} 1
# HELP gorgone_tweets_billed_total Tweets that the provider bills: those in its answers, or its minimum per call.
# TYPE gorgone_tweets_billed_total counter
gorgone_tweets_billed_total{provider="twitterapi.io"} 49
# HELP gorgone_tweets_total Rows handled by batches and refreshes, by result.
# TYPE gorgone_tweets_total counter
gorgone_tweets_total{result="applied"} 2
gorgone_tweets_total{result="failed"} 1
gorgone_tweets_total{result="missing"} 1
gorgone_tweets_total{result="skipped"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names(want)...); err != nil {
		t.Error(err)
	}
	for name, count := range map[string]int{
		"gorgone_batch_duration_seconds": 1, "gorgone_refresh_duration_seconds": 1,
		"gorgone_lookup_duration_seconds": 1, "gorgone_store_duration_seconds": 1, "gorgone_build_info": 1, "gorgone_http_request_duration_seconds": 1,
	} {
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n != count {
			t.Errorf("%s: %d series, %v", name, n, err)
		}
	}
	lint(t, reg)
}

func TestStateIsReadAtMostEveryTenSeconds(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	clock, reads := now, 0
	var away error
	metrics.Watch(reg, metrics.Source{
		Schedule: func(context.Context) (report.Stats, error) {
			reads++
			return report.Stats{
				At:   now,
				Tier: map[engagement.Tier]int{engagement.Hot: 70, engagement.Cold: 9},
				Due:  map[engagement.Tier]report.Due{engagement.Hot: {Rows: 7, Oldest: now.Add(-90 * time.Second)}},
			}, away
		},
		Depth:  func(context.Context) (queue.Depth, error) { return queue.Depth{DeadLetters: 2}, nil },
		Pool:   func() postgres.PoolUse { return postgres.PoolUse{InUse: 1, Idle: 2, Max: 12} },
		Paused: func() (time.Time, string, bool) { return now, "rate limit", true },
	}, func() time.Time { return clock })

	want := `
# HELP gorgone_dead_letters Messages that could not be handled.
# TYPE gorgone_dead_letters gauge
gorgone_dead_letters 2
# HELP gorgone_due_tweets Rows that are due, by tier: the backlog and claimed rows.
# TYPE gorgone_due_tweets gauge
gorgone_due_tweets{tier="cold"} 0
gorgone_due_tweets{tier="hot"} 7
gorgone_due_tweets{tier="ultra_hot"} 0
gorgone_due_tweets{tier="warm"} 0
# HELP gorgone_lateness_seconds How long the longest-waiting row of the tier has been due.
# TYPE gorgone_lateness_seconds gauge
gorgone_lateness_seconds{tier="cold"} 0
gorgone_lateness_seconds{tier="hot"} 90
gorgone_lateness_seconds{tier="ultra_hot"} 0
gorgone_lateness_seconds{tier="warm"} 0
# HELP gorgone_paused 1 while calls are paused, 0 otherwise.
# TYPE gorgone_paused gauge
gorgone_paused 1
# HELP gorgone_store_pool_connections Connections to Postgres, by state.
# TYPE gorgone_store_pool_connections gauge
gorgone_store_pool_connections{state="idle"} 2
gorgone_store_pool_connections{state="max"} 12
gorgone_store_pool_connections{state="used"} 1
`
	for range 3 {
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names(want)...); err != nil {
			t.Error(err)
		}
	}
	if reads != 1 {
		t.Errorf("three scrapes in a moment read the schedule %d times", reads)
	}
	lint(t, reg)

	// What cannot be read is left out, and the rest is shown.
	away, clock = errors.New("the database is unavailable"), clock.Add(time.Minute)
	if n, err := testutil.GatherAndCount(reg, "gorgone_due_tweets"); err != nil || n != 0 {
		t.Errorf("with the database away: %d series of what is due, %v", n, err)
	}
	if n, err := testutil.GatherAndCount(reg, "gorgone_dead_letters", "gorgone_state_errors_total"); err != nil || n != 2 {
		t.Errorf("with the database away: %d of 2 other series, %v", n, err)
	}
}

// names returns the metrics that a text has.
func names(text string) (names []string) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[1] == "TYPE" {
			names = append(names, fields[2])
		}
	}
	return names
}

func lint(t *testing.T, reg *prometheus.Registry) {
	t.Helper()
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "gorgone_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}
