// Package pgtest gives tests databases on a real Postgres server.
//
// Each test process starts one server, when the first database is asked for, and
// stops it when its tests are done. A package that uses it has a TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }
//
// Durability is off: what a machine's crash would do is not tested.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"gorgone/internal/postgres"
	pg "gorgone/store/postgres"
)

const (
	template = "gorgone_template"
	timeout  = 2 * time.Minute // for any one step; it only ends what hangs
)

// shared is the server of this test process. A test binary has no other place
// to keep what its tests have in common.
var shared kit

type kit struct {
	running atomic.Bool // Run is under way
	start   sync.Once
	server  *postgres.Server
	dir     string

	// strategy makes Postgres copy a template file by file; its default since
	// version 15 takes seven times as long for a small one.
	strategy string
	err      error

	migrate    sync.Once
	migrateErr error

	// creating serialises the copies of the template: Postgres refuses to copy
	// a database that is in use, and a copy is a use.
	creating sync.Mutex
	count    atomic.Int64
}

// Run runs the tests of a package and stops the server they used, if any. Call
// it from TestMain and exit with its result.
func Run(m interface{ Run() int }) int {
	shared.running.Store(true)
	defer shared.stop() // also after a panic
	return m.Run()
}

// NewDatabase returns the URL of a new database that all migrations were applied
// to. It goes with the server: dropping it before costs more than it frees, since
// ext4 is slow to make files right after as many were deleted.
func NewDatabase(tb testing.TB) string {
	tb.Helper()
	shared.ensureServer(tb)
	shared.migrate.Do(func() { shared.migrateErr = shared.makeTemplate() })
	if shared.migrateErr != nil {
		tb.Fatalf("make the template database: %v", shared.migrateErr)
	}
	return shared.create(tb, template)
}

// ExampleDatabase is [NewDatabase] for an Example function, which has no testing.TB.
// It panics where that fails a test.
func ExampleDatabase() string {
	if err := shared.startOnce(); err != nil {
		panic(err)
	}
	shared.migrate.Do(func() { shared.migrateErr = shared.makeTemplate() })
	if shared.migrateErr != nil {
		panic(shared.migrateErr)
	}
	url, err := shared.copyOf(template)
	if err != nil {
		panic(err)
	}
	return url
}

// NewEmptyDatabase returns the URL of a new, empty database.
func NewEmptyDatabase(tb testing.TB) string {
	tb.Helper()
	shared.ensureServer(tb)
	return shared.create(tb, "template0")
}

// Connect returns a connection, for looking at a database past what is under test.
func Connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatalf("connect to a test database: %v", err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })
	return conn
}

func (k *kit) ensureServer(tb testing.TB) {
	tb.Helper()
	if err := k.startOnce(); err != nil {
		tb.Fatalf("start postgres for tests: %v", err)
	}
}

// startOnce starts the server, the first time that it is called.
func (k *kit) startOnce() error {
	if !k.running.Load() {
		return errors.New("no TestMain calls pgtest.Run: the server would be left running")
	}
	k.start.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		sweep(ctx)
		// Readable by the user that runs the server, unlike a folder of the
		// testing package's.
		if k.dir, k.err = os.MkdirTemp("", "gorgone-pgtest-"); k.err != nil {
			return
		}
		if k.err = os.Chmod(k.dir, 0o711); k.err != nil { // #nosec G302 -- to be entered by that user
			return
		}
		if k.server, k.err = postgres.Start(ctx, postgres.Options{DataDir: k.dir, Unsafe: true}); k.err != nil {
			return
		}
		k.strategy, k.err = k.copyStrategy(ctx)
	})
	return k.err
}

// copyStrategy returns the option to create a database with; before version 15
// there was none, and one way only.
func (k *kit) copyStrategy(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, k.server.URL())
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing was left to send
	var modern bool
	err = conn.QueryRow(ctx, `select current_setting('server_version_num')::int >= 150000`).Scan(&modern)
	if err != nil || !modern {
		return "", err
	}
	return "strategy file_copy", nil
}

func (k *kit) stop() {
	if k.server != nil {
		if err := k.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest: stop postgres:", err)
		}
	}
	if k.dir != "" {
		_ = os.RemoveAll(k.dir)
	}
}

// sweep removes what test processes that were killed have left behind.
func sweep(ctx context.Context) {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), "gorgone-pgtest-*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		// A young folder may be one that is being set up.
		if info, err := os.Stat(filepath.Join(dir, "lock")); err == nil && time.Since(info.ModTime()) > timeout {
			_ = postgres.Remove(ctx, dir, zerolog.Nop()) // in use: another test process
		}
	}
}

func (k *kit) makeTemplate() error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := k.exec(ctx, `create database `+template); err != nil {
		return err
	}
	_, err := pg.Migrate(ctx, k.url(template))
	return err
}

func (k *kit) create(tb testing.TB, from string) string {
	tb.Helper()
	url, err := k.copyOf(from)
	if err != nil {
		tb.Fatalf("create a test database: %v", err)
	}
	return url
}

func (k *kit) copyOf(from string) (url string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	name := fmt.Sprintf("test_%d", k.count.Add(1))
	k.creating.Lock()
	err = k.exec(ctx, fmt.Sprintf(`create database %s template %s %s`, name, from, k.strategy))
	k.creating.Unlock()
	return k.url(name), err
}

func (k *kit) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, k.server.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing was left to send
	_, err = conn.Exec(ctx, sql)
	return err
}

func (k *kit) url(name string) string {
	u, err := url.Parse(k.server.URL())
	if err != nil {
		panic("pgtest: the server's own url does not parse: " + strings.ReplaceAll(err.Error(), k.server.URL(), "…"))
	}
	u.Path = "/" + name
	return u.String()
}
