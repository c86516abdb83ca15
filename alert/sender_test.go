package alert_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/postgres"
)

// house is a database with one alert to be sent to a receiver.
type house struct {
	t      *testing.T
	store  *store.Store
	alerts *alert.Manager
	hook   alert.Webhook
	count  func(sql string) int
	exec   func(sql string)
}

type spy struct {
	mu      sync.Mutex
	events  []string
	results map[string]int
}

func (s *spy) PublishEvent(_ context.Context, kind string, _ any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, kind)
	return nil
}

func (s *spy) Alerted(engagement.AlertKind) {}

func (s *spy) AlertDelivered(result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.results == nil {
		s.results = make(map[string]int)
	}
	s.results[result]++
}

func newHouse(t *testing.T, tweets int, address string) *house {
	t.Helper()
	url := pgtest.NewDatabase(t)
	db, err := postgres.Connect(t.Context(), postgres.Config{URL: url})
	testkit.Must(t, err)
	t.Cleanup(db.Close)
	clk, err := clock.New(t.Context(), db, clock.Setting{})
	testkit.Must(t, err)
	alerts := alert.NewManager(db, clk)
	s := store.New(db, clk, store.Options{Watcher: alerts})
	sql := pgtest.Connect(t, url)
	h := &house{t: t, store: s, alerts: alerts, count: func(q string) (n int) {
		testkit.Must(t, sql.QueryRow(t.Context(), q).Scan(&n))
		return n
	}}
	h.exec = func(q string) {
		_, err := sql.Exec(t.Context(), q)
		testkit.Must(t, err)
	}
	zone, err := s.CreateZone(t.Context(), store.Zone{Name: "zone"})
	testkit.Must(t, err)
	h.hook, err = alerts.AddWebhook(t.Context(), alert.Webhook{URL: address, Secret: alert.NewSecret(), Format: alert.FormatJSON})
	testkit.Must(t, err)
	_, err = alerts.AddRule(t.Context(), alert.Rule{AlertRule: engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 10}})
	testkit.Must(t, err)
	var refreshes []store.RefreshResult
	for i := range tweets {
		id := engagement.TweetIDAt(clk.Now(), int64(i))
		_, err = s.Track(t.Context(), zone.ID, []store.NewTweet{{TweetID: id, CreatedAt: clk.Now()}})
		testkit.Must(t, err)
		refreshes = append(refreshes, store.RefreshResult{
			TweetID: id, RequestedAt: clk.Now(), Kind: store.Found,
			Observation: engagement.Observation{At: clk.Now(), Metrics: engagement.Metrics{Likes: engagement.Known(50)}},
		})
	}
	_, err = s.ApplyRefresh(t.Context(), refreshes)
	testkit.Must(t, err)
	return h
}

func (h *house) sender(o alert.Outbox, s *spy) *alert.Sender {
	return alert.NewSender(alert.Parts{
		Outbox: o, Poster: poster(2 * time.Second), Timeout: 2 * time.Second, Announcer: s, Observer: s,
		Random: func() float64 { return 0 }, Log: zerolog.Nop(),
	})
}

// settled waits until a delivery is settled, however it ended.
type settled struct {
	*alert.Manager
	how chan string
}

func (s settled) Delivered(ctx context.Context, claim, id uuid.UUID) error {
	err := s.Manager.Delivered(ctx, claim, id)
	s.how <- "delivered"
	return err
}

func (s settled) DeliveryFailed(ctx context.Context, claim, id uuid.UUID, why string, wait time.Duration, dead bool) error {
	err := s.Manager.DeliveryFailed(ctx, claim, id, why, wait, dead)
	s.how <- "failed"
	return err
}

func (s settled) StopWebhook(ctx context.Context, id uuid.UUID, why string) error {
	err := s.Manager.StopWebhook(ctx, id, why)
	s.how <- "stopped"
	return err
}

