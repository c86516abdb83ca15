package storetest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// pgBouncer returns PgBouncer's program: the one that GORGONE_TEST_PGBOUNCER names, or
// that of the system.
func pgBouncer(tb testing.TB) string {
	tb.Helper()
	if program := os.Getenv("GORGONE_TEST_PGBOUNCER"); program != "" {
		return program
	}
	for _, program := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} { // Debian's is in no user's PATH
		if found, err := exec.LookPath(program); err == nil {
			return found
		}
	}
	tb.Fatal("PgBouncer is needed: install your system's package (apt-get install pgbouncer), or name its program in GORGONE_TEST_PGBOUNCER")
	return ""
}

// PgBouncer runs PgBouncer in front of a database until the test ends and returns the url
// that leads through it. Settings are lines of its configuration; without, it pools
// transactions.
func PgBouncer(tb testing.TB, direct string, settings ...string) string {
	tb.Helper()
	program := pgBouncer(tb)
	u, err := url.Parse(direct)
	if err != nil {
		tb.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(tb.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	dir, err := os.MkdirTemp("", "gorgone-pgbouncer-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	password, _ := u.User.Password()
	config := filepath.Join(dir, "pgbouncer.ini")
	users := filepath.Join(dir, "users.txt")
	files := map[string]string{
		users: fmt.Sprintf("%q %q\n", u.User.Username(), password),
		config: fmt.Sprintf(`[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
max_client_conn = 200
%s
`, u.Hostname(), u.Port(), port, users, strings.Join(append([]string{"pool_mode = transaction", "default_pool_size = 8"}, settings...), "\n")),
	}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil { // #nosec G306 -- read by another user
			tb.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- likewise
		tb.Fatal(err)
	}
	args := []string{config}
	if os.Geteuid() == 0 {
		args = []string{"-u", "nobody", config}
	}
	cmd := exec.CommandContext(tb.Context(), program, args...) // #nosec G204 G702 -- named by who runs the tests
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, u.String()) // it leaves nothing behind
		if err == nil {
			_ = conn.Close(ctx)
			return u.String()
		}
		if ctx.Err() != nil {
			tb.Fatalf("pgbouncer does not answer: %v", err)
		}
	}
}
