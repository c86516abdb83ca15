// Package postgres runs a private Postgres server as a child process: from the
// newest installed binaries, or from downloaded ones. Unless told otherwise it listens
// on a free loopback port only, and it asks for a random password.
//
// The server lives no longer than the process that started it. On Linux the
// kernel tells it to shut down when that process dies, however it dies; elsewhere
// the next Start over the same folder stops what was left running.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
)

const (
	// superuser and database are what a server is made with.
	superuser = "gorgone"
	database  = "gorgone"

	startTimeout = 60 * time.Second // recovery after a crash may take a while
	stopTimeout  = 20 * time.Second // a fast shutdown writes a checkpoint
	pollEvery    = 20 * time.Millisecond

	// portTries is how often another port is tried when a free one was taken by
	// another process before Postgres got it.
	portTries = 5
)

// ErrInUse is returned when another process runs a server in the data folder.
var ErrInUse = errors.New("data folder is in use by another process")

// Options says how to run a server.
type Options struct {
	DataDir string         // where everything is kept; made when missing
	Host    string         // address to listen on; "": 127.0.0.1. Its whole network may log in; needs a Port
	Port    int            // to listen on; 0: any free one
	Log     zerolog.Logger // what is started and stopped, and why

	// Replicated lets standbys follow the server.
	Replicated bool

	// Primary is the address of a server to be a standby of, which must be Replicated. There
	// must be no database in DataDir: it becomes a copy of the primary's. A standby that was
	// promoted is Replicated.
	Primary string

	// Unsafe turns off everything that makes commits survive a crash of the
	// machine; a crash of the server they do survive. For tests.
	Unsafe bool

	// Start starts the processes that listen and connect, where Host is; nil: (*exec.Cmd).Start.
	Start func(*exec.Cmd) error

	// SharedBuffers is the memory that the server keeps pages in; "": 128MB.
	SharedBuffers string
}

func (o Options) host() string { return cmp.Or(o.Host, "127.0.0.1") }

func (o Options) start(cmd *exec.Cmd) error {
	if o.Start == nil {
		return cmd.Start()
	}
	return o.Start(cmd)
}

// Server is a running Postgres server.
type Server struct {
	url     string
	port    int
	log     zerolog.Logger
	lock    *folderLock
	process *process
}

// Start starts a server, making its data folder first when there is none. A
// server that an earlier process left running in the folder is stopped before.
//
// As root the server runs as the user postgres, or nobody, because Postgres
// refuses root. When that user can not reach DataDir (below /root, say), the
// database is kept in /var/lib/gorgone instead, which is logged.
func Start(ctx context.Context, options Options) (*Server, error) {
	home, err := openHome(options.DataDir)
	if err != nil {
		return nil, err
	}
	lock, err := lockFolder(home.dir)
	if err != nil {
		return nil, err
	}
	s := &Server{log: options.Log, lock: lock}
	if err := s.start(ctx, home, options); err != nil {
		return nil, errors.Join(fmt.Errorf("start postgres in %s: %w", home.dir, err), s.Stop())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, home home, options Options) error {
	if home.moved() {
		s.log.Warn().Str("user", home.owner.name).Str("data_dir", home.dir).Str("database_dir", home.base).
			Msg("the user that runs postgres can not reach the data folder; the database is kept elsewhere")
	}
	if err := stopOrphan(ctx, home.cluster(), s.log); err != nil {
		return err
	}
	bin, err := findBinaries(ctx, home)
	if err != nil {
		return err
	}
	var password string
	if options.Primary == "" {
		password, err = home.ensureCluster(ctx, bin, options)
	} else {
		password, err = home.copyCluster(ctx, bin, options)
	}
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		port := options.Port
		if port == 0 {
			if port, err = freePort(ctx); err != nil {
				return err
			}
		}
		s.url, s.port = connectionURL(password, options.host(), port, database), port
		began := time.Now()
		s.process, err = startProcess(home.owner, options.start, filepath.Join(home.dir, "postgres.log"), bin.path("postgres"), settings(home, port, options)...)
		if err != nil {
			return err
		}
		err = s.waitReady(ctx, connectionURL(password, options.host(), port, "postgres"))
		if err == nil {
			s.log.Info().Str("version", bin.version).Int("port", port).Int("pid", s.process.pid()).
				Dur("took", time.Since(began)).Msg("postgres started")
			return nil
		}
		if !s.process.exited() || try == portTries || options.Port != 0 || !portTaken(port) {
			return fmt.Errorf("%w\n%s", err, s.process.logTail())
		}
	}
}