func (h *house) run(senders ...*alert.Sender) (stop func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	var running conc.WaitGroup
	for _, s := range senders {
		running.Go(func() { s.Run(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// TestSend: three senders at once deliver each alert once, to the receiver and to
// those who watch live.
func TestSend(t *testing.T) {
	t.Parallel()
	const tweets = 10
	r := newReceiver(t, status(200))
	h := newHouse(t, tweets, r.URL)
	var s spy
	out := settled{h.alerts, make(chan string, 100)}
	stop := h.run(h.sender(out, &s), h.sender(out, &s), h.sender(out, &s))
	for range 2 * tweets {
		if how := <-out.how; how != "delivered" {
			t.Errorf("it was %s", how)
		}
	}
	stop()
	ids := make(map[string]bool)
	for range tweets {
		got := <-r.got
		ids[got.header.Get("webhook-id")] = true
	}
	if len(ids) != tweets || len(r.got) != 0 || len(s.events) != tweets || s.results[alert.ResultDelivered] != tweets {
		t.Errorf("%d ids, %d more, %d events, %v", len(ids), len(r.got), len(s.events), s.results)
	}
}

// TestSendFailures: one that fails is tried again later; one that wants nothing any
// more gets nothing, and what waits for it is dead, can be listed and sent again.
func TestSendFailures(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	code := 500
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(code)
	})
	h := newHouse(t, 1, r.URL)
	var s spy
	out := settled{h.alerts, make(chan string, 100)}
	stop := h.run(h.sender(out, &s))
	for range 2 { // the event, and the webhook
		<-out.how
	}
	mu.Lock()
	code = 410
	mu.Unlock()
	if how := <-out.how; how != "stopped" { // after the back-off
		t.Errorf("it was %s", how)
	}
	stop()
	if s.results[alert.ResultFailed] != 1 || s.results[alert.ResultDead] != 1 {
		t.Errorf("results %v", s.results)
	}
	first, second := <-r.got, <-r.got
	if first.header.Get("webhook-id") != second.header.Get("webhook-id") {
		t.Error("the second attempt has another id")
	}
	dead, err := h.alerts.Deliveries(t.Context(), true, 10)
	testkit.Must(t, err)
	if len(dead) != 1 || dead[0].Attempts != 2 || !strings.Contains(dead[0].Error, "410") {
		t.Fatalf("dead: %+v", dead)
	}
	testkit.Must(t, h.alerts.EnableWebhook(t.Context(), h.hook.ID))
	_, err = h.alerts.RetryDeliveries(t.Context(), nil)
	testkit.Must(t, err)
	mu.Lock()
	code = 200
	mu.Unlock()
	stop = h.run(h.sender(out, &s))
	if how := <-out.how; how != "delivered" {
		t.Errorf("it was %s", how)
	}
	stop()
	if n := h.count(`select count(*) from gorgone.alert_deliveries where delivered_at is not null`); n != 2 {
		t.Errorf("%d delivered, want 2", n)
	}
}

// TestRotate: while a secret is rotated each message is signed with both; then with the
// new one only.
func TestRotate(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(200))
	h := newHouse(t, 0, r.URL)
	first, second, third := h.hook.Secret, alert.NewSecret(), alert.NewSecret()
	var s spy
	out := settled{h.alerts, make(chan string, 100)}
	signed := func(by ...string) {
		t.Helper()
		h.raise(1)
		stop := h.run(h.sender(out, &s))
		got := <-r.got
		<-out.how
		<-out.how // the event too
		stop()
		header := got.header.Get("webhook-signature")
		if n := len(strings.Fields(header)); n != len(by) {
			t.Errorf("%d signatures, want %d", n, len(by))
		}
		for _, secret := range []string{first, second, third} {
			err := verify(secret, got.header.Get("webhook-id"), got.header.Get("webhook-timestamp"), header, got.body)
			if (err == nil) != slices.Contains(by, secret) {
				t.Errorf("secret %d: %v", slices.Index([]string{first, second, third}, secret), err)
			}
		}
	}
	signed(first)
	testkit.Must(t, h.alerts.RotateWebhook(t.Context(), h.hook.ID, second, time.Hour))
	signed(first, second)
	if err := h.alerts.RotateWebhook(t.Context(), h.hook.ID, third, time.Hour); !errors.Is(err, alert.ErrRotating) {
		t.Errorf("rotated again: %v", err)
	}
	hooks, err := h.alerts.Webhooks(t.Context())
	testkit.Must(t, err)
	if len(hooks) != 1 || hooks[0].Previous != first || hooks[0].PreviousUntil.IsZero() {
		t.Error("the list does not tell of the secret before")
	}
	h.exec(`update gorgone.webhooks set previous_until = previous_until - interval '1 hour'`) // the hour is over
	signed(second)
	_, err = h.alerts.Prune(t.Context(), time.Now().Add(-time.Hour))
	testkit.Must(t, err)
	if n := h.count(`select count(*) from gorgone.webhooks where previous_secret = '' and previous_until is null`); n != 1 {
		t.Error("a secret that signs nothing is kept")
	}
	testkit.Must(t, h.alerts.RotateWebhook(t.Context(), h.hook.ID, first, time.Hour))
	testkit.Must(t, h.alerts.RotateWebhook(t.Context(), h.hook.ID, third, 0)) // both are known to others
	signed(third)
	if err := h.alerts.RotateWebhook(t.Context(), uuid.New(), third, 0); !errors.Is(err, alert.ErrWebhookNotFound) {
		t.Errorf("a webhook that is not there: %v", err)
	}
}

// TestSlowWebhook: one that takes its time keeps no other waiting.
func TestSlowWebhook(t *testing.T) {
	t.Parallel()
	leave := make(chan struct{})
	slow := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-leave })
	h := newHouse(t, 0, slow.URL)
	quick := newReceiver(t, status(200))
	_, err := h.alerts.AddWebhook(t.Context(), alert.Webhook{URL: quick.URL, Secret: alert.NewSecret(), Format: alert.FormatJSON})
	testkit.Must(t, err)
	h.raise(3)
	var s spy
	out := settled{h.alerts, make(chan string, 100)}
	stop := h.run(h.sender(out, &s))
	<-slow.got
	for range 6 { // the quick one's, and the events
		<-out.how
	}
	stop() // cuts the slow one off
	close(leave)
	if n := h.count(`select count(*) from gorgone.alert_deliveries where delivered_at is null`); n != 3 {
		t.Errorf("%d wait, want the 3 of the slow one", n)
	}
}

