package enginetest

import (
	"context"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/internal/postgres"
	pg "gorgone/store/postgres"
)

// Postgres is a server of one test, that the test stops and starts again. It is
// reached at one address, though it takes another port each time.
type Postgres struct {
	URL string // of a migrated database

	tb     testing.TB
	dir    string
	server *postgres.Server

	mu     sync.Mutex
	target string // host and port of the server
}

// StartPostgres starts a server with a migrated database. It goes with the test.
func StartPostgres(tb testing.TB) *Postgres {
	tb.Helper()
	dir, err := os.MkdirTemp("", "gorgone-outage-") // the server's user must get there
	must(tb, err)
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(tb, os.Chmod(dir, 0o711)) // #nosec G302 -- for the server's user
	p := &Postgres{tb: tb, dir: dir}
	p.Start()
	tb.Cleanup(p.Stop)
	_, err = pg.Migrate(tb.Context(), p.server.URL())
	must(tb, err)

	var lc net.ListenConfig
	l, err := lc.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	must(tb, err)
	var relaying conc.WaitGroup
	relaying.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			relaying.Go(func() { p.relay(c) })
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		p.Stop()
		relaying.Wait()
	})
	u, err := url.Parse(p.server.URL())
	must(tb, err)
	u.Host = l.Addr().String()
	p.URL = u.String()
	return p
}

func (p *Postgres) relay(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	var d net.Dialer
	server, err := d.DialContext(context.WithoutCancel(p.tb.Context()), "tcp", target)
	if err != nil {
		return // as if nothing listened
	}
	defer server.Close()
	var back conc.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_, _ = io.Copy(server, client)
	_ = server.Close()
	back.Wait()
}

// Start starts the server, again.
func (p *Postgres) Start() {
	p.tb.Helper()
	server, err := postgres.Start(p.tb.Context(), postgres.Options{DataDir: p.dir, Unsafe: true, Log: zerolog.Nop()})
	must(p.tb, err)
	u, err := url.Parse(server.URL())
	must(p.tb, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server, p.target = server, u.Host
}

// Stop shuts the server down in good order. It does nothing while it is down.
func (p *Postgres) Stop() { p.end((*postgres.Server).Stop) }

// Abort has the server quit at once, as in a crash.
func (p *Postgres) Abort() { p.end((*postgres.Server).Abort) }

func (p *Postgres) end(how func(*postgres.Server) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return
	}
	if err := how(p.server); err != nil {
		p.tb.Errorf("stop postgres: %v", err)
	}
	p.server = nil
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