// settings are the arguments the server is started with. They suit a laptop.
func settings(home home, port int, options Options) []string {
	values := [][2]string{
		{"listen_addresses", options.host()},
		{"port", strconv.Itoa(port)},
		{"unix_socket_directories", ""},
		{"max_connections", "200"},
		{"shared_buffers", cmp.Or(options.SharedBuffers, "128MB")},
		{"max_wal_size", "2GB"},
		{"wal_level", "minimal"},
		{"max_wal_senders", "0"},
		{"wal_compression", "on"},
		{"random_page_cost", "1.1"}, // solid-state disk
		{"jit", "off"},              // all statements are short
		{"autovacuum_naptime", "15s"},
		{"timezone", "UTC"},
		{"log_timezone", "UTC"},
		{"logging_collector", "off"},
		{"log_checkpoints", "off"},
	}
	if options.Replicated || options.Primary != "" {
		values = append(values, [][2]string{
			{"wal_level", "replica"},
			{"max_wal_senders", "5"},
			{"wal_keep_size", "512MB"}, // for a standby that is cut off for a while
		}...)
	}
	if options.Unsafe {
		values = append(values, [][2]string{
			{"fsync", "off"},
			{"full_page_writes", "off"},
			{"shared_buffers", "16MB"},
			{"autovacuum", "off"},
			{"deadlock_timeout", "50ms"},
		}...)
	}
	args := []string{"-D", home.cluster()}
	for _, v := range values {
		args = append(args, "-c", v[0]+"="+v[1])
	}
	return args
}

// waitReady waits until the server takes connections, and makes our database.
func (s *Server) waitReady(ctx context.Context, admin string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("no answer within %s", startTimeout))
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := createDatabase(ctx, admin)
		if err == nil {
			return nil
		}
		var refused interface{ SQLState() string }
		if errors.As(err, &refused) && refused.SQLState() != "57P03" { // cannot_connect_now
			return err
		}
		select {
		case <-tick.C:
		case <-s.process.done:
			return fmt.Errorf("postgres ended before it was ready: %w", s.process.waitError())
		case <-ctx.Done():
			return fmt.Errorf("wait for postgres: %w (last: %w)", context.Cause(ctx), err)
		}
	}
}

func createDatabase(ctx context.Context, admin string) error {
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing was left to send
	var exists bool
	if err := conn.QueryRow(ctx, `select exists (select from pg_database where datname = $1)`, database).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, `create database `+pgx.Identifier{database}.Sanitize())
	return err
}

// URL returns the connection URL of the server's database, with its password.
func (s *Server) URL() string { return s.url }

// Done is closed when the server has ended, by Stop or by itself.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// Stop shuts the server down and waits until it is gone: open transactions are
// rolled back and a checkpoint is written, so that the next start is quick. A
// server that does not follow within 20 s is killed, which loses no commit.
func (s *Server) Stop() error {
	defer s.lock.release()
	if s.process == nil || s.process.exited() {
		return nil
	}
	s.process.signal(syscall.SIGINT) // "fast" shutdown
	if s.process.waitFor(stopTimeout) {
		s.log.Info().Msg("postgres stopped")
		return nil
	}
	s.log.Warn().Dur("after", stopTimeout).Msg("postgres did not stop in time and is told to quit at once")
	return s.Abort()
}

// Abort has the server quit at once ("immediate" shutdown), as if it had crashed:
// connections break off, and the next start recovers what was committed.
func (s *Server) Abort() error {
	defer s.lock.release()
	if s.process == nil || s.process.exited() {
		return nil
	}
	s.process.signal(syscall.SIGQUIT)
	if s.process.waitFor(stopTimeout) {
		s.log.Info().Msg("postgres aborted")
		return nil
	}
	return fmt.Errorf("postgres (process %d) does not end", s.process.pid())
}

// Crash ends the server as a crash would ("immediate" shutdown): at once, with no
// word to those connected. What was committed is there at the next start.
func (s *Server) Crash() error {
	defer s.lock.release()
	s.process.signal(syscall.SIGQUIT)
	if s.process.waitFor(stopTimeout) {
		return nil
	}
	return fmt.Errorf("postgres (process %d) does not end", s.process.pid())
}

// Port returns the port that the server listens on.
func (s *Server) Port() int { return s.port }

func connectionURL(password, host string, port int, name string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, password),
		Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: "/" + name, RawQuery: "sslmode=disable",
	}
	return u.String()
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("find a free port: odd address %s", l.Addr())
	}
	return addr.Port, nil
}

// portTaken reports whether the port is in use.
func portTaken(port int) bool {
	conn, err := net.DialTimeout("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// Remove deletes a data folder and the database kept for it, wherever that is.
// It returns [ErrInUse] while a process runs the server.
func Remove(ctx context.Context, dataDir string, log zerolog.Logger) error {
	if _, err := os.Stat(dataDir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	home, err := openHome(dataDir)
	if err != nil {
		return err
	}
	lock, err := lockFolder(home.dir)
	if err != nil {
		return err
	}
	defer lock.release()
	if err := stopOrphan(ctx, home.cluster(), log); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(home.base), os.RemoveAll(home.dir))
}
