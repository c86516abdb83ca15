package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/twitter/fakeprovider"
)

// symptom is a row of the table in docs/operations.md.
type symptom struct {
	shows  string   // first cell
	doctor string   // what doctor says
	fails  []string // the checks of it that fail, one of which must; none: all is well
}

// symptoms reads the table.
func symptoms(t *testing.T) map[string]symptom {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	testkit.Must(t, err)
	_, table, _ := strings.Cut(string(page), "## Symptoms")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := make(map[string]symptom)
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 4 || cells[0] == "symptom" {
			continue
		}
		s := symptom{shows: cells[0], doctor: cells[2]}
		for _, name := range regexp.MustCompile("`FAIL ([a-z][a-z-]*)`").FindAllStringSubmatch(cells[2], -1) {
			s.fails = append(s.fails, name[1])
		}
		if (len(s.fails) == 0) != strings.HasPrefix(s.doctor, "all well") {
			t.Errorf("%q: it says neither what fails nor that all is well", s.shows)
		}
		rows[s.shows] = s
	}
	return rows
}

// seenIn reports whether doctor says what the table says that it does, with the words that
// belong to the case at hand. It returns what is wrong.
func (s symptom) seenIn(out string, words ...string) string {
	for _, w := range words {
		if !strings.Contains(s.doctor, w) {
			return fmt.Sprintf("the table does not say %q", w)
		}
	}
	failed := false
	for line := range strings.Lines(out) {
		rest, fails := strings.CutPrefix(line, "FAIL  ")
		if !fails {
			continue
		}
		failed = true
		check, text, _ := strings.Cut(rest, " ")
		for _, name := range s.fails {
			ok := check == name || strings.HasPrefix(rest, name)
			for _, w := range words {
				ok = ok && strings.Contains(text, w)
			}
			if ok {
				return ""
			}
		}
	}
	if len(s.fails) == 0 && !failed {
		return ""
	}
	return fmt.Sprintf("doctor does not say %s %q", s.doctor, words)
}

// patient is a running stack in which a symptom is provoked.
type patient struct {
	*up

	double string // address
	seen   map[string]bool
	table  map[string]symptom
}

func (p *patient) steer(i fakeprovider.Injection) {
	p.t.Helper()
	body, err := json.Marshal(i)
	testkit.Must(p.t, err)
	res, err := http.Post(p.double+"/_double/steer", "application/json", bytes.NewReader(body))
	testkit.Must(p.t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		p.t.Fatalf("steering answers %d", res.StatusCode)
	}
}

// everyCall has a share of all calls fail.
func (p *patient) everyCall(f fakeprovider.Fault, share float64) {
	p.t.Helper()
	p.steer(fakeprovider.Injection{Clear: true, Calls: []fakeprovider.CallInjection{{Fault: f, Share: &share}}})
}

// well heals everything, and forgets what came of calls so far.
func (p *patient) well() {
	p.t.Helper()
	no, plenty, healthy := false, int64(-1), fakeprovider.BalanceHealthy
	p.steer(fakeprovider.Injection{Clear: true, RefuseKey: &no, Credits: &plenty, Balance: &healthy})
	p.until("doctor is content", func() bool {
		p.run("due", "--force", "--cold")
		p.exec(`delete from gorgone.batches where open_rows = 0`)
		out, _ := p.doctor()
		return !strings.Contains(out, "FAIL")
	})
}

func (p *patient) exec(sql string) {
	p.t.Helper()
	conn := p.sql()
	defer func() { _ = conn.Close(context.WithoutCancel(p.t.Context())) }()
	_, err := conn.Exec(p.t.Context(), sql)
	testkit.Must(p.t, err)
}

func (p *patient) doctor() (out string, code int) {
	p.t.Helper()
	return gorgone(p.t, "", "doctor", "--data-dir", p.dir)
}

func (p *patient) until(what string, so func() bool) {
	p.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(3 * time.Minute) // never reached when all is well
	defer limit.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-limit.C:
			out, _ := p.doctor()
			p.t.Fatalf("%s: not reached; doctor says:\n%s", what, out)
		}
	}
}

// shows waits until doctor says what the row of the table says, with the words of the case.
// Meanwhile all tweets are made due again and again.
func (p *patient) shows(symptom string, words ...string) {
	p.t.Helper()
	row, known := p.table[symptom]
	if !known {
		p.t.Fatalf("the table has no row %q", symptom)
	}
	p.seen[symptom] = true
	p.until(symptom, func() bool {
		_, _ = gorgone(p.t, "", "due", "--force", "--cold", "--data-dir", p.dir)
		out, _ := p.doctor()
		wrong := row.seenIn(out, words...)
		if strings.HasPrefix(wrong, "the table") {
			p.t.Fatalf("%s: %s", symptom, wrong)
		}
		return wrong == ""
	})
}

// rounds has all tweets looked up a number of times.
func (p *patient) rounds(n int) {
	p.t.Helper()
	for range n {
		before := p.calls()
		p.run("due", "--force", "--cold")
		p.until("look-ups", func() bool { return p.calls() > before && p.stats().Claimed == 0 })
	}
}

func (p *patient) calls() int64 {
	p.t.Helper()
	res, err := http.Get(p.double + "/_double/stats")
	testkit.Must(p.t, err)
	defer res.Body.Close()
	var s fakeprovider.Stats
	testkit.Must(p.t, json.NewDecoder(res.Body).Decode(&s))
	return s.Calls
}

