// Package queuetest opens queues for tests, on servers of package natstest.
package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
)

// openTimeout bounds connecting and opening; it is never reached when all is well.
const openTimeout = 2 * time.Minute

// Connect connects to the server, until the test ends.
func Connect(tb testing.TB, server *natstest.Server) *queue.Conn {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), openTimeout)
	defer cancel()
	conn, err := queue.Connect(ctx, queue.Options{URL: server.ClientURL(), Name: tb.Name(), Log: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	return conn
}

// Open opens a queue over a connection of its own, as another process would.
func Open(tb testing.TB, server *natstest.Server, cfg queue.Config) *queue.Queue {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), openTimeout)
	defer cancel()
	q, err := queue.Open(ctx, Connect(tb, server), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

// Start starts a server and opens a queue on it.
func Start(tb testing.TB, cfg queue.Config) (*natstest.Server, *queue.Queue) {
	tb.Helper()
	server := natstest.Start(tb)
	return server, Open(tb, server, cfg)
}
