package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"gorgone/qstash/qstashtest"
	"gorgone/queue"
)

// TestEveryCommandRuns runs every command there is against one stack, at least once.
// What the commands print in detail is for the tests of each.
func TestEveryCommandRuns(t *testing.T) {
	schedules := qstashtest.Start(t, "a-token")
	t.Setenv("QSTASH_TOKEN", "a-token")
	t.Setenv("QSTASH_URL", schedules.URL)
	t.Setenv("GORGONE_WEB_PUBLIC_URL", "https://gorgone.example.com")
	t.Setenv("GORGONE_REFRESH_BUDGET_DAY", "1000") // so that there is one to show
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	c := &every{up: startUp(t, madeDir(t), "--tweets", "20", "--listen", "127.0.0.1:0"), ran: map[string]bool{"gorgone up": true}}
	c.until("some tweets are tracked", func(s stats) bool { return s.Total > 5 })
	const oneZone = `select tweet_id from twitter_tweets group by tweet_id having count(*) = 1 order by tweet_id limit 1`
	var id string
	if err := c.sql().QueryRow(t.Context(), oneZone).Scan(&id); err != nil {
		t.Fatal(err)
	}
	addDeadLetters(t, c.running().NATSURL, id, 2)

	for _, args := range [][]string{
		{"dashboard"},
		{"stats"},
		{"tweets"},
		{"top", "--once"},
		{"top", "--once", "--json"},
		{"cost"},
		{"budget"},
		{"history", id},
		{"refresh", id},
		{"track", "--new-zone", "Mine", "1585841080431321088"},
		{"due"},
		{"schedule", "try", "Mine", "--force"},
		{"schedule", "status"},
		{"schedule", "stop", "Mine"},
		{"probe"},
		{"health"},
		{"version"},
		{"migrate"},
		{"migrate", "--check"},
		{"retention"},
		{"retention", "--confirm"},
		{"pause", "refreshes"},
		{"resume", "refreshes"},
		{"token", "new", "--name", "cron"},
		{"dlq", "list"},
		{"dlq", "show", "1"},
		{"dlq", "retry", "1"},
		{"dlq", "drop", "2"},
		{"doctor"}, // which does not like dead letters
		{"alert", "list"},
		{"alert", "deliveries"},
		{"alert", "retry", "all"},
		{"alert", "rules", "list"},
		{"alert", "webhooks", "list"},
		{"qstash", "sync"},
		{"qstash", "list"},
		{"qstash", "pause"},
		{"qstash", "resume"},
	} {
		if out := c.do(args...); out == "" {
			t.Errorf("%v printed nothing", args)
		}
	}

	t.Setenv("GORGONE_KEY_SECRETS", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 32))))
	c.clientKeys()
	c.eitherID(id)
	c.speakAlike(id, hook.URL)

	rule, _, _ := strings.Cut(c.do("alert", "rules", "add", "--kind", "deleted"), " ")
	c.do("alert", "rules", "remove", rule)
	webhook := strings.Fields(c.do("alert", "webhooks", "add", hook.URL))[1]
	if out := c.do("alert", "test"); !strings.Contains(out, "delivered") {
		t.Errorf("alert test printed %q", out)
	}
	c.do("alert", "webhooks", "test", webhook)
	c.do("alert", "webhooks", "rotate", webhook)
	c.do("alert", "webhooks", "enable", webhook)
	c.do("alert", "webhooks", "remove", webhook)

	c.doUntil("worker started", "worker")
	c.doUntil("dispatcher started", "dispatcher")
	c.doUntil("serving http", "web", "--listen", "127.0.0.1:0")
	c.doUntil("serving assistants", "mcp", "--listen", "127.0.0.1:0")
	c.doUntil("nats started", "nats", "--store", t.TempDir())
	c.doUntil("tweets", "provider", "--listen", "127.0.0.1:0")

	r := c.running()
	for name, value := range map[string]string{"DATABASE_URL": r.DatabaseURL, "NATS_URL": r.NATSURL, "TWITTER_API_KEY": r.ProviderKey, "TWITTER_API_URL": r.ProviderURL} {
		t.Setenv(name, value)
	}
	c.ran["gorgone setup"] = true
	out, _ := gorgone(t, "", "setup", "--file", filepath.Join(t.TempDir(), "gorgone.env"))
	for _, want := range []string{"wrote", "up to date", "schedule " + scheduleID + " calls", "ok    database", "what is left"} {
		if !strings.Contains(out, want) {
			t.Errorf("setup lacks %q:\n%s", want, out)
		}
	}

	for _, path := range commandPaths(New(nil, nil, nil, "")) {
		if !c.ran[path] {
			t.Errorf("%q was not run", path)
		}
	}
}

// acme is a client.
const acme = "0c5a2d52-4a2e-4d5b-9a57-0d3a3b1f0009"

