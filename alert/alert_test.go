package alert_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
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
	"gorgone/store"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// received is a request that a receiver got.
type received struct {
	header http.Header
	body   []byte
}

// receiver answers with what answer says, and keeps what it got.
type receiver struct {
	*httptest.Server
	got chan received
}

func newReceiver(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	r := &receiver{got: make(chan received, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Errorf("read what was sent: %v", err)
		}
		r.got <- received{q.Header, body}
		answer(w, q)
	}))
	t.Cleanup(r.Close)
	return r
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func poster(timeout time.Duration) *alert.Poster {
	return alert.NewPoster(timeout, false, time.Now, "test")
}

// TestAnswers: what a receiver does, and what is made of it.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   string // part of the error; empty: none
	}{
		"ok":       {status(200), ""},
		"accepted": {status(204), ""},
		"fails":    {status(500), "answered 500"},
		"refuses":  {status(404), "answered 404"},
		"gone":     {status(410), "410 Gone"},
		"redirects": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, "redirects are not followed"},
		"never answers": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "post: "},
		"answers without end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, tt.answer)
			address := r.URL + "/a-secret-path"
			patience := time.Minute
			if name == "never answers" {
				patience = 500 * time.Millisecond
			}
			err := poster(patience).Post(t.Context(), store.Webhook{URL: address, Secret: alert.NewSecret(), Format: alert.FormatJSON}, "id", alert.Message{})
			switch {
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "secret-path"):
				t.Errorf("the address is in the error: %v", err)
			}
		})
	}
}

