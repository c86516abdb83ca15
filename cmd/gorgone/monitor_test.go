package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"gorgone/metrics"
	"gorgone/web"
)

func TestMonitorFollowsTheRole(t *testing.T) {
	t.Parallel()
	a := &app{log: zerolog.Nop(), registry: prometheus.NewRegistry()}
	a.metrics = metrics.New(a.registry, "test")
	a.cfg.Monitor.Listen = "127.0.0.1:0"
	m, err := a.newMonitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer m.serve()()
	address := m.listener.Addr().String()
	var broken error
	check := func(step, want string) {
		t.Helper()
		if err := askHealth(t.Context(), address, "/healthz"); err != nil {
			t.Errorf("%s: not alive: %v", step, err)
		}
		err := askHealth(t.Context(), address, "/readyz")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", step, err, want)
		}
	}
	check("before all is open", "role: starting")
	m.running([]web.Check{
		{Name: "database", Run: func(context.Context) error { return broken }},
		{Name: "nats", Run: func(context.Context) error { return nil }},
	})
	check("all is well", "")
	broken = errors.New("password authentication failed")
	check("a check fails", "not ready: database: failed")
	if err := askHealth(t.Context(), address, "/readyz"); strings.Contains(err.Error(), "password") {
		t.Errorf("the answer tells more than which check failed: %v", err)
	}
	broken = nil
	m.stopping()
	check("asked to stop", "role: stopping")

	res, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(body), `gorgone_build_info{version="test"} 1`) {
		t.Errorf("metrics: %v\n%.300s", err, body)
	}
}

func TestMonitorIsOptional(t *testing.T) {
	t.Parallel()
	m, err := (&app{}).newMonitor(t.Context())
	if m != nil || err != nil {
		t.Fatalf("%v %v", m, err)
	}
	m.running(nil)
	m.stopping()
	m.serve()()
}

func TestMonitorNeedsItsAddress(t *testing.T) {
	t.Parallel()
	a := &app{log: zerolog.Nop(), registry: prometheus.NewRegistry()}
	a.cfg.Monitor.Listen = "127.0.0.1:0"
	first, err := a.newMonitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.cfg.Monitor.Listen = first.listener.Addr().String()
	if _, err := a.newMonitor(t.Context()); exitCode(err) != exitUsage || !strings.Contains(err.Error(), "GORGONE_METRICS_ADDR") {
		t.Errorf("on a taken address: %v", err)
	}
	first.serve()()
	if _, code := gorgone(t, "", "health", "--address", a.cfg.Monitor.Listen); code != exitFailed {
		t.Errorf("health of nobody: exit %d", code)
	}
	if _, code := gorgone(t, "", "health", "--address", "nowhere"); code != exitUsage {
		t.Errorf("health of no address: exit %d", code)
	}
}