// raise raises more alerts.
func (h *house) raise(n int) {
	h.t.Helper()
	zones, err := h.store.Zones(h.t.Context())
	testkit.Must(h.t, err)
	at := time.Now().Add(-time.Minute)
	for i := range n {
		id := engagement.TweetIDAt(at, int64(1000+i))
		_, err := h.store.Track(h.t.Context(), zones[0].ID, []store.NewTweet{{TweetID: id, CreatedAt: at}})
		testkit.Must(h.t, err)
		_, err = h.store.ApplyRefresh(h.t.Context(), []store.RefreshResult{{
			TweetID: id, RequestedAt: at, Kind: store.Found,
			Observation: engagement.Observation{At: at, Metrics: engagement.Metrics{Likes: engagement.Known(50)}},
		}})
		testkit.Must(h.t, err)
	}
}

// forgetful dies between sending and writing it down.
type forgetful struct {
	*alert.Manager
	died chan struct{}
}

func (f forgetful) Delivered(ctx context.Context, _, _ uuid.UUID) error {
	f.died <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// TestKilledAfterSending: when a sender is killed between sending and writing that
// down, another sends the message again, under the same id, when the lease is over.
func TestKilledAfterSending(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(200))
	h := newHouse(t, 1, r.URL)
	var s spy
	dying := forgetful{h.alerts, make(chan struct{}, 10)}
	stop := h.run(h.sender(dying, &s))
	first := <-r.got
	<-dying.died
	<-dying.died // the event too
	stop()
	h.exec(`update gorgone.alert_deliveries set claimed_until = claimed_until - interval '1 hour'`) // the lease ends
	out := settled{h.alerts, make(chan string, 100)}
	stop = h.run(h.sender(out, &s))
	for range 2 {
		<-out.how
	}
	stop()
	second := <-r.got
	if id := first.header.Get("Idempotency-Key"); id == "" || id != second.header.Get("Idempotency-Key") || string(first.body) != string(second.body) {
		t.Errorf("%v\n%v", first.header, second.header)
	}
}
