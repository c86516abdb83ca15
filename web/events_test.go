package web_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/web"
)

// liveEvent is one server-sent event.
type liveEvent struct {
	id, kind, data string
}

// listener reads a stream of events.
type listener struct {
	t        testing.TB
	document document
	hello    liveEvent
	events   chan liveEvent
	stop     func()
}

const eventsPath = "/api/twitter/engagement/events"

// listen opens a stream and waits until it stands.
func (e *engine) listen(query, token, lastID string) *listener {
	e.t.Helper()
	ctx, cancel := context.WithCancel(e.t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+eventsPath+query, nil)
	testkit.Must(e.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := cmp.Or(e.caller, http.DefaultClient).Do(r)
	testkit.Must(e.t, err)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		e.t.Fatalf("status %d, type %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	l := &listener{t: e.t, document: e.document, events: make(chan liveEvent, 10_000)}
	var reading conc.WaitGroup
	reading.Go(func() {
		defer close(l.events)
		defer res.Body.Close()
		var ev liveEvent
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "id":
				ev.id = value
			case "event":
				ev.kind = value
			case "data":
				ev.data = value
			case "":
				if ev.kind != "" {
					l.events <- ev
				}
				ev = liveEvent{}
			}
		}
	})
	l.stop = func() {
		cancel()
		reading.Wait()
	}
	e.t.Cleanup(l.stop)
	if l.hello = l.next(); l.hello.kind != "hello" || l.hello.id == "" {
		e.t.Fatalf("first event %+v", l.hello)
	}
	return l
}

// next waits for an event.
func (l *listener) next() liveEvent {
	l.t.Helper()
	select {
	case ev, ok := <-l.events:
		if !ok {
			return liveEvent{kind: "end"}
		}
		var data any
		testkit.Must(l.t, json.Unmarshal([]byte(ev.data), &data))
		schema := l.document.Components.Schemas["LiveEvent"]
		for _, fault := range l.document.check(schema, map[string]any{"event": ev.kind, "data": data}, ev.kind) {
			l.t.Errorf("the event %s %s", ev.data, fault)
		}
		return ev
	case <-time.After(time.Minute):
		l.t.Fatal("no event")
		return liveEvent{}
	}
}

// publish sends an event of a row in a zone, as a worker does.
func (e *engine) publish(zone uuid.UUID, tweet string) {
	e.t.Helper()
	testkit.Must(e.t, e.queue.PublishUpdates(e.t.Context(), []queue.RowUpdate{{
		RowID: uuid.New(), ZoneID: zone, TweetID: tweet, Outcome: engagement.RequestUpdated, Metrics: engagement.Metrics{Likes: engagement.Known(7)}, Tier: engagement.Hot,
	}}))
}

func TestEventsOfAWorker(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3, workers: 1})
	_, user := e.user("operator", true)
	l := e.listen("", user, "")
	row, id := e.row(0)
	gone, goneID := e.row(1)
	testkit.Must(t, e.double.Inject(deletedTweet(goneID)))
	e.ok(200, "POST", refreshPath(row), e.service, "")
	var data struct {
		ZoneID uuid.UUID `json:"zone_id"`
		Tweets []struct {
			ID      uuid.UUID `json:"id"`
			TweetID string    `json:"tweet_id"`
			Metrics map[string]*int
			Tier    string
		}
	}
	ev := l.next()
	testkit.Must(t, json.Unmarshal([]byte(ev.data), &data))
	if ev.kind != "update" || ev.id == "" || data.ZoneID != e.zone || len(data.Tweets) != 1 || data.Tweets[0].ID != row ||
		data.Tweets[0].TweetID != id || data.Tweets[0].Metrics["like_count"] == nil {
		t.Errorf("%+v", ev)
	}
	e.ok(503, "POST", refreshPath(gone), e.service, "")
	if ev := l.next(); ev.kind != "failure" || !strings.Contains(ev.data, goneID) {
		t.Errorf("%+v", ev)
	}
}

func TestEventsOnlyOfOnesZones(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	other, err := e.store.CreateZone(t.Context(), store.Zone{Name: "other"})
	testkit.Must(t, err)
	e.exec(`insert into clients (id, name) values ('11111111-1111-1111-1111-111111111111', 'c')`)
	e.exec(`update zones set client_id = '11111111-1111-1111-1111-111111111111' where id = $1`, other.ID)
	_, user := e.user("operator", true)
	own, all, one := e.listen("", user, ""), e.listen("", e.service, ""), e.listen("?zone="+other.ID.String(), e.service, "")
	e.publish(other.ID, "1")
	e.publish(e.zone, "2")
	e.publish(other.ID, "3")
	for name, tc := range map[string]struct {
		l    *listener
		want []string
	}{"own": {own, []string{"2"}}, "all": {all, []string{"1", "2", "3"}}, "one": {one, []string{"1", "3"}}} {
		for _, want := range tc.want {
			if ev := tc.l.next(); !strings.Contains(ev.data, fmt.Sprintf(`"tweet_id":%q`, want)) {
				t.Errorf("%s: %+v, want tweet %s", name, ev, want)
			}
		}
	}
	e.ok(404, "GET", eventsPath+"?zone="+other.ID.String(), user, "")
	e.ok(400, "GET", eventsPath+"?zone=x", user, "")
}

