package web_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// middlebox is a proxy as they stand before servers: it compresses what it may, and holds
// back what it has read until its buffer is full.
type middlebox struct {
	upstream string
	compress bool // unless it is told not to
	buffer   int  // bytes that it passes on at once; 0: what comes
	obeys    bool // X-Accel-Buffering: no
}

// ServeHTTP implements [http.Handler].
func (m middlebox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, m.upstream+r.URL.RequestURI(), r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = r.Header.Clone()
	res, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer res.Body.Close()
	maps.Copy(w.Header(), res.Header)
	flush := http.NewResponseController(w).Flush
	var to io.Writer = w
	if m.compress && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && !strings.Contains(res.Header.Get("Cache-Control"), "no-transform") {
		w.Header().Set("Content-Encoding", "gzip")
		to = gzip.NewWriter(w) // which keeps what is written until it is worth a block
	}
	size := m.buffer
	if m.obeys && res.Header.Get("X-Accel-Buffering") == "no" {
		size = 0
	}
	w.WriteHeader(res.StatusCode)
	buffered, chunk := []byte(nil), make([]byte, 4096)
	for {
		n, err := res.Body.Read(chunk)
		buffered = append(buffered, chunk[:n]...)
		for len(buffered) > 0 && len(buffered) >= size {
			n := max(size, 1)
			if size == 0 {
				n = len(buffered)
			}
			if _, err := to.Write(buffered[:n]); err != nil || flush() != nil {
				return
			}
			buffered = buffered[n:]
		}
		if err != nil {
			return
		}
	}
}

// TestEventsThroughProxies reads events through proxies, each at once when it happens.
func TestEventsThroughProxies(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	for name, tc := range map[string]struct {
		box   middlebox
		query string
		http2 bool
	}{
		"it passes on what comes":            {box: middlebox{}},
		"it compresses":                      {box: middlebox{compress: true}},
		"it buffers":                         {box: middlebox{buffer: 8 << 10, obeys: true}},
		"it compresses and buffers":          {box: middlebox{compress: true, buffer: 8 << 10, obeys: true}},
		"it buffers whatever it is told":     {box: middlebox{compress: true, buffer: 4 << 10}, query: "?padding=8192"},
		"it speaks HTTP/2, and compresses":   {box: middlebox{compress: true, buffer: 8 << 10, obeys: true}, http2: true},
		"HTTP/2, and buffers in spite of it": {box: middlebox{buffer: 1 << 10}, query: "?padding=2048", http2: true},
	} {
		t.Run(name, func(t *testing.T) {
			tc.box.upstream = e.url
			proxy := httptest.NewUnstartedServer(tc.box)
			through := *e
			through.t = t
			if tc.http2 {
				proxy.EnableHTTP2 = true
				proxy.StartTLS()
				through.caller = proxy.Client()
			} else {
				proxy.Start()
			}
			t.Cleanup(proxy.Close)
			through.url = proxy.URL
			l := through.listen(tc.query, e.service, "")
			for i := range 3 {
				through.publish(e.zone, fmt.Sprint(i))
				if ev := l.next(); !strings.Contains(ev.data, fmt.Sprintf(`"tweet_id":"%d"`, i)) {
					t.Errorf("%+v, want tweet %d", ev, i)
				}
			}
			l.stop()
			// Back with the id of the greeting, before which nothing had been read.
			again := through.listen(tc.query, e.service, l.hello.id)
			if ev := again.next(); !strings.Contains(ev.data, `"tweet_id":"0"`) {
				t.Errorf("after the greeting: %+v", ev)
			}
			again.stop()
		})
	}
	for _, query := range []string{"?padding=-1", "?padding=16385", "?padding=x"} {
		e.ok(400, "GET", eventsPath+query, e.service, "")
	}
}

// TestAGreetingThatIsCut: a reader that was not yet told that it had missed something is
// told so when it comes back.
func TestAGreetingThatIsCut(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	first := e.listen("", e.service, "another-process_3")
	for _, id := range []string{first.hello.id, first.hello.id} {
		l := e.listen("", e.service, id)
		ev := l.next()
		if ev.kind != "reset" || ev.id == "" {
			t.Fatalf("back with %q: %+v, want a reset with an id", id, ev)
		}
		e.publish(e.zone, "1")
		if ev := e.listen("", e.service, ev.id).next(); ev.kind != "update" {
			t.Errorf("back after the reset: %+v", ev)
		}
	}
}
