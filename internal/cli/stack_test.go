package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/internal/devstack/runfile"
	"gorgone/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.Main(m)
}

// gorgone runs a subcommand as the program does, and returns what it printed and
// its exit code.
func gorgone(t *testing.T, stdin string, args ...string) (out string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := New(strings.NewReader(stdin), &stdout, &stderr, "")
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		code = ExitCode(err)
		t.Logf("gorgone %s: exit %d: %v", strings.Join(args, " "), code, err)
	}
	return stdout.String(), code
}

// up is a running "gorgone up".
type up struct {
	t    *testing.T
	dir  string
	stop func() error // asks it to stop, and waits
}

// startUp starts it in a data folder, and waits until other commands find it.
func startUp(t *testing.T, dir string, args ...string) *up {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var log bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		root := New(strings.NewReader(""), &log, &log, "")
		root.SetArgs(append([]string{"up", "--data-dir", dir}, args...))
		ended <- root.ExecuteContext(ctx)
	}()
	var stopped bool
	u := &up{t: t, dir: dir}
	u.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := u.stop(); err != nil {
			t.Errorf("gorgone up: %v", err)
		}
		if t.Failed() {
			t.Logf("log of gorgone up:\n%s", tail(log.String(), 60))
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := runfile.Read(dir); err == nil {
			return u
		}
		select {
		case err := <-ended:
			stopped = true
			t.Fatalf("gorgone up ended: %v\n%s", err, log.String())
		case <-tick.C:
		}
	}
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(len(all)-lines, 0):], "\n")
}

// dataDir is a folder that the user running Postgres can enter.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gorgone-up-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// in is u for a subtest.
func (u up) in(t *testing.T) *up {
	t.Helper()
	u.t = t
	return &u
}

// run runs a subcommand against the running up; it must succeed.
func (u *up) run(args ...string) string {
	u.t.Helper()
	out, code := gorgone(u.t, "", append(args, "--data-dir", u.dir)...)
	if code != 0 {
		u.t.Fatalf("gorgone %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func (u *up) stats() (s stats) {
	u.t.Helper()
	if err := json.Unmarshal([]byte(u.run("stats", "--json")), &s); err != nil {
		u.t.Fatal(err)
	}
	return s
}

// until waits until the statistics satisfy f. It returns all tiers that were
// seen in between.
func (u *up) until(what string, f func(stats) bool) (seen map[engagement.Tier]bool) {
	u.t.Helper()
	seen = make(map[engagement.Tier]bool)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(90 * time.Second)
	defer deadline.Stop()
	for {
		s := u.stats()
		for tier, n := range map[engagement.Tier]int{engagement.UltraHot: s.UltraHot, engagement.Hot: s.Hot, engagement.Warm: s.Warm, engagement.Cold: s.Cold} {
			if n > 0 {
				seen[tier] = true
			}
		}
		if f(s) {
			return seen
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			u.t.Fatalf("%s: not reached: %+v", what, s)
		}
	}
}

// running is how others find it.
func (u *up) running() runfile.File {
	u.t.Helper()
	r, err := runfile.Read(u.dir)
	if err != nil {
		u.t.Fatal(err)
	}
	return r
}

func (u *up) sql() *pgx.Conn {
	u.t.Helper()
	r := u.running()
	conn, err := pgx.Connect(u.t.Context(), r.DatabaseURL)
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(u.t.Context())) })
	return conn
}

func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := New(strings.NewReader(""), &out, &out, "")
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}