// clientKeys gives a client a key, which is read from standard input and never printed.
func (c *every) clientKeys() {
	c.t.Helper()
	const key = "a-key-of-its-own-5678"
	client := acme
	if _, err := c.sql().Exec(c.t.Context(), `insert into clients (id, name) values ($1, 'ACME')`, client); err != nil {
		c.t.Fatal(err)
	}
	set := []string{"key", "set", client, "--provider", "x", "--rate", "3"}
	c.remember(set)
	printed, code := gorgone(c.t, key+"\n", append(set, "--json", "--data-dir", c.dir)...)
	if code != 0 || !strings.Contains(printed, "5678") {
		c.t.Errorf("key set: exit %d\n%s", code, printed)
	}
	printed += c.do("key", "list") + c.do("key", "share", client) + c.do("key", "reseal") + c.do("stats") + c.do("doctor")
	if !strings.Contains(printed, "ACME") || strings.Contains(printed, key) {
		c.t.Errorf("printed:\n%s", printed)
	}
	c.do("key", "remove", client)
	for _, bad := range [][]string{{"key", "set", client}, {"key", "set", client, key, "--provider", "x"}, {"key", "set", client, "--provider", "x"}} {
		if out, code := gorgone(c.t, "", append(bad, "--data-dir", c.dir)...); code != exitUsage || strings.Contains(out, key) {
			c.t.Errorf("%v exits %d, want %d:\n%s", bad, code, exitUsage, out)
		}
	}
}

// every remembers which commands were run.
type every struct {
	*up

	ran map[string]bool
}

// do runs a command, which must succeed.
func (c *every) do(args ...string) string {
	c.t.Helper()
	c.remember(args)
	return c.run(args...)
}

func (c *every) remember(args []string) {
	c.t.Helper()
	cmd, _, err := New(nil, nil, nil, "").Find(args)
	if err != nil {
		c.t.Fatal(err)
	}
	c.ran[cmd.CommandPath()] = true
}

// doUntil runs a command that goes on until it is stopped, which it is when it has
// printed or logged some text.
func (c *every) doUntil(text string, args ...string) {
	c.t.Helper()
	c.remember(args)
	ctx, stop := context.WithTimeout(c.t.Context(), time.Minute)
	defer stop()
	out := &awaited{text: text, seen: stop}
	root := New(strings.NewReader(""), out, out, "")
	root.SetArgs(append(args, "--data-dir", c.dir))
	err := root.ExecuteContext(ctx)
	if err != nil || !strings.Contains(out.String(), text) {
		c.t.Errorf("%v: %v, want %q in\n%s", args, err, text, out.String())
	}
}

// awaited is a writer that tells when some text was written.
type awaited struct {
	text string
	seen func()

	mu  sync.Mutex
	all bytes.Buffer
}

func (a *awaited) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all.Write(p)
	if strings.Contains(a.all.String(), a.text) {
		a.seen()
	}
	return len(p), nil
}

func (a *awaited) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all.String()
}

// commandPaths names the commands that do something. Those that only say where a
// command has gone are left out.
func commandPaths(c *cobra.Command) (paths []string) {
	for _, sub := range c.Commands() {
		paths = append(paths, commandPaths(sub)...)
	}
	if !c.HasSubCommands() && !c.DisableFlagParsing {
		paths = append(paths, c.CommandPath())
	}
	return paths
}

// addDeadLetters adds batches of a tweet, whose claims have ended, to the dead letters.
func addDeadLetters(t *testing.T, url, id string, n int) {
	t.Helper()
	conn, err := queue.Connect(t.Context(), queue.Options{URL: url, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	q, err := queue.Open(t.Context(), conn, queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		body, err := json.Marshal(map[string]any{
			"v": 1, "id": uuid.New(), "until": time.Now().Add(-time.Minute), "tweets": []queue.Tweet{{ID: id, Rows: []uuid.UUID{uuid.New()}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		letter := queue.DeadLetter{Class: queue.ClassBatch, Subject: "eng.batch.due", Body: body, Reason: "a test", Deliveries: 2, FirstSeen: time.Now(), StreamSeq: uint64(time.Now().UnixNano())}
		if err := q.AddDeadLetter(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAFaultyConfigurationStartsNothing: it is refused as a usage error, whatever the
// command.
func TestAFaultyConfigurationStartsNothing(t *testing.T) {
	t.Setenv("GORGONE_WEB_LISTEN", "hunter2")
	t.Setenv("GORGONE_BATCH_SLOTS", "0")
	for _, command := range []string{"up", "web", "worker"} {
		dir := t.TempDir() + "/data"
		_, err := execute(t, command, "--data-dir", dir)
		if ExitCode(err) != exitUsage || !strings.Contains(err.Error(), "GORGONE_WEB_LISTEN") || !strings.Contains(err.Error(), "GORGONE_BATCH_SLOTS") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", command, err)
		}
		if _, err := os.ReadDir(dir); err == nil {
			t.Errorf("%s has started something", command)
		}
	}
	if out, err := execute(t, "help"); err != nil || !strings.Contains(out, "Usage:") {
		t.Errorf("help: %v\n%s", err, out)
	}
}
