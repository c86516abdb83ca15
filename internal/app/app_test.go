package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gorgone/internal/app"
	"gorgone/internal/config"
	"gorgone/internal/enginetest"
	"gorgone/internal/failure"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/twitter/fakeprovider"
)

func TestMain(m *testing.M) {
	testkit.Main(m)
}

// configure returns a configuration of a database, a NATS and a fake provider of the
// test's own, and the provider.
func configure(t *testing.T, tweets int) (config.Config, *enginetest.Ground, *fakeprovider.Server) {
	t.Helper()
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	g := enginetest.On(t, pgtest.NewDatabase(t), queue.Config{Prefix: "ENG", Lease: 3 * time.Minute, Memory: true})
	double, url := g.FakeProvider(t, tweets, fakeprovider.Config{})
	cfg.Database.URL, cfg.Queue.URL, cfg.Queue.Memory = config.Secret(g.URL), config.Secret(g.NATS.ClientURL()), true
	cfg.Provider.Key, cfg.Provider.URL, cfg.Provider.Rate = enginetest.ProviderKey, url, 50
	cfg.Web.Listen, cfg.Monitor.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Dispatcher.Every = time.Second
	return cfg, g, double
}

func process() *app.Process { return app.NewProcess("test", "v0", zerolog.Nop()) }

// TestAllRoles: what is due is looked up, and the process says what it is doing.
func TestAllRoles(t *testing.T) {
	t.Parallel()
	const tweets = 60
	cfg, g, double := configure(t, tweets)
	if _, err := g.Store.Track(t.Context(), g.Zone.ID, enginetest.Tweets(double)); err != nil {
		t.Fatal(err)
	}
	p := process()
	monitor, err := p.OpenMonitor(t.Context(), cfg.Monitor)
	if err != nil {
		t.Fatal(err)
	}
	defer monitor.Close()
	a, err := app.New(t.Context(), cfg, app.Options{
		Process: p, Roles: []app.Role{app.Dispatcher, app.Worker, app.Web}, Monitor: monitor, Web: app.WebOptions{LocalLogin: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := app.AskHealth(t.Context(), monitor.Address(), app.Ready); err == nil {
		t.Error("it is ready before it runs")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	reach(t, "all tweets are seen", func() bool { return a.Progress().Applied >= tweets })
	if _, err := app.AskHealth(t.Context(), monitor.Address(), app.Ready); err != nil {
		t.Errorf("it runs: %v", err)
	}
	if _, err := app.AskHealth(t.Context(), strings.TrimPrefix(a.WebURL(), "http://"), app.Ready); err != nil {
		t.Errorf("the web server: %v", err)
	}
	if code, err := a.LoginCode(); err != nil || code == "" {
		t.Errorf("no login on this machine: %v", err)
	}
	present, err := a.Queue().Replicas(t.Context(), time.Second)
	if err != nil || len(present) != 1 || len(present[0].Roles) != 3 || present[0].Done < tweets {
		t.Errorf("present: %+v, %v", present, err)
	}
	if n := a.Provider().Calls().Returned.Load(); n < tweets {
		t.Errorf("%d tweets were returned", n)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	res, err := http.Get("http://" + monitor.Address() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct{ Ready bool }
	if body, err := io.ReadAll(res.Body); err != nil || json.Unmarshal(body, &answer) != nil || answer.Ready {
		t.Errorf("ready after the stop: %s, %v", body, err)
	}
}

// TestDispatchOnce dispatches without any role, as a cron job does.
func TestDispatchOnce(t *testing.T) {
	t.Parallel()
	cfg, g, double := configure(t, 30)
	if _, err := g.Store.Track(t.Context(), g.Zone.ID, enginetest.Tweets(double)); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), cfg, app.Options{Process: process()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if r, err := a.DispatchOnce(t.Context(), 20); err != nil || r.Tweets != 20 {
		t.Errorf("dispatched %+v, %v", r, err)
	}
	if a.WebURL() != "" || a.Progress().Applied != 0 {
		t.Error("it has roles")
	}
	if code, err := a.LoginCode(); code != "" || err != nil {
		t.Errorf("it has a login: %v", err)
	}
}

// TestNewRefuses: what is missing or wrong is told before anything runs, and what was
// opened until then is closed again.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good, _, _ := configure(t, 1)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	for name, tc := range map[string]struct {
		change func(*config.Config)
		want   string
		usage  bool
	}{
		"no database":          {func(c *config.Config) { c.Database.URL = "" }, "DATABASE_URL", true},
		"no queue":             {func(c *config.Config) { c.Queue.URL = "" }, "NATS_URL", false},
		"no provider":          {func(c *config.Config) { c.Provider.Key = "" }, "TWITTER_API_KEY", true},
		"the web address":      {func(c *config.Config) { c.Web.Listen = taken.Addr().String() }, "serve http", true},
		"the monitor's":        {func(c *config.Config) { c.Monitor.Listen = taken.Addr().String() }, "GORGONE_METRICS_ADDR", true},
		"calls over the lease": {func(c *config.Config) { c.Provider.Timeout = 10 * time.Minute }, "TWITTER_TIMEOUT", true},
		"tokens":               {func(c *config.Config) { c.Web.Tokens = "cron:read" }, "token", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			tc.change(&cfg)
			a, err := app.New(t.Context(), cfg, app.Options{Process: process(), Roles: []app.Role{app.Dispatcher, app.Worker, app.Web}})
			if err == nil {
				a.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), tc.want) || (failure.KindOf(err) == failure.Usage) != tc.usage {
				t.Errorf("%v", err)
			}
			if tc.want == "NATS_URL" && !errors.Is(err, app.ErrNoQueue) {
				t.Errorf("%v is no ErrNoQueue", err)
			}
		})
	}
	if _, err := app.New(t.Context(), good, app.Options{}); err == nil {
		t.Error("an app without a process was opened")
	}
}

// reach waits until it is so.
func reach(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(90 * time.Second)
	defer limit.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("%s: not reached", what)
		}
	}
}
