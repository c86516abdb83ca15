package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/internal/enginetest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/twitter/fakeprovider"
)

// programVariable makes the test binary the program itself, with its arguments.
const programVariable = "GORGONE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		_ = os.Unsetenv(programVariable)
		main()
		os.Exit(0)
	}
	testkit.Main(m)
}

// program is the program running as a process of its own.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  bytes.Buffer // to be read when it has ended
	wait func() error
}

// startProgram starts it; the test's end kills it.
func startProgram(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], args...)} // #nosec G204 -- this very program
	p.cmd.Env = append(append(os.Environ(), programVariable+"=1"), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.wait = sync.OnceValue(p.cmd.Wait)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.wait()
		if t.Failed() {
			t.Logf("log of gorgone %v:\n%s", args, tail(p.log.String(), 20))
		}
	})
	return p
}

func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Error(err)
	}
}

// TestWorkerProcessStops ends worker processes in the middle of a call, which the
// provider answers late or never: by SIGTERM, which waits for the call; by a second
// signal, which does not; by SIGKILL. Nothing is lost: a successor sees every tweet,
// each once.
func TestWorkerProcessStops(t *testing.T) {
	t.Parallel()
	const tweets = 100 // two calls
	g := enginetest.On(t, pgtest.NewDatabase(t), queue.Config{Prefix: "ENG", AckWait: 4 * time.Second, Lease: time.Minute, Memory: true})
	double, url := g.FakeProvider(t, tweets, fakeprovider.Config{Latency: 1500 * time.Millisecond})
	if _, err := g.Store.Track(t.Context(), g.Zone.ID, enginetest.Tweets(double)); err != nil {
		t.Fatal(err)
	}
	sql := pgtest.Connect(t, g.URL)
	env := []string{
		"DATABASE_URL=" + g.URL, "NATS_URL=" + g.NATS.ClientURL(), "GORGONE_STREAM_MEMORY=true", "GORGONE_BATCH_TWEETS=50",
		"TWITTER_API_KEY=" + enginetest.ProviderKey, "TWITTER_API_URL=" + url, "TWITTER_RATE=50", "TWITTER_BALANCE_EVERY=0s",
		"TWITTER_TIMEOUT=10s", "GORGONE_GRACE=1m", "GORGONE_BATCH_SLOTS=1",
	}
	// It goes on: a batch that a worker on a busy machine releases is claimed again.
	startProgram(t, env, "dispatcher")
	// begin starts a worker and waits until it is in a call, with the fault if any.
	begin := func(fault fakeprovider.Fault) *program {
		t.Helper()
		if fault != "" {
			if err := double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fault, Next: 1}}}); err != nil {
				t.Fatal(err)
			}
		}
		before := double.Stats().Calls
		p := startProgram(t, env, "worker")
		reach(t, "a call is under way", func() bool { return double.Stats().Calls > before })
		return p
	}

	killed := begin(fakeprovider.Hang)
	killed.signal(syscall.SIGKILL)
	_ = killed.wait()
	twice := begin(fakeprovider.Hang)
	twice.signal(syscall.SIGTERM)
	// Though a call is under way and most of a minute of grace is left.
	reach(t, "the second signal ends it", func() bool {
		_ = twice.cmd.Process.Signal(syscall.SIGTERM)
		return twice.gone()
	})
	if err := twice.wait(); err == nil {
		t.Error("a worker that was ended by a second signal exits 0")
	}
	if n := seenOnce(t, sql); n != 0 {
		t.Errorf("%d tweets were seen by workers that were ended in a call", n)
	}

	orderly := begin("")
	orderly.signal(syscall.SIGTERM)
	if err := orderly.wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if n := seenOnce(t, sql); n < 50 {
		t.Errorf("%d tweets were seen by the worker that was let finish, want those of its call", n)
	}
	if seenOnce(t, sql) < tweets { // its calls may have been all there are
		last := startProgram(t, env, "worker")
		reach(t, "all tweets are seen", func() bool { return seenOnce(t, sql) == tweets })
		last.signal(syscall.SIGTERM)
		if err := last.wait(); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
	}
	var points int
	if err := sql.QueryRow(t.Context(), `select count(*) from twitter_engagement_history`).Scan(&points); err != nil || points != tweets {
		t.Errorf("%d snapshots of %d tweets, %v", points, tweets, err)
	}
}

// gone reports whether the process has ended, by Linux's word.
func (p *program) gone() bool {
	state, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	return err != nil || bytes.Contains(state, []byte(") Z "))
}

func seenOnce(t *testing.T, sql *pgx.Conn) (n int) {
	t.Helper()
	if err := sql.QueryRow(t.Context(), `select count(*) from twitter_engagement_tracking where update_count = 1 and attempts = 0`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
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

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(len(all)-lines, 0):], "\n")
}
