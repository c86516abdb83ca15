package queue_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
)

func TestConnect(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	for _, c := range []struct {
		name string
		opts queue.Options
	}{
		{"over a port", queue.Options{URL: server.ClientURL()}},
		{"in process", queue.Options{InProcess: server.InProcess()}},
		{"in process, whatever the address", queue.Options{InProcess: server.InProcess(), URL: "nats://absent.invalid"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, err := queue.Connect(testContext(t), c.opts)
			if err != nil {
				t.Fatal(err)
			}
			if !conn.Connected() || conn.ServerVersion() == "" {
				t.Error("not connected")
			}
			conn.Close()
			if conn.Connected() {
				t.Error("still connected")
			}
		})
	}
}

// A process may start before its server.
func TestConnectWaitsForServer(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	server.Stop()
	url := server.ClientURL()
	connected := make(chan error, 1)
	go func() {
		conn, err := queue.Connect(testContext(t), queue.Options{URL: url, Log: zerolog.Nop()})
		if err == nil {
			conn.Close()
		}
		connected <- err
	}()
	server.Resume()
	if err := <-connected; err != nil {
		t.Fatal(err)
	}
}

func TestConnectFails(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, want string }{
		{"nothing listens", "nats://me:SECRET@" + closed, "connection refused"},
		{"no address", "", "no address"},
		{"not an address", "nats://me:SECRET@host:port", "nats://[user:password@]host:port"},
		{"another scheme", "http://me:SECRET@localhost", "nats://[user:password@]host:port"},
		{"a raw @", "nats://me:SECRET@SECRET2@localhost", "percent-encoded"},
		{"a raw /", "nats://me:12/SECRET@localhost", "percent-encoded"},
		{"a raw #", "nats://me:SECRET#SECRET2@localhost", "percent-encoded"},
		{"a token", "nats://SECRET@" + closed, "connection refused"},
		{"the second of a list", "nats://localhost,nats://me:SECRET@:4222", "address 2 of the list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			var log lockedBuffer
			_, err := queue.Connect(ctx, queue.Options{URL: c.url, Log: zerolog.New(&log)})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want one that says %q", err, c.want)
			}
			if strings.Contains(err.Error()+log.String(), "SECRET") {
				t.Errorf("the password is told: %v %s", err, &log)
			}
		})
	}
}

// What needs the server fails at once when it is unavailable, and says why.
func TestNotConnected(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	var log lockedBuffer
	conn, err := queue.Connect(testContext(t), queue.Options{
		URL: strings.Replace(server.ClientURL(), "nats://", "nats://SECRET@", 1), // a token
		Log: zerolog.New(&log),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	q, err := queue.Open(testContext(t), conn, queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, q, newBatch(1, 1))
	d := next(t, batches(t, q))
	server.Stop()
	await(t, "noticed that the server is gone", func() bool { return !conn.Connected() })
	_, publishErr := q.PublishBatches(t.Context(), []queue.Batch{newBatch(1, 1)})
	_, refreshErr := q.PublishRefresh(t.Context(), newRefresh(1))
	_, _, watchErr := q.WatchResults(testContext(t), tweetID(1))
	_, depthErr := q.Depth(t.Context())
	for name, err := range map[string]error{
		"publish": publishErr, "refresh": refreshErr, "depth": depthErr,
		"ack": d.Ack(t.Context()), "nak": d.Nak(0), "in progress": d.InProgress(t.Context()),
		"dead-letter": d.DeadLetter(t.Context(), "x"),
		"watch":       watchErr,
		"done":        q.PublishResult(t.Context(), queue.RefreshResult{TweetID: tweetID(1)}),
	} {
		if !errors.Is(err, queue.ErrNotConnected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	server.Resume()
	await(t, "reconnected", func() bool { return strings.Contains(log.String(), "connected to nats again") })
	if strings.Contains(log.String()+conn.Server(), "SECRET") {
		t.Errorf("the password is in the log: %s", &log)
	}
	if !strings.Contains(log.String(), "lost the connection") {
		t.Errorf("the log is %s", &log)
	}
}

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
