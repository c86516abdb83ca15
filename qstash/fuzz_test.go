package qstash

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// answering is a way to QStash that always answers the same.
type answering struct {
	status int
	body   []byte
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Body: io.NopCloser(bytes.NewReader(a.body)), Request: r}, nil
}

// Whatever QStash answers ends as schedules or as an error that is fit for a terminal
// and does not tell the token.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(`{"scheduleId":"gorgone"}`))
	f.Add(200, []byte(`[{"scheduleId":"gorgone","cron":"* * * * *","destination":"https://x","body":"{}","retries":3,"isPaused":true}]`))
	f.Add(401, []byte(`{"error":"the token sesame is not known"}`))
	f.Add(412, []byte("\x1b[31msesame\nsesame"))
	f.Add(404, []byte(``))
	const token = "sesame"
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status > 999 {
			return // the client refuses it
		}
		c, err := New("", token)
		if err != nil {
			t.Fatal(err)
		}
		c.http.Transport = answering{status, body}
		s := Schedule{ID: "gorgone", Cron: "* * * * *", Destination: "https://example.com/x", Timeout: 1e9}
		put := c.Put(t.Context(), s)
		list, listed := c.List(t.Context())
		paused := c.Pause(t.Context(), s.ID)
		ok := status >= 200 && status <= 299
		if !ok && (put == nil || listed == nil || paused == nil || list != nil) || ok && paused != nil {
			t.Fatalf("status %d: %v, %v, %v", status, put, listed, paused)
		}
		if put == nil && !strings.Contains(string(body), "gorgone") {
			t.Fatalf("%q is taken for the schedule", body)
		}
		for _, err := range []error{put, listed, paused} {
			if err == nil {
				continue
			}
			refused, is := errors.AsType[*Error](err)
			if (is || errors.Is(err, ErrNotFound)) == ok {
				t.Fatalf("status %d: %v", status, err)
			}
			if is && (refused.Reason == "" || len(refused.Reason) > maxReason+len("...")) {
				t.Fatalf("a reason of %d bytes", len(refused.Reason))
			}
			text := err.Error()
			if strings.Contains(text, token) || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Fatalf("the error says %q", text)
			}
		}
	})
}
