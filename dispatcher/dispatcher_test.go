package dispatcher_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/alert"
	"gorgone/dispatcher"
	"gorgone/internal/clock"
	"gorgone/internal/enginetest"
	"gorgone/internal/natsserver/natstest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/postgres"
	"gorgone/store/report"
)

func TestMain(m *testing.M) {
	testkit.Main(m)
}

// house is a database with due tweets, and a queue to publish them to.
type house struct {
	t     *testing.T
	nats  *natstest.Server
	db    *postgres.DB
	store *store.Store
	queue *queue.Queue
	conn  *queue.Conn
	clock *clock.Clock
	sql   *pgx.Conn
	gate  gate
}

type gate struct{ reason string }

func (g gate) Closed() string { return g.reason }

func newHouse(t *testing.T, due int, q queue.Config) *house {
	t.Helper()
	ctx := t.Context()
	g := enginetest.New(t, q)
	h := &house{t: t, nats: g.NATS, clock: g.Clock, db: g.DB, store: g.Store, conn: g.Conn, queue: g.Queue, sql: pgtest.Connect(t, g.URL)}
	var tweets []store.NewTweet
	for i := range due {
		tweets = append(tweets, store.NewTweet{TweetID: strconv.Itoa(1000 + i), CreatedAt: h.clock.Now()})
	}
	_, err := h.store.Track(ctx, g.Zone.ID, tweets)
	testkit.Must(t, err)
	return h
}

func (h *house) dispatcher() *dispatcher.Dispatcher {
	return dispatcher.New(dispatcher.Config{
		Every: time.Second, BatchTweets: 100, Window: dispatcher.Window{Lease: h.queue.Lease(), First: 1000},
	}, h.store, h.queue, h.gate, h.clock, zerolog.Nop())
}

// opening is a gate that is closed for the first few times it is asked.
type opening struct {
	closed atomic.Int64
}

func (o *opening) Closed() string {
	if o.closed.Add(-1) >= 0 {
		return "batches are paused by ada"
	}
	return ""
}

// lines keeps a log, and tells when a line with some text was written.
type lines struct {
	mu   sync.Mutex
	all  strings.Builder
	text string
	seen chan struct{}
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(string(line), l.text) {
		close(l.seen) // twice would be a fault
	}
	return l.all.Write(line)
}

// TestAClosedGateLeavesATrace: one line when it closes, one when it opens.
func TestAClosedGateLeavesATrace(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 1, queue.Config{})
	var gate opening
	gate.closed.Store(3)
	log := &lines{text: "dispatching goes on", seen: make(chan struct{})}
	d := dispatcher.New(dispatcher.Config{
		Every: 50 * time.Millisecond, BatchTweets: 100, Window: dispatcher.Window{Lease: h.queue.Lease(), First: 1000},
	}, h.store, h.queue, &gate, h.clock, zerolog.New(log).Level(zerolog.InfoLevel))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running conc.WaitGroup
	running.Go(func() { d.Run(ctx) })
	select {
	case <-log.seen:
	case <-time.After(time.Minute):
		t.Error("no line says that dispatching goes on")
	}
	stop()
	running.Wait()
	text := log.all.String()
	if n := strings.Count(text, "dispatching is closed"); n != 1 || !strings.Contains(text, `"closed":"batches are paused by ada"`) {
		t.Errorf("%d lines say that dispatching is closed, want 1:\n%s", n, text)
	}
}

func (h *house) claimed() (n int) {
	h.t.Helper()
	testkit.Must(h.t, h.sql.QueryRow(h.t.Context(), `select count(*) from twitter_engagement_tracking where claim_id is not null`).Scan(&n))
	return n
}

func (h *house) depth() int {
	h.t.Helper()
	d, err := h.queue.Depth(h.t.Context())
	testkit.Must(h.t, err)
	return d.Batch.Pending
}

// published waits until the queue counts so many batches: the server's count lags
// behind what it has stored.
func (h *house) published(n int) bool {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	for h.depth() != n {
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}

func TestDispatchOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 450, queue.Config{})
	r, err := h.dispatcher().DispatchOnce(t.Context(), 0)
	testkit.Must(t, err)
	if r.Tweets != 450 || r.Rows != 450 || r.Batches != 5 || r.MoreDue {
		t.Errorf("%+v", r)
	}
	if h.claimed() != 450 || !h.published(5) {
		t.Errorf("%d rows claimed, %d batches in the queue", h.claimed(), h.depth())
	}
	r, err = h.dispatcher().DispatchOnce(t.Context(), 0)
	testkit.Must(t, err)
	if r.Tweets != 0 {
		t.Errorf("dispatched again: %+v", r)
	}
}

func TestDispatchKeepsToTheLimit(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 450, queue.Config{})
	r, err := h.dispatcher().DispatchOnce(t.Context(), 120)
	testkit.Must(t, err)
	if r.Tweets != 120 || !r.MoreDue || h.claimed() != 120 {
		t.Errorf("%+v, %d rows claimed", r, h.claimed())
	}
}

func TestDispatchKeepsToTheWindow(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 1500, queue.Config{})
	for range 3 {
		_, err := h.dispatcher().DispatchOnce(t.Context(), 0)
		testkit.Must(t, err)
	}
	if n := h.claimed(); n != 1000 {
		t.Errorf("%d rows claimed while no worker runs, want the first window of 1000", n)
	}
}

