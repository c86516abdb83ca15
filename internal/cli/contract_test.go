package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gorgone/internal/devstack/runfile"
)

var update = flag.Bool("update", false, "write what a running up looks like from outside into testdata/contract.txt")

const contractFile = "testdata/contract.txt"

// TestContract compares what others rely on, as a running up shows it from outside,
// with what it has been: streams, consumers, keys and subjects of NATS, and the
// columns of the database. There may be more than that; nothing of it may go.
func TestContract(t *testing.T) {
	t.Parallel()
	u := startUp(t, madeDir(t), "--tweets", "30", "--listen", "127.0.0.1:0")
	r := u.running()
	conn, err := nats.Connect(r.NATSURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	found := make(map[string]bool)
	tapped, err := conn.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	u.until("tweets are looked up", func(s stats) bool { return s.Total > 5 && s.TweetsPerSecond > 0 })
	var id string
	if err := u.sql().QueryRow(t.Context(), `select min(tweet_id) from twitter_tweets`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	subscribe(t, u, r.WebURL) // so that there are events
	u.run("refresh", id)
	u.run("top", "--once")
	describeStreams(t, conn, found)
	describeSubjects(t, tapped, found)
	describeColumns(t, u, found)
	lines := slices.Sorted(maps.Keys(found))
	if *update {
		if err := os.WriteFile(contractFile, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(contractFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		if line = strings.TrimSuffix(line, "\n"); !found[line] && !grew(line, found) {
			t.Errorf("gone or changed: %s", line)
		}
	}
	if t.Failed() {
		t.Logf("found:\n%s", strings.Join(lines, "\n"))
	}
}

// subscribe reads the live events until the test ends.
func subscribe(t *testing.T, u *up, url string) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(u.dir, runfile.TokenName))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/twitter/engagement/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("live events: status %d", res.StatusCode)
	}
}

func describeStreams(t *testing.T, conn *nats.Conn, found map[string]bool) {
	t.Helper()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	streams := js.ListStreams(ctx)
	for info := range streams.Info() {
		c := info.Config
		found[fmt.Sprintf("stream %s: subjects %v, %s, %s, discard %s, max age %s, per subject %d, duplicates %s",
			c.Name, c.Subjects, c.Retention, c.Storage, c.Discard, c.MaxAge, c.MaxMsgsPerSubject, c.Duplicates)] = true
		stream, err := js.Stream(ctx, c.Name)
		if err != nil {
			t.Fatal(err)
		}
		consumers := stream.ListConsumers(ctx)
		for consumer := range consumers.Info() {
			c := consumer.Config
			if c.Durable == "" {
				continue
			}
			found[fmt.Sprintf("consumer %s of %s: %s, ack wait %s, max deliver %d, filter %s %v",
				c.Durable, consumer.Stream, c.AckPolicy, c.AckWait, c.MaxDeliver, c.FilterSubject, c.FilterSubjects)] = true
		}
		if err := consumers.Err(); err != nil {
			t.Fatal(err)
		}
		bucket, isBucket := strings.CutPrefix(c.Name, "KV_")
		if !isBucket {
			continue
		}
		kv, err := js.KeyValue(ctx, bucket)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := kv.ListKeys(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for key := range keys.Keys() {
			entry, err := kv.Get(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			found["key "+bucket+"/"+key+": "+fieldsOf(entry.Value())] = true
		}
	}
	if err := streams.Err(); err != nil {
		t.Fatal(err)
	}
}

// fieldsOf names the fields of a JSON object.
func fieldsOf(data []byte) string {
	var object map[string]any
	if json.Unmarshal(data, &object) != nil {
		return "no JSON object"
	}
	return strings.Join(slices.Sorted(maps.Keys(object)), " ")
}

// changing is what differs from run to run in a subject.
var changing = regexp.MustCompile(`\b([0-9]{6,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\b`)

// describeSubjects names the subjects on which something was published, and the fields
// of the message.
func describeSubjects(t *testing.T, tapped *nats.Subscription, found map[string]bool) {
	t.Helper()
	for {
		m, err := tapped.NextMsg(time.Second)
		if err != nil {
			return // nothing more
		}
		if strings.HasPrefix(m.Subject, "_INBOX.") || strings.HasPrefix(m.Subject, "$JS.") {
			continue
		}
		subject := changing.ReplaceAllString(m.Subject, "*")
		if !strings.HasPrefix(subject, "$KV.") && len(m.Data) > 0 {
			found["message on "+subject+": "+fieldsOf(m.Data)] = true
		}
		found["subject "+subject] = true
		if len(found) > 1000 {
			t.Fatal("subjects without end")
		}
	}
}

// describeColumns names every column, and its type; partitions are their tables'.
func describeColumns(t *testing.T, u *up, found map[string]bool) {
	t.Helper()
	rows, err := u.sql().Query(t.Context(), `select n.nspname || '.' || c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
		from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
		where n.nspname in ('public', 'gorgone') and c.relkind in ('r', 'p', 'v') and not c.relispartition and a.attnum > 0 and not a.attisdropped`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind string
		var required bool
		if err := rows.Scan(&name, &kind, &required); err != nil {
			t.Fatal(err)
		}
		found[fmt.Sprintf("column %s %s, required %t", name, kind, required)] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// grew reports whether a message only gained fields since it was recorded: a reader of the
// version before finds all that it knows.
func grew(recorded string, found map[string]bool) bool {
	subject, fields, isMessage := strings.Cut(recorded, ": ")
	if !isMessage || !strings.HasPrefix(subject, "message on ") {
		return false
	}
	for line := range found {
		if now, has := strings.CutPrefix(line, subject+": "); has {
			have := strings.Fields(now)
			return !slices.ContainsFunc(strings.Fields(fields), func(f string) bool { return !slices.Contains(have, f) })
		}
	}
	return false
}
