package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"gorgone/internal/postgres"
)

// ownerVariable makes the test binary a process that starts a server in the named
// folder and waits to be killed.
const ownerVariable = "GORGONE_TEST_OWN_SERVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerVariable); dir != "" {
		server, err := postgres.Start(context.Background(), postgres.Options{DataDir: dir, Unsafe: true})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(server.URL())
		<-server.Done()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// folder returns a data folder that every user can reach the parents of.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gorgone-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := postgres.Remove(context.Background(), dir, zerolog.Nop()); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "postgres")
}

func start(t *testing.T, dir string) *postgres.Server {
	t.Helper()
	return startWith(t, postgres.Options{DataDir: dir, Unsafe: true})
}

func startWith(t *testing.T, options postgres.Options) *postgres.Server {
	t.Helper()
	server, err := postgres.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func exec1(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // a test's connection
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, dsn, sql string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // a test's connection
	var n int
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestServer(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := start(t, dir)
	exec1(t, server.URL(), `create table kept (n int); insert into kept values (1)`)

	t.Run("is in use", func(t *testing.T) {
		_, err := postgres.Start(t.Context(), postgres.Options{DataDir: dir})
		if !errors.Is(err, postgres.ErrInUse) {
			t.Errorf("second start: %v, want ErrInUse", err)
		}
		if err := postgres.Remove(t.Context(), dir, zerolog.Nop()); !errors.Is(err, postgres.ErrInUse) {
			t.Errorf("remove while running: %v, want ErrInUse", err)
		}
	})
	t.Run("asks for its password", func(t *testing.T) {
		u, err := url.Parse(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(u.User.Username(), "guess")
		if conn, err := pgx.Connect(t.Context(), u.String()); err == nil {
			_ = conn.Close(t.Context())
			t.Error("a wrong password was let in")
		}
	})
	t.Run("keeps its password to itself", func(t *testing.T) {
		info, err := os.Stat(filepath.Join(dir, "password"))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("password file has mode %v", info.Mode())
		}
	})
	t.Run("listens on loopback only", func(t *testing.T) {
		if n := count(t, server.URL(), `select count(*)::int from pg_settings where name = 'listen_addresses' and setting = '127.0.0.1'`); n != 1 {
			t.Error("listens elsewhere")
		}
	})

	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if conn, err := pgx.Connect(t.Context(), server.URL()); err == nil {
		_ = conn.Close(t.Context())
		t.Error("still answers after Stop")
	}
	again := start(t, dir)
	if n := count(t, again.URL(), `select count(*)::int from kept`); n != 1 {
		t.Errorf("%d rows after a restart, want 1", n)
	}
}

func TestDurableByDefault(t *testing.T) {
	t.Parallel()
	server, err := postgres.Start(t.Context(), postgres.Options{DataDir: folder(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop() //nolint:errcheck // the test is over
	const safe = `select count(*)::int from pg_settings
		where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'on'`
	if n := count(t, server.URL(), safe); n != 3 {
		t.Errorf("%d of 3 durability settings are on", n)
	}
}

func TestStartOverACrashedServer(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := startWith(t, postgres.Options{DataDir: dir}) // commits must be on disk
	exec1(t, server.URL(), `create table kept (n int); insert into kept values (1)`)
	kill(t, postmaster(t, dir))
	<-server.Done()
	if err := server.Stop(); err != nil {
		t.Errorf("stop a server that has died: %v", err)
	}
	again := start(t, dir)
	if n := count(t, again.URL(), `select count(*)::int from kept`); n != 1 {
		t.Errorf("%d rows after a crash, want 1", n)
	}
}

// TestOwnerKilled kills the process that started the server: the server must not
// outlive it for long, and the next start must work whether it has ended or not.
func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = append(os.Environ(), ownerVariable+"="+dir)
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, strings.TrimSpace(line), `create table kept (n int); insert into kept values (1)`)
	orphan := postmaster(t, dir)
	kill(t, owner.Process.Pid)
	_ = owner.Wait()

	server := start(t, dir)
	if n := count(t, server.URL(), `select count(*)::int from kept`); n != 1 {
		t.Errorf("%d rows after the owner was killed, want 1", n)
	}
	if pid := postmaster(t, dir); pid == orphan {
		t.Error("the orphan still serves the folder")
	}
	if !gone(t.Context(), orphan) {
		t.Errorf("the orphan (process %d) is still running", orphan)
	}
}

// TestForeignPidFile starts over a pid file whose number now belongs to a process
// that is not Postgres.
func TestForeignPidFile(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if err := start(t, dir).Stop(); err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(clusterDir(t, dir), "postmaster.pid")
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir) // fails the test when it can not, or when this process is stopped
}

// TestPrivateFolder starts below a folder that only its user can enter, which
// matters when a root's server runs as another user.
func TestPrivateFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	server, err := postgres.Start(t.Context(), postgres.Options{DataDir: dir, Unsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, server.URL(), `select 1`); n != 1 {
		t.Error("does not answer")
	}
	cluster := clusterDir(t, dir)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Remove(t.Context(), dir, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{dir, cluster} {
		if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left after Remove: %v", left, err)
		}
	}
}

// clusterDir returns where Postgres keeps the database of a data folder.
func clusterDir(t *testing.T, dir string) string {
	t.Helper()
	cluster, err := postgres.ClusterDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

func postmaster(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(clusterDir(t, dir), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// gone waits until the process has ended.
func gone(ctx context.Context, pid int) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return postgres.WaitGone(ctx, pid)
}

// What a synchronous standby has confirmed is there when its primary is gone for good, and
// it takes writes once it is promoted.
func TestStandby(t *testing.T) {
	t.Parallel()
	primary := startWith(t, postgres.Options{DataDir: folder(t), Replicated: true, Unsafe: true})
	dir := folder(t)
	standby := startWith(t, postgres.Options{DataDir: dir, Primary: primary.URL(), Unsafe: true})
	exec1(t, primary.URL(), `alter system set synchronous_standby_names = '*'`)
	exec1(t, primary.URL(), `select pg_reload_conf()`)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for count(t, primary.URL(), `select count(*)::int from pg_stat_replication where sync_state = 'sync'`) == 0 {
		<-tick.C // the test's own limit ends it
	}
	exec1(t, primary.URL(), `create table kept (n int)`)
	exec1(t, primary.URL(), `insert into kept values (1)`)
	if n := count(t, standby.URL(), `select pg_is_in_recovery()::int`); n != 1 {
		t.Error("the standby is none")
	}
	if err := primary.Crash(); err != nil {
		t.Fatal(err)
	}
	exec1(t, standby.URL(), `select pg_promote(true, 60)`)
	exec1(t, standby.URL(), `insert into kept values (2)`)
	if n := count(t, standby.URL(), `select count(*)::int from kept`); n != 2 {
		t.Errorf("%d rows after the promotion, want 2", n)
	}
	if _, err := postgres.Start(t.Context(), postgres.Options{DataDir: dir, Primary: standby.URL()}); !errors.Is(err, postgres.ErrInUse) {
		t.Errorf("a standby in the folder of a running server: %v", err)
	}
}

// A server on an address of its own can be reached there, and nowhere else; and what is told
// to start its processes does.
func TestHost(t *testing.T) {
	t.Parallel()
	const host = "127.0.0.7"
	var started []string
	start := func(cmd *exec.Cmd) error {
		started = append(started, filepath.Base(cmd.Path))
		return cmd.Start()
	}
	port := freePort(t)
	primary := startWith(t, postgres.Options{DataDir: folder(t), Host: host, Port: port, Start: start, Replicated: true, Unsafe: true})
	if n := count(t, primary.URL(), `select 7`); n != 7 || !strings.Contains(primary.URL(), "@"+host+":") {
		t.Errorf("%d of %s", n, primary.URL())
	}
	if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
		_ = conn.Close()
		t.Errorf("it listens on 127.0.0.1:%d too", port)
	}
	startWith(t, postgres.Options{DataDir: folder(t), Host: "127.0.0.8", Port: freePort(t), Start: start, Primary: primary.URL(), Unsafe: true})
	if !slices.Equal(started, []string{"postgres", "pg_basebackup", "postgres"}) {
		t.Errorf("started %v", started)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
