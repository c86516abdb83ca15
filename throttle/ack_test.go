package throttle_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/queue/queuetest"
	"gorgone/throttle"
)

// Of what a server answers to reservations every fifth is lost on its way: they stand, and the
// replica cannot know. It uses none of those slots, and no other replica gets one of them: the
// rate is never exceeded, and the others go on meanwhile.
func TestAnswersToReservationsAreLost(t *testing.T) {
	t.Parallel()
	const rate, wanted = 100, 300
	server := natstest.Start(t)
	ctx := testContext(t)
	var log, unlucky grantLog
	var lost atomic.Int64
	proxy := loseAnswers(t, strings.TrimPrefix(server.ClientURL(), "nats://"), `"stream":"KV_ENG_PACE"`, 5, &lost)
	conn, err := queue.Connect(ctx, queue.Options{URL: "nats://" + proxy, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	behind, err := queue.Open(ctx, conn, queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var wg conc.WaitGroup
	for _, q := range []*queue.Queue{behind, queuetest.Open(t, server, queue.Config{})} {
		limiter := join(t, q, throttle.LimiterConfig{Key: "k", Rate: rate, OnGrant: func(g throttle.Grant) {
			log.add(g)
			if q == behind {
				unlucky.add(g)
			}
		}})
		for range 4 {
			wg.Go(func() {
				for log.count() < wanted || lost.Load() < 3 {
					if err := limiter.Class(queue.ClassBatch).Wait(ctx); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	checkRate(t, &log, rate)
	if unlucky.count() == 0 {
		t.Error("the replica whose answers were lost made no call")
	}
}

// loseAnswers serves a proxy of a NATS server that loses each nth message to the client whose
// payload contains the text. It counts them.
func loseAnswers(tb testing.TB, server, text string, nth int64, lost *atomic.Int64) (address string) {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	var running conc.WaitGroup
	tb.Cleanup(func() {
		cancel()
		_ = listener.Close()
		running.Wait()
	})
	var answers atomic.Int64
	lose := func(payload []byte) bool {
		if !bytes.Contains(payload, []byte(text)) || answers.Add(1)%nth != 0 {
			return false
		}
		lost.Add(1)
		return true
	}
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := new(net.Dialer).DialContext(ctx, "tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			closeBoth := func() { _, _ = client.Close(), upstream.Close() }
			context.AfterFunc(ctx, closeBoth)
			running.Go(func() {
				defer closeBoth()
				_, _ = io.Copy(upstream, client)
			})
			running.Go(func() {
				defer closeBoth()
				if err := forward(client, bufio.NewReader(upstream), lose); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) && ctx.Err() == nil {
					tb.Errorf("the proxy failed: %v", err)
				}
			})
		}
	})
	return listener.Addr().String()
}

// forward copies what a NATS server sends, without the messages that lose says.
func forward(client io.Writer, server *bufio.Reader, lose func(payload []byte) bool) error {
	for {
		line, err := server.ReadBytes('\n')
		if err != nil {
			return err
		}
		frame := line
		if fields := strings.Fields(string(line)); len(fields) > 0 && (fields[0] == "MSG" || fields[0] == "HMSG") {
			size, err := strconv.Atoi(fields[len(fields)-1])
			if err != nil {
				return err
			}
			payload := make([]byte, size+len("\r\n"))
			if _, err := io.ReadFull(server, payload); err != nil {
				return err
			}
			if lose(payload) {
				continue
			}
			frame = append(frame, payload...)
		}
		if _, err := client.Write(frame); err != nil {
			return err
		}
	}
}
