package metrics_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gorgone/dispatcher"
	"gorgone/engagement"
	"gorgone/metrics"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/store/report"
	"gorgone/throttle"
	"gorgone/twitter"
	"gorgone/web/auth"
)

// TestDeployNamesWhatThereIs: rules and dashboards that name a metric that no
// process has would stay silent for ever.
func TestDeployNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg, "v1")
	m.Dispatched(dispatcher.Result{}, nil)
	m.Called(twitter.Call{Provider: "p", Kind: twitter.KindOK})
	m.RefreshDone(engagement.RequestUpdated, time.Second)
	m.Transacted("x", time.Second, context.Canceled)
	m.Requested("GET /healthz", 200, time.Second)
	m.Refused(auth.ReasonNone)
	m.Spent(store.Spending{})
	metrics.Watch(reg, metrics.Source{
		Schedule: func(context.Context) (report.Stats, error) {
			return report.Stats{Due: map[engagement.Tier]report.Due{}}, nil
		},
		Depth:  func(context.Context) (queue.Depth, error) { return queue.Depth{}, nil },
		Pool:   func() postgres.PoolUse { return postgres.PoolUse{} },
		Paused: func() (time.Time, string, bool) { return time.Time{}, "", false },
		Providers: func(context.Context) ([]throttle.ProviderStatus, error) {
			return []throttle.ProviderStatus{{Provider: "p", Balance: &throttle.Balance{}}}, nil
		},
	}, time.Now)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, f := range families {
		known[f.GetName()] = true
	}
	name := regexp.MustCompile(`\bgorgone_[a-z_]+`)
	named := 0
	look := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		for _, n := range name.FindAllString(string(body), -1) {
			named++
			if base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(n, "_bucket"), "_count"), "_sum"); !known[n] && !known[base] {
				t.Errorf("%s names %s, which there is not", path, n)
			}
		}
		return err
	}
	err = errors.Join(filepath.WalkDir("../deploy/grafana", look), filepath.WalkDir("../deploy/prometheus", look))
	if err != nil || named < 40 {
		t.Errorf("%d metrics are named: %v", named, err)
	}
}
