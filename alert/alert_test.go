package alert_test

import (
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
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/postgres/pgtest"
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
			err := poster(patience).Post(t.Context(), alert.Webhook{URL: address, Secret: alert.NewSecret(), Format: alert.FormatJSON}, "id", alert.Message{})
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
	for port, ok := range map[string]bool{"": true, ":443": true, ":80": true, ":8443": true, ":25": false, ":0": false, ":22": false, ":65536": false} {
		if err := alert.CheckNew("https://example.com" + port + "/x"); (err == nil) != ok {
			t.Errorf("port %q: %v", port, err)
		}
	}
	inside := alert.NewPoster(time.Second, true, time.Now, "test") // private networks are allowed
	metadata := alert.Webhook{URL: "https://[fd00:ec2::254]/latest", Secret: alert.NewSecret(), Format: alert.FormatJSON}
	if err := inside.Post(t.Context(), metadata, "id", alert.Message{}); err == nil || !strings.Contains(err.Error(), "private network") {
		t.Errorf("a cloud's metadata: %v", err)
	}
	for _, private := range []string{
		"https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest", "https://[fd00::1]/", "https://[fe80::1]/",
		"https://[fec0::1]/", "https://[::7f00:1]/", "https://[::ffff:0:a00:1]/", "https://[2001::a00:1]/", "https://[2002:a00:1::]/", "https://[100::1]/",
		"https://[fd00:ec2::254]/", "https://100.64.0.1/", "https://0.0.0.0/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://224.0.0.1/",
	} {
		err := poster(time.Second).Post(t.Context(), alert.Webhook{URL: private, Secret: alert.NewSecret(), Format: alert.FormatJSON}, "id", alert.Message{})
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
		tweet := "1"
		m := alert.Message{ID: uuid.New(), Kind: engagement.AlertCount, Rule: "<r>", Message: "Tweet 1 & more: ünïcode", TweetID: &tweet, Text: "a\nb"}
		if err := poster(5*time.Second).Post(t.Context(), alert.Webhook{URL: r.URL, Secret: secret, Format: format}, "the-id", m); err != nil {
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
