package bench

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/sourcegraph/conc"
)

// wire counts what clients exchange with Postgres: the bytes of both directions above
// TCP, and the round trips.
type wire struct{ bytes, trips atomic.Int64 }

// turns finds the round trips in what a server sends: the server says that it is ready
// once for each time that a client asked it and waited, however the bytes are cut into
// packets.
type turns struct {
	header [5]byte // type and length of the message that has begun
	filled int
	rest   uint32 // bytes of its body that are still to come
}

// count returns how often the server says in the next bytes that it is ready.
func (t *turns) count(sent []byte) (ready int64) {
	for len(sent) > 0 {
		if t.rest > 0 {
			n := min(uint32(len(sent)), t.rest) // #nosec G115 -- a buffer's length
			sent, t.rest = sent[n:], t.rest-n
			continue
		}
		n := copy(t.header[t.filled:], sent)
		sent, t.filled = sent[n:], t.filled+n
		if t.filled < len(t.header) {
			continue
		}
		t.filled = 0
		t.rest = max(binary.BigEndian.Uint32(t.header[1:]), 4) - 4
		if t.header[0] == 'Z' {
			ready++
		}
	}
	return ready
}

// countingConn is a client's connection whose traffic is counted.
type countingConn struct {
	net.Conn

	wire  *wire
	turns turns
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.bytes.Add(int64(n))
	c.wire.trips.Add(c.turns.count(b[:n]))
	return n, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.wire.bytes.Add(int64(n))
	return n, err
}

// relay passes the connections of another process on, and counts what goes over them.
type relay struct {
	wire

	listener net.Listener
	target   string
	wait     conc.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn
}

func newRelay(ctx context.Context, target string) (*relay, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{listener: l, target: target}
	r.wait.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			server, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, client, server)
			r.mu.Unlock()
			counted := &countingConn{Conn: server, wire: &r.wire}
			r.wait.Go(func() { pass(counted, client) })
			r.wait.Go(func() { pass(client, counted) })
		}
	})
	return r, nil
}

func (r *relay) addr() string { return r.listener.Addr().String() }

// pass copies until either side ends. It hides what the two are, since the short-cuts
// that io.Copy knows for sockets would go past the counting.
func pass(to io.WriteCloser, from io.Reader) {
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 64<<10)) // a process that ended
	_ = to.Close()
}

func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.wait.Wait()
}