// ready returns what /readyz of the web server says of each check, and whether it is ready.
func (p *patient) ready() (checks map[string]string, ready bool) {
	p.t.Helper()
	res, err := http.Get(p.running().WebURL + "/readyz")
	testkit.Must(p.t, err)
	defer res.Body.Close()
	var answer struct {
		Ready  bool              `json:"ready"`
		Checks map[string]string `json:"checks"`
	}
	testkit.Must(p.t, json.NewDecoder(res.Body).Decode(&answer))
	return answer.Checks, answer.Ready
}

// TestEverySymptomShowsAsTheTableSays provokes each row of the table of symptoms in a running
// stack, and holds what doctor and readyz say against it.
func TestEverySymptomShowsAsTheTableSays(t *testing.T) {
	t.Parallel()
	p := &patient{seen: make(map[string]bool), table: symptoms(t)}
	brief := []string{"TWITTER_BREAKER_REST=300ms", "TWITTER_BREAKER_REST_MAX=1s", "GORGONE_DISPATCH_EVERY=1s"}
	p.up = startUpWith(t, brief, madeDir(t), "--tweets", "60", "--spread", "1h", "--listen", "127.0.0.1:0")
	p.double = p.running().ProviderURL
	p.until("tweets are seen", func() bool { return p.stats().Total > 10 })
	p.well()

	const refused = "nothing is looked up, refreshes answer 503"
	p.everyCall(fakeprovider.NotFound, 1)
	p.shows(refused, "the provider refuses every call")
	p.well()
	p.everyCall(fakeprovider.ServerError, 1)
	p.shows(refused, "the provider fails again and again")
	p.well()

	const broke = "nothing is looked up, refreshes answer 402 or 502"
	yes, none := true, int64(0)
	p.steer(fakeprovider.Injection{RefuseKey: &yes})
	p.shows(broke, "the provider refuses the API key")
	p.well()
	p.steer(fakeprovider.Injection{Credits: &none})
	p.shows(broke, "the provider account is out of credit")
	p.well()

	p.everyCall(fakeprovider.ServerError, 0.7)
	p.shows("look-ups go on, and few tweets get counts", "calls failed")
	if checks, ready := p.ready(); checks["calls"] == "ok" || !ready {
		t.Errorf("readyz says %v, ready %v", checks, ready)
	}
	p.well()
	p.everyCall(fakeprovider.OddViews, 1)
	p.shows("one counter does not move, the others do", "tweets had counters that cannot be read or believed")
	p.well()

	failing := fakeprovider.TweetInjection{Fault: fakeprovider.FailingTweet, IDs: []string{p.tweets(1)[0].TweetID}}
	p.steer(fakeprovider.Injection{Clear: true, Tweets: []fakeprovider.TweetInjection{failing}})
	p.rounds(2)
	p.shows("a few tweets never get counts, their `attempts` grow")
	p.well()

	gone := fakeprovider.BalanceGone
	p.steer(fakeprovider.Injection{Clear: true, Balance: &gone})
	p.rounds(1)
	p.shows("logs say \"reading the balance failed\"")
	p.well()

	p.everyCall(fakeprovider.Challenge, 0.02)
	p.rounds(3)
	p.shows("a few calls are refused with 401 or 403, logs say \"look-up failed, trying again\"")
	p.well()

	p.exec(`alter system set default_transaction_read_only = on`)
	p.exec(`select pg_reload_conf()`)
	p.shows("nothing is written, `readyz` fails", "the database is read-only")
	p.until("it is not ready", func() bool { checks, ready := p.ready(); return !ready && checks["database"] != "ok" })
	p.exec(`alter system reset default_transaction_read_only`)
	p.exec(`select pg_reload_conf()`)

	full := p.table["nothing is dispatched, and the streams cannot be written"]
	p.seen[full.shows] = true
	natsURL := fullNATS(t)
	out, _ := gorgoneWith(t, []string{"DATABASE_URL=" + p.running().DatabaseURL, "NATS_URL=" + natsURL}, "doctor")
	if wrong := full.seenIn(out); wrong != "" {
		t.Errorf("%s: %s:\n%s", full.shows, wrong, out)
	}

	for shows := range p.table {
		if !p.seen[shows] {
			t.Errorf("%q is not provoked", shows)
		}
	}
}

// tweets lists some that are tracked.
func (p *patient) tweets(n int) (list []struct {
	TweetID string `json:"tweet_id"`
},
) {
	p.t.Helper()
	testkit.Must(p.t, json.Unmarshal([]byte(p.run("tweets", "--json", "--limit", fmt.Sprint(n))), &list))
	return list
}

// fullNATS starts a NATS server whose store has our streams and is full, and returns its URL.
func fullNATS(t *testing.T) string {
	t.Helper()
	server, err := natsd.NewServer(&natsd.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 8 << 30,
	})
	testkit.Must(t, err)
	server.Start()
	t.Cleanup(func() {
		server.Shutdown()
		server.WaitForShutdown()
	})
	if !server.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	conn, err := queue.Connect(t.Context(), queue.Options{URL: server.ClientURL(), Log: zerolog.Nop()})
	testkit.Must(t, err)
	defer conn.Close()
	_, err = queue.Open(t.Context(), conn, queue.Config{})
	testkit.Must(t, err)
	client, err := nats.Connect(server.ClientURL())
	testkit.Must(t, err)
	defer client.Close()
	js, err := client.JetStream()
	testkit.Must(t, err)
	_, err = js.AddStream(&nats.StreamConfig{Name: "OTHER", Subjects: []string{"other"}})
	testkit.Must(t, err)
	_, err = js.Publish("other", make([]byte, 1024))
	testkit.Must(t, err)
	testkit.Must(t, server.GlobalAccount().UpdateJetStreamLimits(map[string]natsd.JetStreamAccountLimits{
		"": {MaxMemory: -1, MaxStore: 1, MaxStreams: -1, MaxConsumers: -1},
	}))
	return server.ClientURL()
}
