package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/queue"
	"gorgone/web/auth"
)

// pipes is a listener whose connections are in memory, so that their time is that
// of the bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// silent is a queue on which nothing happens; requests that are cut off never get
// to it.
type silent struct{ Queue }

func (silent) WatchEvents(context.Context) (<-chan queue.Event, func(), error) {
	return nil, func() {}, nil
}
func (silent) Connected() bool    { return true }
func (silent) Reconnects() uint64 { return 0 }

type wallClock struct{}

func (wallClock) Now() time.Time                       { return time.Now() }
func (wallClock) Database() time.Time                  { return time.Now() }
func (wallClock) Engine(d time.Duration) time.Duration { return d }
func (wallClock) Real(d time.Duration) time.Duration   { return d }

// TestSlowBody has callers who send, or take, everything very slowly, and a clock
// that does not keep the test waiting: each is cut off in its time.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	const token = "a-token-of-at-least-thirty-two-bytes"
	entry, err := auth.TokenEntry("all", auth.Scopes(), token)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := auth.NewTokens([]string{entry})
	if err != nil {
		t.Fatal(err)
	}
	const line = "POST /api/twitter/tweets HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
	for name, tc := range map[string]struct {
		first string // sent at once
		more  bool   // then a byte each second
		want  string // of the answer; empty: none
		after time.Duration
	}{
		"a head that never ends":        {"GET /healthz HTTP/1.1\r\nX-Slow: ", true, "", headerTimeout},
		"a connection that is not used": {"", false, "", headerTimeout},
		"a body that never ends":        {line + "Authorization: Bearer " + token + "\r\n\r\n", true, "400", readTimeout},
		"a body that never comes":       {line + "Authorization: Bearer " + token + "\r\n\r\n", false, "400", readTimeout},
		"a body without a login":        {line + "\r\n", true, "401", refusedBodyTimeout},
		"a body of a liar":              {line + "Authorization: Bearer " + strings.Repeat("x", 40) + "\r\n\r\n", true, "401", refusedBodyTimeout},
		"a body that may be signed":     {strings.Replace(line, "/tweets", "/engagement/update", 1) + "Upstash-Signature: x.y.z\r\n\r\n", true, "400", readTimeout},
		"an answer that is not taken":   {"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", false, "", writeTimeout},
		"no second request":             {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", false, "200", idleTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, err := newServer(Config{}.withDefaults(), Parts{
					Guard: auth.NewGuard(auth.GuardConfig{Tokens: tokens, Log: zerolog.Nop()}),
					Queue: silent{}, Connection: silent{}, Clock: wallClock{}, Log: zerolog.Nop(),
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				listener := pipes{make(chan net.Conn), make(chan struct{})}
				var beside conc.WaitGroup
				defer beside.Wait()
				defer stop()
				beside.Go(func() {
					if err := s.Serve(ctx, listener); err != nil {
						t.Errorf("serve: %v", err)
					}
				})
				c := listener.dial()
				defer c.Close()
				began := time.Now()
				beside.Go(func() {
					_, err := io.WriteString(c, tc.first)
					for err == nil && tc.more {
						time.Sleep(time.Second) //nolint:forbidigo // time is fake in a bubble of synctest
						_, err = c.Write([]byte("x"))
					}
				})
				answer := ""
				if tc.want == "" {
					time.Sleep(tc.after + time.Second) //nolint:forbidigo // fake time; and read nothing
				}
				lines := bufio.NewReader(c)
				if answer, err = lines.ReadString('\n'); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("read the answer: %v", err)
				}
				if !strings.Contains(answer, tc.want) || tc.want == "" && answer != "" {
					t.Errorf("answered %q, want %q", answer, tc.want)
				}
				_, _ = io.Copy(io.Discard, lines)
				if took := time.Since(began); took > tc.after+2*time.Second || took < tc.after-time.Second {
					t.Errorf("cut off after %s, want %s", took, tc.after)
				}
			})
		})
	}
}