func TestEventsAfterABreak(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	l := e.listen("", e.service, "")
	for i := range 3 {
		e.publish(e.zone, fmt.Sprint(i))
	}
	first := l.next()
	l.next()
	l.next()
	l.stop()
	again := e.listen("", e.service, first.id)
	for i := 1; i < 3; i++ {
		if ev := again.next(); !strings.Contains(ev.data, fmt.Sprintf(`"tweet_id":"%d"`, i)) {
			t.Errorf("after the break: %+v, want tweet %d", ev, i)
		}
	}
	for _, id := range []string{"another-process_3", "nonsense", strings.Replace(first.id, "_", "_99", 1)} {
		if ev := e.listen("", e.service, id).next(); ev.kind != "reset" {
			t.Errorf("after %q: %+v, want a reset", id, ev)
		}
	}
}

func TestEventsShowSignsOfLife(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{config: func(c *web.Config) { c.Heartbeat = 10 * time.Millisecond }})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+eventsPath, nil)
	testkit.Must(t, err)
	r.Header.Set("Authorization", "Bearer "+e.service)
	res, err := http.DefaultClient.Do(r)
	testkit.Must(t, err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), ":") {
			return
		}
	}
	t.Errorf("no heartbeat: %v", lines.Err())
}

// narrow is a listener whose connections hold little that was not read yet, so
// that a reader who stalls is felt soon.
type narrow struct{ net.Listener }

func (l narrow) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		err = errors.Join(err, tcp.SetWriteBuffer(4096))
	}
	return c, err
}

// rawReader opens a stream of events on a connection of its own, and reads up to
// the greeting. The client of net/http would read ahead.
func (e *engine) rawReader() (net.Conn, *bufio.Scanner) {
	e.t.Helper()
	var d net.Dialer
	c, err := d.DialContext(e.t.Context(), "tcp", strings.TrimPrefix(e.url, "http://"))
	testkit.Must(e.t, err)
	e.t.Cleanup(func() { _ = c.Close() })
	testkit.Must(e.t, c.(*net.TCPConn).SetReadBuffer(4096))
	testkit.Must(e.t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", eventsPath, e.service)
	testkit.Must(e.t, err)
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if lines.Text() == "event: hello" {
			return c, lines
		}
	}
	e.t.Fatalf("no greeting: %v", lines.Err())
	return nil, nil
}

// TestAStalledReaderKeepsNobody has many readers, 1,000 with the build tag load, of
// which one reads nothing: all others get every event in order, and it is dropped.
func TestAStalledReaderKeepsNobody(t *testing.T) {
	t.Parallel()
	const readers, events, lag = goodReaders, 350, 20
	e := newEngine(t, options{listener: func(l net.Listener) net.Listener { return narrow{l} }})
	e.rawReader() // and no more of it
	var got [readers]atomic.Int64
	var reading conc.WaitGroup
	for i := range readers {
		_, lines := e.rawReader()
		reading.Go(func() {
			for n := 0; n < events && lines.Scan(); {
				at := strings.Index(lines.Text(), `"tweet_id":"`)
				if at < 0 {
					continue
				}
				if want := fmt.Sprintf(`"tweet_id":"%d"`, n); !strings.HasPrefix(lines.Text()[at:], want) {
					t.Errorf("%.200s, want %s", lines.Text(), want)
					return
				}
				n++
				got[i].Add(1)
			}
		})
	}
	padding := strings.Repeat("x", 300)
	for i := range events {
		testkit.Must(t, e.queue.PublishUpdates(t.Context(), []queue.RowUpdate{{RowID: uuid.New(), ZoneID: e.zone, TweetID: fmt.Sprint(i), Outcome: engagement.RequestUpdated, Reason: padding}}))
		// As fast as all of them read, and no more on its way than a connection holds: a
		// burst would drop them, as it should.
		testkit.Until(t, func() bool {
			for r := range got {
				if got[r].Load() < int64(i-lag) {
					return false
				}
			}
			return true
		})
	}
	reading.Wait()
	for r := range got {
		if n := got[r].Load(); n != events {
			t.Errorf("reader %d got %d events of %d", r, n, events)
		}
	}
	testkit.Until(t, func() bool { return strings.Contains(e.log.String(), "event reader dropped") })
	if n := strings.Count(e.log.String(), "event reader dropped"); n != 1 {
		t.Errorf("%d readers were dropped, want the one that stalls", n)
	}
}

func TestEventsEndWithTheServer(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	l := e.listen("", e.service, "")
	e.stop()
	if ev := l.next(); ev.kind != "end" {
		t.Errorf("%+v", ev)
	}
}

func TestTooManyReaders(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{config: func(c *web.Config) { c.MaxReaders = 2 }})
	e.listen("", e.service, "")
	l := e.listen("", e.service, "")
	if a := e.ok(503, "GET", eventsPath, e.service, ""); a.header.Get("Retry-After") == "" {
		t.Errorf("%s", a.body)
	}
	l.stop()
	testkit.Until(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+eventsPath, nil)
		testkit.Must(t, err)
		r.Header.Set("Authorization", "Bearer "+e.service)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// TestTooManyStreamsOfAUser: one user does not take the places of all others.
func TestTooManyStreamsOfAUser(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	_, user := e.user("operator", true)
	var last *listener
	for range web.MaxPerUser {
		last = e.listen("", user, "")
	}
	if a := e.ok(429, "GET", eventsPath, user, ""); a.code(t) != "limit" || a.header.Get("Retry-After") == "" {
		t.Errorf("%s", a.body)
	}
	_, other := e.user("operator", true)
	e.listen("", other, "")
	last.stop()
	testkit.Until(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+eventsPath, nil)
		testkit.Must(t, err)
		r.Header.Set("Authorization", "Bearer "+user)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}
