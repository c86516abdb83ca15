package lab_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorgone/internal/failure"
	"gorgone/internal/lab"
)

// program is the gorgone binary that the commands run.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gorgone-lab-test-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "gorgone")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", program, "gorgone/cmd/gorgone")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// run runs a command, and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, log bytes.Buffer
	cmd := lab.NewCommand(&out, &log, "test")
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	if t.Failed() || err != nil {
		t.Logf("%v: %v\n%s", args, err, log.String())
	}
	return out.String(), err
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"nosuch"},
		{"bench", "--tweets", "1", "--gorgone", program},
		{"bench", "--idle", "1.5", "--gorgone", program},
		{"bench", "--baseline", "nosuch", "--gorgone", program},
		{"bench", "extra"},
		{"bench", "--gorgone", filepath.Join(t.TempDir(), "nosuch")},
		{"bench", "--nosuch"},
		{"drill", "--without", "nosuch", "--gorgone", program},
		{"month", "--days", "1", "--gorgone", program},
		{"month", "extra"},
		{"scale", "--tracked", "1", "--gorgone", program},
		{"scale", "extra"},
		{"simulate", "--horizon", "1s"},
		{"bills", "--volume", "0"},
		{"bills", "--price", "0"},
		{"simulate", "--in-the-loop", "--speed", "0.5"},
	} {
		if _, err := run(t, args...); failure.KindOf(err) != failure.Usage {
			t.Errorf("%v: %v, want an error of usage", args, err)
		}
	}
	if out, err := run(t); err != nil || !strings.Contains(out, "simulate") {
		t.Errorf("without a command: %v\n%s", err, out)
	}
}

