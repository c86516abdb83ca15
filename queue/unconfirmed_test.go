package queue_test

import (
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/queue"
	"gorgone/queue/queuetest"
)

// deaf forwards connections to a server, and drops what the server says once it is told
// to.
func deaf(t *testing.T, server string) (address string, drop *atomic.Bool) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	drop = new(atomic.Bool)
	var links conc.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		links.Wait()
	})
	links.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			links.Go(func() {
				_, _ = io.Copy(upstream, client)
				_ = upstream.Close()
			})
			links.Go(func() {
				_, _ = io.Copy(muted{client, drop}, upstream)
				_ = client.Close()
			})
		}
	})
	return l.Addr().String(), drop
}

type muted struct {
	io.Writer

	drop *atomic.Bool
}

func (m muted) Write(p []byte) (int, error) {
	if m.drop.Load() {
		return len(p), nil
	}
	return m.Writer.Write(p)
}

// TestABatchWhoseAnswerWasLostIsNotRefused: it is stored, once, and a worker may have it.
func TestABatchWhoseAnswerWasLostIsNotRefused(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	u, err := url.Parse(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	address, drop := deaf(t, u.Host)
	conn, err := queue.Connect(t.Context(), queue.Options{URL: "nats://" + address, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	through, err := queue.Open(t.Context(), conn, queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	drop.Store(true)
	sent := []queue.Batch{newBatch(1, 1), newBatch(2, 1)}
	refused, err := through.PublishBatches(testContext(t), sent)
	var unconfirmed *queue.UnconfirmedError
	if len(refused) > 0 || !errors.Is(err, queue.ErrUnconfirmed) || !errors.As(err, &unconfirmed) {
		t.Fatalf("refused %v: %v", refused, err)
	}
	if want := []uuid.UUID{sent[0].ID, sent[1].ID}; !slices.Equal(unconfirmed.Batches, want) {
		t.Errorf("unconfirmed: %v, want %v", unconfirmed.Batches, want)
	}
	awaitDepth(t, q, "each batch is stored once", func(d queue.Depth) bool { return d.Batch.Pending == 2 })
}