// TestAddresses: where nothing is posted to.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "example.com", "http://example.com/x", "ftp://example.com", "https://", "https://user:pass@example.com", "https://example.com/#x", "file:///etc/passwd", "http://127.0.0.1.example.com/"} {
		if alert.CheckURL(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, good := range []string{"https://example.com/x?y=z", "http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]/"} {
		if err := alert.CheckURL(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, private := range []string{
		"https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest", "https://[fd00::1]/", "https://[fe80::1]/",
		"https://100.64.0.1/", "https://0.0.0.0/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://224.0.0.1/",
	} {
		err := poster(time.Second).Post(t.Context(), store.Webhook{URL: private, Secret: alert.NewSecret(), Format: alert.FormatJSON}, "id", alert.Message{})
		if err == nil || !strings.Contains(err.Error(), "private network") {
			t.Errorf("%s: %v", private, err)
		}
	}
}

// verify is what docs/alerts.md tells a receiver in Go to do.
func verify(secret, id, timestamp, signatures string, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for got := range strings.FieldsSeq(signatures) {
		if hmac.Equal([]byte(got), []byte(want)) {
			return nil
		}
	}
	return errors.New("bad signature")
}

// TestSignature verifies what is sent with the snippet of docs/alerts.md, in Node
// and in Go.
func TestSignature(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```js\n")
	snippet, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("docs/alerts.md has no snippet in Node")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("this test runs Node, which was not found: apt-get install nodejs")
	}
	secret := alert.NewSecret()
	for _, format := range []string{alert.FormatJSON, alert.FormatSlack} {
		r := newReceiver(t, status(200))
		m := alert.Message{ID: uuid.New(), Kind: engagement.AlertCount, Rule: "<r>", Message: "Tweet 1 & more: ünïcode", TwitterTweetID: "1", Text: "a\nb"}
		if err := poster(5*time.Second).Post(t.Context(), store.Webhook{URL: r.URL, Secret: secret, Format: format}, "the-id", m); err != nil {
			t.Fatal(err)
		}
		got := <-r.got
		id, at, signature := got.header.Get("webhook-id"), got.header.Get("webhook-timestamp"), got.header.Get("webhook-signature")
		if id != "the-id" || got.header.Get("Idempotency-Key") != id {
			t.Errorf("headers %v", got.header)
		}
		if err := verify(secret, id, at, signature, got.body); err != nil {
			t.Error(err)
		}
		if verify(secret, id, at+"1", signature, got.body) == nil || verify(secret, id, at, signature, append(got.body, ' ')) == nil {
			t.Error("another time or body has the same signature")
		}
		for body, want := range map[string]string{string(got.body): "true", string(got.body) + " ": "false"} {
			input, err := json.Marshal(map[string]any{"secret": secret, "body": body, "headers": map[string]string{"webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature}})
			if err != nil {
				t.Fatal(err)
			}
			run := exec.CommandContext(t.Context(), node, "--input-type=commonjs", "-e", snippet+`
				const input = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
				console.log(verify(input.secret, input.headers, input.body))`)
			run.Stdin = strings.NewReader(string(input))
			out, err := run.CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != want {
				t.Errorf("Node says %s (%v), want %s", out, err, want)
			}
		}
		if format == alert.FormatSlack {
			var s map[string]string
			if err := json.Unmarshal(got.body, &s); err != nil || len(s) != 1 || !strings.Contains(s["text"], "&amp; more") || !strings.Contains(s["text"], "&lt;r&gt;") {
				t.Errorf("for Slack: %s %v", got.body, err)
			}
		}
	}
}

// house is a database with one alert to be sent to a receiver.
type house struct {
	t     *testing.T
	store *store.Store
	hook  store.Webhook
	count func(sql string) int
	exec  func(sql string)
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
	db, err := store.Connect(t.Context(), store.Config{URL: url})
	must(t, err)
	t.Cleanup(db.Close)
	clk, err := clock.New(t.Context(), db, clock.Setting{})
	must(t, err)
	s := store.New(db, clk, store.Options{})
	sql := pgtest.Connect(t, url)
	h := &house{t: t, store: s, count: func(q string) (n int) {
		must(t, sql.QueryRow(t.Context(), q).Scan(&n))
		return n
	}}
	h.exec = func(q string) {
		_, err := sql.Exec(t.Context(), q)
		must(t, err)
	}
	zone, err := s.CreateZone(t.Context(), store.Zone{Name: "zone"})
	must(t, err)
	h.hook, err = s.AddWebhook(t.Context(), store.Webhook{URL: address, Secret: alert.NewSecret(), Format: alert.FormatJSON})
	must(t, err)
	_, err = s.AddAlertRule(t.Context(), store.AlertRule{AlertRule: engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 10}})
	must(t, err)
	var refreshes []store.RefreshResult
	for i := range tweets {
		id := engagement.TweetIDAt(clk.Now(), int64(i))
		_, err = s.Track(t.Context(), zone.ID, []store.NewTweet{{TweetID: id, CreatedAt: clk.Now()}})
		must(t, err)
		refreshes = append(refreshes, store.RefreshResult{
			TweetID: id, RequestedAt: clk.Now(), Kind: store.Found,
			Observation: engagement.Observation{At: clk.Now(), Metrics: engagement.Metrics{Likes: engagement.Known(50)}},
		})
	}
	_, err = s.ApplyRefresh(t.Context(), refreshes)
	must(t, err)
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) sender(o alert.Outbox, s *spy) *alert.Sender {
	return alert.NewSender(alert.Parts{
		Outbox: o, Poster: poster(2 * time.Second), Timeout: 2 * time.Second, Announcer: s, Observer: s,
		Random: func() float64 { return 0 }, Log: zerolog.Nop(),
	})
}

// settled waits until a delivery is settled, however it ended.
type settled struct {
	*store.Store
	how chan string
}

func (s settled) Delivered(ctx context.Context, claim, id uuid.UUID) error {
	err := s.Store.Delivered(ctx, claim, id)
	s.how <- "delivered"
	return err
}

func (s settled) DeliveryFailed(ctx context.Context, claim, id uuid.UUID, why string, wait time.Duration, dead bool) error {
	err := s.Store.DeliveryFailed(ctx, claim, id, why, wait, dead)
	s.how <- "failed"
	return err
}

func (s settled) StopWebhook(ctx context.Context, id uuid.UUID, why string) error {
	err := s.Store.StopWebhook(ctx, id, why)
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
	out := settled{h.store, make(chan string, 100)}
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
	out := settled{h.store, make(chan string, 100)}
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
	dead, err := h.store.Deliveries(t.Context(), true, 10)
	must(t, err)
	if len(dead) != 1 || dead[0].Attempts != 2 || !strings.Contains(dead[0].Error, "410") {
		t.Fatalf("dead: %+v", dead)
	}
	must(t, h.store.EnableWebhook(t.Context(), h.hook.ID))
	_, err = h.store.RetryDeliveries(t.Context(), nil)
	must(t, err)
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

// TestSlowWebhook: one that takes its time keeps no other waiting.
func TestSlowWebhook(t *testing.T) {
	t.Parallel()
	leave := make(chan struct{})
	slow := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-leave })
	h := newHouse(t, 0, slow.URL)
	quick := newReceiver(t, status(200))
	_, err := h.store.AddWebhook(t.Context(), store.Webhook{URL: quick.URL, Secret: alert.NewSecret(), Format: alert.FormatJSON})
	must(t, err)
	h.raise(3)
	var s spy
	out := settled{h.store, make(chan string, 100)}
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
	must(h.t, err)
	at := time.Now().Add(-time.Minute)
	for i := range n {
		id := engagement.TweetIDAt(at, int64(1000+i))
		_, err := h.store.Track(h.t.Context(), zones[0].ID, []store.NewTweet{{TweetID: id, CreatedAt: at}})
		must(h.t, err)
		_, err = h.store.ApplyRefresh(h.t.Context(), []store.RefreshResult{{
			TweetID: id, RequestedAt: at, Kind: store.Found,
			Observation: engagement.Observation{At: at, Metrics: engagement.Metrics{Likes: engagement.Known(50)}},
		}})
		must(h.t, err)
	}
}

// forgetful dies between sending and writing it down.
type forgetful struct {
	*store.Store
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
	dying := forgetful{h.store, make(chan struct{}, 10)}
	stop := h.run(h.sender(dying, &s))
	first := <-r.got
	<-dying.died
	<-dying.died // the event too
	stop()
	h.exec(`update gorgone.alert_deliveries set claimed_until = claimed_until - interval '1 hour'`) // the lease ends
	out := settled{h.store, make(chan string, 100)}
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
