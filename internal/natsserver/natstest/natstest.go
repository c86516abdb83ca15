// Package natstest runs NATS servers for tests.
package natstest

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"gorgone/internal/natsserver"
)

// Server is a NATS server of a test. It listens on a free port of the loopback
// interface and keeps its streams in the test's temporary folder.
type Server struct {
	tb   testing.TB
	opts natsserver.Options
	*natsserver.Server
}

// Start starts a server that stops with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{tb: tb, opts: natsserver.Options{
		StoreDir: tb.TempDir(),
		Port:     -1,
		Log:      zerolog.New(zerolog.NewTestWriter(tb)).Level(zerolog.ErrorLevel),
	}}
	s.start()
	tb.Cleanup(func() { s.Stop() })
	return s
}

func (s *Server) start() {
	s.tb.Helper()
	server, err := natsserver.Start(s.opts)
	if err != nil {
		s.tb.Fatalf("natstest: %v", err)
	}
	s.Server = server
	// A restart comes back at the same address.
	s.opts.Port = port(s.tb, server.ClientURL())
}

// Restart stops the server and starts it again at the same address. Streams on
// disk are kept, those in memory are lost.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Stop()
	s.start()
}

// Resume starts a stopped server again; see [Server.Restart].
func (s *Server) Resume() {
	s.tb.Helper()
	s.start()
}

// Wipe is [Server.Restart] with an empty store: everything is gone.
func (s *Server) Wipe() {
	s.tb.Helper()
	s.Stop()
	s.opts.StoreDir = s.tb.TempDir()
	s.start()
}

// Backup is [Server.Restart] with a copy made of what is on disk, for [Server.Restore].
func (s *Server) Backup() (dir string) {
	s.tb.Helper()
	s.Stop()
	dir = s.tb.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.opts.StoreDir)); err != nil {
		s.tb.Fatalf("natstest: %v", err)
	}
	s.start()
	return dir
}

// Restore is [Server.Restart] with what was on disk when the backup was made.
func (s *Server) Restore(backup string) {
	s.tb.Helper()
	s.Stop()
	s.opts.StoreDir = backup
	s.start()
}

// Connect returns a bare connection for looking at, or breaking, what is under test.
func (s *Server) Connect(tb testing.TB) *nats.Conn {
	tb.Helper()
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		tb.Fatalf("natstest: %v", err)
	}
	tb.Cleanup(nc.Close)
	return nc
}

func port(tb testing.TB, url string) int {
	tb.Helper()
	_, text, err := net.SplitHostPort(strings.TrimPrefix(url, "nats://"))
	if err != nil {
		tb.Fatalf("natstest: %v", err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatalf("natstest: %v", err)
	}
	return n
}