// A drill is refused before its folder is made, or that is taken away again.
func TestARefusedDrillLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	if _, err := run(t, "drill", "--tweets", "0", "--gorgone", program); failure.KindOf(err) != failure.Usage {
		t.Errorf("%v, want an error of usage", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	_, err = run(t, "drill", "--without", "nosuch", "--gorgone", program)
	if err == nil || !strings.Contains(err.Error(), "freeze") || !strings.Contains(err.Error(), "zeroed_counts") {
		t.Errorf("the faults that there are are not listed: %v", err)
	}
}

// TestBench takes the shortest run, and reads what it prints as those do who compare runs.
func TestBench(t *testing.T) {
	t.Parallel()
	baseline := filepath.Join(t.TempDir(), "baseline.json")
	if err := os.WriteFile(baseline, []byte(`{"wal_bytes": 1, "wire_bytes": 1, "round_trips": 1e-6, "allocations": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "bench", "--tweets", "1000", "--backlog", "2000", "--rounds", "1", "--duration", "6s", "--refreshes", "5", "--idle", "0.75",
		"--latency", "10ms", "--json", "--baseline", baseline, "--gorgone", program)
	for _, counter := range []string{"WAL", "wire", "round trips", "allocations"} {
		if err == nil || !strings.Contains(err.Error(), counter) {
			t.Errorf("%v, want an error that names the %s above the baseline", err, counter)
		}
	}
	type contender struct {
		TweetsPerSecond float64 `json:"tweets_per_s"`
		CPU             float64 `json:"cpu_s_per_100k"`
	}
	var got struct {
		Raw        contender `json:"raw"`
		RawHTTP    contender `json:"raw_http"`
		EndToEnd   contender `json:"end_to_end"`
		WAL        float64   `json:"wal_bytes"`
		Wire       float64   `json:"wire_bytes"`
		RoundTrips float64   `json:"round_trips"`
		Refresh    struct {
			P50 float64 `json:"p50"`
			P95 float64 `json:"p95"`
			P99 float64 `json:"p99"`
		} `json:"refresh_ms"`
		WorkerMiB float64 `json:"worker_mib"`
	}
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, c := range map[string]contender{"raw": got.Raw, "raw_http": got.RawHTTP, "end_to_end": got.EndToEnd} {
		if c.TweetsPerSecond <= 0 || c.CPU <= 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if got.WAL <= 0 || got.Wire <= 0 || got.RoundTrips <= 0 || got.WorkerMiB <= 0 {
		t.Errorf("printed:\n%s", out)
	}
	// The provider's latency is in each of them.
	if r := got.Refresh; r.P50 < 10 || r.P95 < r.P50 || r.P99 < r.P95 {
		t.Errorf("refreshes: %+v", r)
	}
}

// A role that does not run is an error, and nothing waits for it.
func TestBenchFailsWithARole(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "gorgone")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := run(t, "bench", "--tweets", "1000", "--gorgone", broken)
	if err == nil || !strings.Contains(err.Error(), "ended early") {
		t.Errorf("%v, want the error of the role", err)
	}
}

func TestDrill(t *testing.T) {
	t.Parallel()
	out, err := run(t, "drill", "--seed", "1", "--tweets", "100", "--duration", "5s", "--settle", "2m", "--gorgone", program)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Count(out, " OK ") != 11 {
		t.Errorf("printed:\n%s", out)
	}
}

func TestSimulate(t *testing.T) {
	t.Parallel()
	plots := t.TempDir()
	out, err := run(t, "simulate", "--tweets", "80", "--samples", "5", "--horizon", "12h", "--plots", plots)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"clairvoyant", "smart stop", "in the 80% interval"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed no %q:\n%s", want, out)
		}
	}
	if files, err := filepath.Glob(filepath.Join(plots, "*.svg")); err != nil || len(files) != 2 { // one a population
		t.Errorf("plots: %v %v", files, err)
	}
}

// TestBills reads the table: X charges for days, the others for look-ups, and ten times the
// tweets cost ten times as much.
func TestBills(t *testing.T) {
	t.Parallel()
	out, err := run(t, "bills", "--tweets", "80", "--volume", "100", "--volume", "1000", "--price", "16")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	type row struct{ looks, days, twitterapi, x, socialdata float64 }
	rows := make(map[string]row) // of the first population
	for line := range strings.Lines(out) {
		f := strings.Fields(strings.NewReplacer("adaptive, day pass", "aware", "as adaptive", "0 0").Replace(line))
		if len(f) != 11 || rows[f[0]+f[1]] != (row{}) {
			continue
		}
		var v [11]float64
		for i := 2; i < len(f); i++ {
			if v[i], err = strconv.ParseFloat(f[i], 64); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
		rows[f[0]+f[1]] = row{v[2], v[3], v[5], v[7], v[9]}
	}
	if len(rows) != 6 {
		t.Fatalf("%d rows:\n%s", len(rows), out)
	}
	for key, r := range rows {
		tweets := 100.0
		if strings.HasPrefix(key, "1000") {
			tweets = 1000
		}
		near := func(got, want float64) bool { return math.Abs(got-want) < 0.02*want }
		if !near(r.x, tweets*30*0.005*r.days) {
			t.Errorf("%s: X is paid %g dollars for %g days a tweet", key, r.x, r.days)
		}
		if !strings.HasSuffix(key, "aware") && (!near(r.twitterapi, tweets*30*0.00015*r.looks) || !near(r.socialdata, tweets*30*0.0002*r.looks)) {
			t.Errorf("%s: %g and %g dollars are paid for %g looks a tweet", key, r.twitterapi, r.socialdata, r.looks)
		}
	}
}

func TestSimulateInTheLoop(t *testing.T) {
	t.Parallel()
	out, err := run(t, "simulate", "--in-the-loop", "--speed", "3600", "--tweets", "40", "--samples", "5", "--horizon", "1h", "--price", "4")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"tiers, price 0", "adaptive, price 4", "over the tiers"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed no %q:\n%s", want, out)
		}
	}
}

// TestSimulateHistory reads the history of a running gorgone up, which is found by its
// data folder, as soon as it is long enough.
func TestSimulateHistory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // #nosec G302 -- Postgres may run as another user
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- likewise
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var log bytes.Buffer
	up := exec.CommandContext(ctx, program, "up", "--data-dir", dir, "--tweets", "200", "--spread", "30m", "--speed", "3600", "--listen", "127.0.0.1:0")
	up.Cancel = func() error { return up.Process.Signal(os.Interrupt) }
	up.Stderr = &log
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stop()
		_ = up.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	}()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	limit, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		out, err := run(t, "simulate", "--history", "--data-dir", dir, "--samples", "5", "--horizon", "1h")
		if err == nil && strings.Contains(out, "over the tiers") {
			return
		}
		select {
		case <-tick.C:
		case <-limit.Done():
			t.Fatalf("there is no history to simulate: %v\n%s", err, out)
		}
	}
}

// The product links nothing of what only tests and measurements need.
func TestTheProductDoesNotLinkTheLab(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "gorgone/cmd/gorgone").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		ours := strings.HasPrefix(dep, "gorgone/")
		if ours && (strings.Contains(dep, "/lab") || strings.Contains(dep, "test")) || strings.Contains(dep, "toxiproxy") || strings.HasPrefix(dep, "gonum.org/") {
			t.Errorf("gorgone links %s", dep)
		}
	}
}
