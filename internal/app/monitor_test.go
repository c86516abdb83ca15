package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/web"
)

func TestMonitorFollowsTheRole(t *testing.T) {
	t.Parallel()
	m, err := NewProcess("test", "test", zerolog.Nop()).OpenMonitor(t.Context(), config.Monitor{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	address := m.Address()
	var broken error
	check := func(step, want string) {
		t.Helper()
		if _, err := AskHealth(t.Context(), address, Alive); err != nil {
			t.Errorf("%s: not alive: %v", step, err)
		}
		_, err := AskHealth(t.Context(), address, Ready)
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
	if _, err := AskHealth(t.Context(), address, Ready); strings.Contains(err.Error(), "password") {
		t.Errorf("the answer tells more than which check failed: %v", err)
	}
	m.running([]web.Check{
		{Name: "database", Run: func(context.Context) error { return nil }},
		{Name: "calls", Run: func(context.Context) error { return broken }, Advisory: true},
	})
	check("a check fails that is not the role's own fault", "")
	if failed, err := AskHealth(t.Context(), address, Ready); err != nil || !slices.Equal(failed, []string{"calls: failed"}) {
		t.Errorf("of the calls it is told %v, %v", failed, err)
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
	m, err := NewProcess("test", "test", zerolog.Nop()).OpenMonitor(t.Context(), config.Monitor{})
	if m != nil || err != nil {
		t.Fatalf("%v %v", m, err)
	}
	m.running(nil)
	m.stopping()
	m.Close()
	if a := m.Address(); a != "" {
		t.Errorf("it has the address %q", a)
	}
}

func TestMonitorNeedsItsAddress(t *testing.T) {
	t.Parallel()
	p := NewProcess("test", "test", zerolog.Nop())
	first, err := p.OpenMonitor(t.Context(), config.Monitor{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	taken := first.Address()
	if _, err := p.OpenMonitor(t.Context(), config.Monitor{Listen: taken}); failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), "GORGONE_METRICS_ADDR") {
		t.Errorf("on a taken address: %v", err)
	}
	first.Close()
	if _, err := AskHealth(t.Context(), taken, Alive); failure.KindOf(err) != failure.Other || err == nil {
		t.Errorf("health without a caller: %v", err)
	}
	if _, err := AskHealth(t.Context(), "nowhere", Alive); failure.KindOf(err) != failure.Usage {
		t.Errorf("health of no address: %v", err)
	}
}
