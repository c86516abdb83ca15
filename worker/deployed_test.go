package worker_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"gorgone/internal/testkit"
	"gorgone/queue"
)

// deployed is a NATS server as deploy/nats/nats.conf has it, with a queue.
type deployed struct {
	queue        *queue.Queue
	url          string // without a user
	refresherURL string
}

func (e *engine) deployedNATS() deployed {
	e.t.Helper()
	dir := e.t.TempDir()
	text, err := os.ReadFile("../deploy/nats/nats.conf")
	testkit.Must(e.t, err)
	conf := filepath.Join(dir, "nats.conf")
	testkit.Must(e.t, os.WriteFile(conf, text, 0o600))
	testkit.Must(e.t, os.WriteFile(filepath.Join(dir, "auth.conf"), []byte(`gorgone_password: "g", refresher_password: "r"`), 0o600))
	options, err := server.ProcessConfigFile(conf)
	testkit.Must(e.t, err)
	options.Host, options.Port, options.HTTPPort, options.StoreDir, options.NoSigs = "127.0.0.1", -1, 0, dir, true
	ns, err := server.NewServer(options)
	testkit.Must(e.t, err)
	ns.Start()
	e.t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	if !ns.ReadyForConnections(time.Minute) {
		e.t.Fatal("the server does not start")
	}
	d := deployed{url: ns.Addr().String()}
	d.refresherURL = "nats://refresher:r@" + d.url
	conn, err := queue.Connect(e.t.Context(), queue.Options{URL: "nats://gorgone:g@" + d.url, Log: zerolog.Nop()})
	testkit.Must(e.t, err)
	e.t.Cleanup(conn.Close)
	d.queue, err = queue.Open(e.t.Context(), conn, queue.Config{})
	testkit.Must(e.t, err)
	return d
}

// TestRefresherMayOnlyRefresh tries what the user of programs that ask for refreshes has
// no use for.
func TestRefresherMayOnlyRefresh(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 1})
	d := e.deployedNATS()
	refused := make(chan error, 1)
	nc, err := nats.Connect(d.refresherURL, nats.CustomInboxPrefix("_INBOX_refresher"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	testkit.Must(t, err)
	t.Cleanup(nc.Close)
	for _, subject := range []string{
		"eng.batch.due", "eng.dlq.refresh", "eng.evt.seen", "eng.done.20", "eng.audience", "$JS.API.STREAM.PURGE.ENG_REFRESH",
		"$JS.API.STREAM.NAMES", "$KV.ENG_PAUSE.all", "eng.refresh.20.x",
	} {
		testkit.Must(t, nc.Publish(subject, []byte("{}")))
		awaitRefusal(t, refused, subject)
	}
	for _, subject := range []string{"eng.>", "eng.refresh.*", "eng.evt.>", "_INBOX.>", ">"} {
		_, err := nc.SubscribeSync(subject)
		testkit.Must(t, err)
		awaitRefusal(t, refused, subject)
	}
	ack, err := nc.Request("eng.refresh.20", []byte(fmt.Sprintf(`{"v": 1, "request_id": %q, "tweet_id": "20"}`, "0b9bb7c0-7a53-4b8e-8d2f-1d53c9b7a9d1")), time.Minute)
	if err != nil {
		t.Fatalf("what it may: %v", err)
	}
	if len(refused) > 0 {
		t.Errorf("what it may is refused: %s", ack.Data)
	}
}

// TestRefresherNamesWhereAcksGo: JetStream acknowledges to the subject that the publisher
// names, with rights of its own. A publisher in an account of its own reaches none of ours.
func TestRefresherNamesWhereAcksGo(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 1})
	d := e.deployedNATS()
	nc, err := nats.Connect(d.refresherURL, nats.CustomInboxPrefix("_INBOX_refresher"))
	testkit.Must(t, err)
	t.Cleanup(nc.Close)
	admin, err := nats.Connect("nats://gorgone:g@" + d.url)
	testkit.Must(t, err)
	t.Cleanup(admin.Close)
	heard, err := admin.SubscribeSync(">")
	testkit.Must(t, err)
	testkit.Must(t, admin.Flush())
	refresh := func(tweet string) []byte {
		return fmt.Appendf(nil, `{"v": 1, "request_id": %q, "tweet_id": %q}`, uuid.NewString(), tweet)
	}
	for i, reply := range []string{"eng.evt.seen", "eng.batch.due", "eng.dlq.refresh", "$JS.API.STREAM.PURGE.ENG_REFRESH", "$KV.ENG_PAUSE.all"} {
		tweet := fmt.Sprintf("3%d", i)
		testkit.Must(t, nc.PublishRequest("eng.refresh."+tweet, reply, refresh(tweet)))
	}
	_, err = nc.Request("eng.refresh.40", refresh("40"), time.Minute) // acknowledged after those before
	testkit.Must(t, err)
	testkit.Must(t, admin.Flush())
	asked := 0
	for {
		m, err := heard.NextMsg(time.Millisecond)
		if errors.Is(err, nats.ErrTimeout) {
			break
		}
		testkit.Must(t, err)
		switch {
		case strings.HasPrefix(m.Subject, "eng.refresh."):
			asked++
		case strings.HasPrefix(m.Subject, "eng.") || strings.HasPrefix(m.Subject, "$"):
			t.Errorf("%s: %s", m.Subject, m.Data)
		}
	}
	if asked != 6 {
		t.Errorf("%d refreshes arrived", asked)
	}
}

func awaitRefusal(t *testing.T, refused <-chan error, subject string) {
	t.Helper()
	select {
	case <-refused: //nolint:errcheck // that there is one is what counts
	case <-time.After(time.Minute):
		t.Errorf("%s is not refused", subject)
	}
}
