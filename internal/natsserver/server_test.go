package natsserver_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"gorgone/internal/natsserver"
)

func start(t *testing.T, o natsserver.Options) *natsserver.Server {
	t.Helper()
	s, err := natsserver.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// publish stores one message, over the given connection, in a stream that is
// made when it is not there, and returns how many the stream holds.
func publish(t *testing.T, nc *nats.Conn) uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(ctx, "s", nil); err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}

func connect(t *testing.T, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestStart(t *testing.T) {
	t.Parallel()

	t.Run("in process only", func(t *testing.T) {
		t.Parallel()
		s := start(t, natsserver.Options{StoreDir: t.TempDir()})
		if n := publish(t, connect(t, "", nats.InProcessServer(s.InProcess()))); n != 1 {
			t.Fatalf("stream holds %d messages, want 1", n)
		}
		if got := s.MonitorURL(); got != "" {
			t.Fatalf("monitoring at %q, want none", got)
		}
	})

	t.Run("over a port, beside in process", func(t *testing.T) {
		t.Parallel()
		s := start(t, natsserver.Options{StoreDir: t.TempDir(), Port: -1, HTTPPort: -1, SyncAlways: true})
		publish(t, connect(t, s.ClientURL()))
		if n := publish(t, connect(t, "", nats.InProcessServer(s.InProcess()))); n != 2 {
			t.Fatalf("stream holds %d messages, want 2", n)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.MonitorURL()+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
			t.Fatalf("healthz: %s %s", resp.Status, body)
		}
		http.DefaultClient.CloseIdleConnections()
	})

	t.Run("keeps streams over a restart", func(t *testing.T) {
		t.Parallel()
		o := natsserver.Options{StoreDir: t.TempDir()}
		s := start(t, o)
		publish(t, connect(t, "", nats.InProcessServer(s.InProcess())))
		s.Stop()
		s = start(t, o)
		if n := publish(t, connect(t, "", nats.InProcessServer(s.InProcess()))); n != 2 {
			t.Fatalf("stream holds %d messages, want 2", n)
		}
	})
}

// TestUsers: who may do less does that, over a restart too, and nothing that it was not
// given; where it wants its acknowledgements makes no difference.
func TestUsers(t *testing.T) {
	t.Parallel()
	user := natsserver.User{Name: "asker", Password: "p", Publish: "s", Subscribe: "answers.*", Inboxes: "_INBOX_asker.>"}
	o := natsserver.Options{StoreDir: t.TempDir(), Port: -1, Password: "secret", Users: []natsserver.User{user}}
	for restart := range 2 {
		s := start(t, o)
		owner := connect(t, s.ClientURL())
		if n := publish(t, owner); n != uint64(2*restart+1) {
			t.Fatalf("the stream holds %d messages at start %d", n, restart)
		}
		refused := make(chan error, 10)
		asker := connect(t, s.UserURL(user), nats.CustomInboxPrefix("_INBOX_asker"),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
		heard, err := asker.SubscribeSync("answers.*")
		if err != nil {
			t.Fatal(err)
		}
		elsewhere, err := owner.SubscribeSync("elsewhere")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := asker.Request("s", []byte("ask"), 10*time.Second); err != nil { // the stream's acknowledgement
			t.Fatal(err)
		}
		for _, f := range []func() error{
			func() error { return asker.Publish("elsewhere", nil) },
			func() error { return asker.Publish("$JS.API.STREAM.PURGE.S", nil) },
			func() error { _, err := asker.SubscribeSync(">"); return err },
		} {
			if err := f(); err != nil {
				t.Fatal(err)
			}
			<-refused //nolint:errcheck // that there is one is what counts
		}
		if err := owner.Publish("answers.1", []byte("answer")); err != nil {
			t.Fatal(err)
		}
		if m, err := heard.NextMsg(10 * time.Second); err != nil || string(m.Data) != "answer" {
			t.Fatalf("the answer: %v", err)
		}
		if err := owner.Flush(); err != nil {
			t.Fatal(err)
		}
		if n, _, err := elsewhere.Pending(); n != 0 || err != nil {
			t.Errorf("%d messages elsewhere, %v", n, err)
		}
		s.Stop()
	}
	if _, err := natsserver.Start(natsserver.Options{StoreDir: t.TempDir(), Users: []natsserver.User{user}}); err == nil {
		t.Error("users beside no password are taken")
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name string
		opts natsserver.Options
		want []string
	}{
		{"no folder, bad ports", natsserver.Options{Port: -2, HTTPPort: 70000}, []string{"no store folder", "port -2", "HTTP port 70000"}},
		{"busy port", natsserver.Options{StoreDir: t.TempDir(), Port: busy.Addr().(*net.TCPAddr).Port}, []string{"address already in use"}},
		{"busy monitoring port", natsserver.Options{StoreDir: t.TempDir(), HTTPPort: busy.Addr().(*net.TCPAddr).Port}, []string{"address already in use"}},
		{"folder is a file", natsserver.Options{StoreDir: file}, []string{file}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			c.opts.Log = zerolog.New(zerolog.SyncWriter(&log))
			s, err := natsserver.Start(c.opts)
			if err == nil {
				s.Stop()
				t.Fatal("it started")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}