// TestRefusedBatchesAreGivenBack fills the queue to its limit.
func TestRefusedBatchesAreGivenBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 500, queue.Config{MaxBatches: 2})
	r, err := h.dispatcher().DispatchOnce(t.Context(), 0)
	if !errors.Is(err, queue.ErrFull) {
		t.Errorf("error %v, want that the queue is full", err)
	}
	if r.Batches != 2 || r.Tweets != 200 || r.Refused != 300 {
		t.Errorf("%+v", r)
	}
	if n := h.claimed(); n != 200 {
		t.Errorf("%d rows claimed, want those of the two batches", n)
	}
	s, err := report.New(h.db, h.clock).Stats(t.Context())
	testkit.Must(t, err)
	if s.Outstanding.Tweets != 200 || s.DueUnclaimed != 300 {
		t.Errorf("%d tweets outstanding, %d due", s.Outstanding.Tweets, s.DueUnclaimed)
	}
}

func TestQueueThatIsAwayGetsNoClaims(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 300, queue.Config{})
	h.nats.Stop()
	// Before it has noticed, a batch may count as unconfirmed, and stays claimed.
	testkit.Until(t, func() bool { return !h.conn.Connected() })
	_, err := h.dispatcher().DispatchOnce(t.Context(), 0)
	if err == nil {
		t.Error("no error although the queue is unavailable")
	}
	if n := h.claimed(); n != 0 {
		t.Errorf("%d rows are left claimed", n)
	}
}

func TestClosedGate(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 300, queue.Config{})
	h.gate.reason = "paused"
	r, err := h.dispatcher().DispatchOnce(t.Context(), 0)
	testkit.Must(t, err)
	if r.Closed != "paused" || r.Tweets != 0 || h.claimed() != 0 {
		t.Errorf("%+v, %d rows claimed", r, h.claimed())
	}
}

// TestStopBetweenClaimAndPublishLeavesNoClaimBehind cancels the context while
// the claim is made.
func TestStopBetweenClaimAndPublishLeavesNoClaimBehind(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 300, queue.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	d := dispatcher.New(dispatcher.Config{BatchTweets: 100, Window: dispatcher.Window{Lease: h.queue.Lease(), First: 1000}},
		stoppingSource{h.store, cancel}, h.queue, h.gate, h.clock, zerolog.Nop())
	r, err := d.DispatchOnce(ctx, 0)
	testkit.Must(t, err)
	if r.Batches != 3 || !h.published(3) {
		t.Errorf("%+v, %d batches in the queue, want that what was claimed is published", r, h.depth())
	}
}

type stoppingSource struct {
	*store.Store
	stop func()
}

func (s stoppingSource) Claim(ctx context.Context, req store.ClaimRequest) (store.Claimed, error) {
	c, err := s.Store.Claim(ctx, req)
	s.stop()
	return c, err
}

func TestMaintain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 100, queue.Config{})
	_, err := h.dispatcher().DispatchOnce(t.Context(), 0)
	testkit.Must(t, err)
	_, err = h.sql.Exec(t.Context(), `update gorgone.batches set claimed_until = $1`, h.clock.Now().Add(-time.Hour))
	testkit.Must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	keeper := &keeper{Store: h.store, pruned: make(chan int, 1)}
	var running conc.WaitGroup
	running.Go(func() {
		dispatcher.Maintain(ctx, dispatcher.Tables{Batches: keeper, History: history.New(h.db, h.clock), Alerts: alert.NewManager(h.db, h.clock)}, h.clock, dispatcher.Retention{Batches: time.Minute}, zerolog.Nop())
	})
	if n := <-keeper.pruned; n != 1 {
		t.Errorf("%d batches pruned, want the one that ended an hour ago", n)
	}
	cancel()
	running.Wait()
	var partitions int
	testkit.Must(t, h.sql.QueryRow(t.Context(), `select count(*) from pg_inherits where inhparent = 'twitter_engagement_history'::regclass`).Scan(&partitions))
	want := 5 // today, three days ahead, and the default
	if now := h.clock.Now(); now.Add(6*time.Hour+43*time.Minute).Day() != now.Day() {
		want++ // the fourth day ahead is made in the evening, not at midnight
	}
	if partitions != want {
		t.Errorf("%d partitions, want %d", partitions, want)
	}
}

// TestStraysAreTold: the log says that points had no partition, and it is made.
func TestStraysAreTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 2, queue.Config{})
	_, err := h.sql.Exec(t.Context(), `insert into twitter_engagement_history (tweet_id, snapshot_at) select id, $1 from twitter_tweets`, h.clock.Now().Add(-120*time.Hour))
	testkit.Must(t, err)
	tables := dispatcher.Tables{Batches: h.store, History: history.New(h.db, h.clock), Alerts: alert.NewManager(h.db, h.clock)}
	for round, want := range []bool{true, false} {
		var log testkit.Log
		dispatcher.MaintainOnce(t.Context(), tables, h.clock.Now(), dispatcher.Retention{Batches: time.Hour}, zerolog.New(&log))
		if told := strings.Contains(log.String(), `"points":2,"message":"no partition was made in time`); told != want {
			t.Errorf("round %d: %s", round, log.String())
		}
	}
}

type keeper struct {
	*store.Store
	pruned chan int
}

func (k *keeper) PruneBatches(ctx context.Context, before time.Time) (int, error) {
	n, err := k.Store.PruneBatches(ctx, before)
	select {
	case k.pruned <- n:
	default:
	}
	return n, err
}
