package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/internal/devstack/runfile"
	"gorgone/internal/postgres"
	"gorgone/internal/testkit"
	pg "gorgone/store/postgres"
)

// programVariable makes the test binary the program itself, with its arguments.
const programVariable = "GORGONE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		_ = os.Unsetenv(programVariable)
		os.Exit(beProgram())
	}
	testkit.Main(withMade{m})
}

// beProgram is the program in a process of its own, until it is interrupted.
func beProgram() (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := New(os.Stdin, os.Stdout, os.Stderr, "").ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return ExitCode(err)
	}
	return 0
}

// programWith is a process of its own: the environment of a test that runs beside others is theirs too.
func programWith(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...) // #nosec G204 -- this very program
	cmd.Env = append(append(os.Environ(), programVariable+"=1"), env...)
	return cmd
}

// gorgoneWith is gorgone with variables of its own.
func gorgoneWith(t *testing.T, env []string, args ...string) (out string, code int) {
	t.Helper()
	cmd := programWith(t.Context(), env, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	printed, err := cmd.Output()
	if err != nil {
		t.Logf("gorgone %s: %v: %s", strings.Join(args, " "), err, tail(stderr.String(), 5))
	}
	return string(printed), cmd.ProcessState.ExitCode()
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
	var log bytes.Buffer
	return waitUp(t, dir, &log, func(ctx context.Context) error {
		root := New(strings.NewReader(""), &log, &log, "")
		root.SetArgs(append([]string{"up", "--data-dir", dir}, args...))
		return root.ExecuteContext(ctx)
	})
}

// startUpWith is startUp with variables of its own.
func startUpWith(t *testing.T, env []string, dir string, args ...string) *up {
	t.Helper()
	var log bytes.Buffer
	return waitUp(t, dir, &log, func(ctx context.Context) error {
		cmd := programWith(ctx, env, append([]string{"up", "--data-dir", dir}, args...)...)
		cmd.Stdout, cmd.Stderr = &log, &log
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		if err := cmd.Start(); err != nil {
			return err
		}
		err := cmd.Wait()
		if cmd.ProcessState.Success() {
			return nil // it was asked to stop
		}
		return err
	})
}

func waitUp(t *testing.T, dir string, log *bytes.Buffer, run func(context.Context) error) *up {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
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

// madeDir is a folder of which a stack has made the database before, which costs more than what most tests do with it.
func madeDir(t *testing.T) string {
	t.Helper()
	dir := dataDir(t)
	template, err := madeOnce()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", template, filepath.Join(dir, "postgres")).CombinedOutput(); err != nil { // #nosec G204 -- paths of ours
		t.Fatalf("copy a database: %v\n%s", err, out)
	}
	return dir
}

// made is where madeOnce has made a database; "": it has not.
var made string

// withMade are tests after which it is removed.
type withMade struct{ *testing.M }

func (w withMade) Run() int {
	defer func() { _ = os.RemoveAll(made) }()
	return w.M.Run()
}

// madeOnce makes the database that madeDir copies. What is written to the copies need not survive the machine.
var madeOnce = sync.OnceValues(func() (dir string, err error) {
	if made, err = os.MkdirTemp("", "gorgone-made-"); err != nil {
		return "", err
	}
	if err := os.Chmod(made, 0o711); err != nil { // #nosec G302 -- to be entered by the server's user
		return "", err
	}
	dir = filepath.Join(made, "postgres")
	ctx := context.Background()
	server, err := postgres.Start(ctx, postgres.Options{DataDir: dir, Unsafe: true})
	if err != nil {
		return "", err
	}
	_, err = pg.Migrate(ctx, server.URL())
	if err := errors.Join(err, server.Stop()); err != nil {
		return "", err
	}
	settings, err := os.OpenFile(filepath.Join(dir, "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return "", err
	}
	_, err = settings.WriteString("fsync = off\nfull_page_writes = off\n")
	return dir, errors.Join(err, settings.Close())
})

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
