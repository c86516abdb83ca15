package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/sourcegraph/conc"
)

// Wire stands between a program and Postgres. It counts the locks on tables and indexes that
// the program's transactions hold: it asks for their number after each statement, on the
// statement's own connection, before its transaction can end. And it breaks.
type Wire struct {
	mu    sync.Mutex
	most  int
	left  int  // statements until the break; 0: there is none
	after bool // the statement that it breaks at reaches the server
}

// BreakAt breaks the connection of the n-th statement from now, before the statement
// reaches the server, or after it did and before its answer. 0 takes it back.
func (m *Wire) BreakAt(n int, after bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.after = n, after
}

// breaks reports whether a statement is the one that the connection breaks at.
func (m *Wire) breaks() (now, after bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left == 0 {
		return false, false
	}
	m.left--
	return m.left == 0, m.after
}

// MostLocks returns the largest number since the last call.
func (m *Wire) MostLocks() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	most := m.most
	m.most = 0
	return most
}

func (m *Wire) saw(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.most = max(m.most, n)
}

// lockMark begins the answers to lockQuestion.
const lockMark = "relation-locks:"

// lockQuestion is what is sent after an Execute: Parse, Bind and Execute of a statement
// without a name.
func lockQuestion() []byte {
	sql := `select '` + lockMark + `' || count(*) from pg_catalog.pg_locks where pid = pg_backend_pid() and locktype = 'relation' and relation <> 'pg_locks'::regclass`
	var q []byte
	for _, m := range []struct {
		kind byte
		body string
	}{
		{'P', "\x00" + sql + "\x00\x00\x00"},
		{'B', "\x00\x00\x00\x00\x00\x00\x00\x00"},
		{'E', "\x00\x00\x00\x00\x00"},
	} {
		q = append(q, m.kind)
		q = binary.BigEndian.AppendUint32(q, uint32(len(m.body)+4)) // #nosec G115 -- short
		q = append(q, m.body...)
	}
	return q
}

// NewWire puts a wire before a database. The url that it returns leads through it until the
// test ends.
func NewWire(tb testing.TB, direct string) (through string, wire *Wire) {
	tb.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		tb.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(tb.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	wire = &Wire{}
	ctx, server := context.WithoutCancel(tb.Context()), u.Host
	var running conc.WaitGroup
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { wire.relay(ctx, client, server) })
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		running.Wait() // the pools are closed: their cleanups were added later
	})
	u.Host = l.Addr().String()
	return u.String(), wire
}

func (m *Wire) relay(ctx context.Context, client net.Conn, address string) {
	defer client.Close()
	var d net.Dialer
	server, err := d.DialContext(ctx, "tcp4", address)
	if err != nil {
		return
	}
	defer server.Close()
	var back conc.WaitGroup
	back.Go(func() {
		m.answers(client, server)
		_ = client.Close()
	})
	m.ask(server, client)
	_ = client.Close()
	_ = server.Close()
	back.Wait()
}

// ask passes on what the client sends, with the question after each Execute.
func (m *Wire) ask(server io.Writer, client io.Reader) {
	question := lockQuestion()
	var length [4]byte
	if _, err := io.ReadFull(client, length[:]); err != nil { // the first message has no kind
		return
	}
	first := make([]byte, binary.BigEndian.Uint32(length[:])-4)
	if _, err := io.ReadFull(client, first); err != nil {
		return
	}
	if _, err := server.Write(append(length[:], first...)); err != nil {
		return
	}
	for {
		message, err := nextMessage(client)
		if err != nil {
			return
		}
		cut, after := false, false
		if message[0] == 'E' || message[0] == 'Q' {
			if cut, after = m.breaks(); cut && !after {
				return
			}
		}
		if message[0] == 'E' {
			message = append(message, question...)
		}
		if _, err := server.Write(message); err != nil || cut {
			return
		}
	}
}

// answers passes on what the server sends, but for the answers to the questions:
// ParseComplete, BindComplete, one row and CommandComplete. After a BindComplete of its
// own the client always has the description of the rows first.
func (m *Wire) answers(client io.Writer, server io.Reader) {
	var held []byte // ParseComplete and BindComplete, which may be ours
	ours := false
	for {
		message, err := nextMessage(server)
		if err != nil {
			return
		}
		switch {
		case message[0] == '1' || message[0] == '2':
			held = append(held, message...)
			continue
		case message[0] == 'D' && len(held) > 0 && bytes.Contains(message, []byte(lockMark)):
			held, ours = nil, true
			_, n, _ := bytes.Cut(message, []byte(lockMark))
			count, err := strconv.Atoi(string(n))
			if err != nil {
				panic(fmt.Sprintf("the number of locks is %q", n))
			}
			m.saw(count)
			continue
		case message[0] == 'C' && ours:
			ours = false
			continue
		}
		if _, err := client.Write(append(held, message...)); err != nil {
			return
		}
		held = nil
	}
}

// nextMessage reads a message with its kind and length.
func nextMessage(r io.Reader) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	message := make([]byte, 1+binary.BigEndian.Uint32(head[1:]))
	copy(message, head[:])
	_, err := io.ReadFull(r, message[5:])
	return message, err
}
