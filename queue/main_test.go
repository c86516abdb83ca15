package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds everything a test waits for; it is never reached when all is well.
const patience = 30 * time.Second

func testContext(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx
}

func connect(tb testing.TB, server *natstest.Server) *queue.Conn {
	tb.Helper()
	conn, err := queue.Connect(testContext(tb), queue.Options{URL: server.ClientURL(), Name: tb.Name(), Log: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	return conn
}

// open opens a queue over a connection of its own, as another process would.
func open(tb testing.TB, server *natstest.Server, cfg queue.Config) *queue.Queue {
	tb.Helper()
	q, err := queue.Open(testContext(tb), connect(tb, server), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

// wallClock stands for the clock of the database.
type wallClock struct{}

func (wallClock) Database() time.Time { return time.Now() }

var _ = uuid.Nil
