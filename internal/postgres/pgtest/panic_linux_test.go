package pgtest_test

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/internal/postgres/pgtest"
)

// panicVariable makes the test binary a package whose test panics.
const panicVariable = "GORGONE_TEST_PANIC"

// TestPanic has a test process panic in the middle of a test: its server must not
// go on running.
func TestPanic(t *testing.T) {
	t.Parallel()
	if os.Getenv(panicVariable) != "" {
		pgtest.NewEmptyDatabase(t)
		panic("server " + strconv.Itoa(serverPID(t)))
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestPanic$")
	cmd.Env = append(os.Environ(), panicVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the test did not panic:\n%s", out)
	}
	m := regexp.MustCompile(`server (\d+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no server was started:\n%s", out)
	}
	pid, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("server %d is still running", pid)
		}
	}
}

// serverPID returns the process id of the server that the tests share.
func serverPID(t *testing.T) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.NewEmptyDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // a test's connection
	var text string
	if err := conn.QueryRow(t.Context(), `select pg_read_file('postmaster.pid')`).Scan(&text); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(regexp.MustCompile(`^\d+`).FindString(text))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
