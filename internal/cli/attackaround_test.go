package cli

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/nats-io/nats.go"

	"gorgone/internal/devstack/runfile"
)

// around are attacks that go around a check instead of through it.
func (s *target) around() map[string]func() seen {
	const top = "/api/twitter/engagement/top"
	es256 := jwt.SigningMethodES256
	bearer := []string{"Authorization", "Bearer " + s.service}
	as := func(user uuid.UUID, name string, value any) []string {
		return s.session(es256, s.key, func(c jwt.MapClaims) { c["sub"], c[name] = user.String(), value })
	}
	member := func() []string { return as(s.member(), "amr", nil) }
	header := func(name string, value any, key *ecdsa.PrivateKey) []string {
		token := jwt.NewWithClaims(es256, jwt.MapClaims{
			"iss": s.issuer, "aud": "authenticated", "sub": s.member().String(), "role": "authenticated", "exp": time.Now().Add(time.Hour).Unix(),
		})
		token.Header["kid"] = "k1"
		token.Header[name] = value
		text, err := token.SignedString(key)
		s.must(err)
		return []string{"Authorization", "Bearer " + text}
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	return map[string]func() seen{
		"user: for other audiences only": func() seen { return s.from("GET", top, "", as(s.member(), "aud", []string{"x", "y"})...) },
		"user: `exp` is no number":       func() seen { return s.from("GET", top, "", as(s.member(), "exp", "never")...) },
		"user: the key's id is a path":   func() seen { return s.from("GET", top, "", header("kid", "../../../etc/passwd", s.key)...) },
		"user: the address of other keys, in the token": func() seen {
			return s.from("GET", top, "", header("jku", "https://evil.example.com/keys", other)...)
		},
		"user: the profile is deleted": func() seen {
			id := s.member()
			headers := as(id, "amr", nil)
			path := "/api/twitter/engagement/" + s.tweet.String()
			s.accept(s.from("GET", path, "", headers...))
			s.exec(`delete from profiles where id = $1`, id)
			return s.from("GET", path, "", headers...)
		},
		"user: the zone went to another client": func() seen {
			id, zone := s.member(), uuid.New()
			headers := as(id, "amr", nil)
			s.exec(`insert into zones (id, name, client_id, is_active) values ($1, 'moving', $2, true)`, zone, s.client())
			path := "/api/twitter/zones/" + zone.String() + "/export.csv"
			s.accept(s.from("GET", path, "", headers...))
			s.exec(`update zones set client_id = (select client_id from profiles where id = $2) where id = $1`, zone, s.user)
			a := s.from("GET", path, "", headers...)
			s.exec(`delete from zones where id = $1`, zone)
			return a
		},
		"user: the answer to another's refresh":        s.anothersRefresh,
		"user: live events since those of another":     s.anothersEvents,
		"user: 200 HEAD of live events, then a stream": s.manyHeads,
		"a page without an origin (`null`)": func() seen {
			return s.from("OPTIONS", top, "", "Origin", "null", "Access-Control-Request-Method", "GET")
		},
		"OPTIONS, 200 times": func() (last seen) {
			for range 200 {
				last = s.send(net.IPv4(127, 0, 2, 3), "OPTIONS", top, "")
			}
			return last
		},
		"two headers Authorization": func() seen {
			return s.from("GET", top, "", append(member(), bearer...)...)
		},
		"two lengths of a body": func() seen {
			return s.raw("POST " + triggerPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello")
		},
		"a body in another body": func() seen {
			return s.raw("POST " + triggerPath + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n")
		},
		"JSON that is nested 100,000 deep": func() seen {
			return s.from("POST", "/api/twitter/tweets", strings.Repeat("[", 100_000), bearer...)
		},
		"a compressed body": func() seen {
			return s.from("POST", triggerPath, "\x1f\x8b\x08\x00", append([]string{"Content-Encoding", "gzip"}, bearer...)...)
		},
		"a path out of the dashboard's files": func() seen {
			return s.raw("GET /%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		},
		"another method in a header": func() seen {
			return s.from("GET", "/api/session/code", "", append([]string{"X-HTTP-Method-Override", "POST"}, bearer...)...)
		},
		"MCP: the session of another":  s.anothersSession,
		"MCP: under another host name": func() seen { return s.mcp(nil, "Host", "evil.example.com") },
		"MCP: a body of 1 MiB": func() seen {
			return s.mcp(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": strings.Repeat("x", 1<<20)})
		},
		"MCP: a page of another site":               func() seen { return s.mcp(nil, "Origin", "https://evil.example.com") },
		"NATS of `up`, as one who may only refresh": s.natsElsewhere,
		"webhook: addresses inside, however written": func() (last seen) {
			host, err := os.Hostname()
			s.must(err)
			for _, address := range []string{
				"https://10.0.0.1/", "https://169.254.169.254/latest", "https://[fd00:ec2::254]/", "https://[fec0::1]/", "https://[::a00:1]/",
				"https://[::ffff:10.0.0.1]/", "https://[::ffff:0:a00:1]/", "https://[64:ff9b::a00:1]/", "https://[2001::a00:1]/", "https://[2002:a00:1::]/",
				"https://[fe80::1%25lo]/", "https://[::]/", "https://0.0.0.0/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/",
				"https://" + host + "/", // what it resolves to counts
			} {
				if last = s.hooked(address); last.status != 1 {
					s.t.Errorf("%s: %s", address, last)
				}
			}
			return last
		},
		"webhook: a redirect to an address inside": func() seen {
			var reached atomic.Bool
			inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
			defer inside.Close()
			outside := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect))
			defer outside.Close()
			a := s.hooked(outside.URL)
			if reached.Load() {
				s.t.Error("the redirect was followed")
			}
			return a
		},
		"webhook: a port that is no web server's": func() seen { return s.hooked("https://example.com:25/") },
	}
}

func (s *target) exec(sql string, args ...any) {
	s.t.Helper()
	_, err := s.up.sql().Exec(s.t.Context(), sql, args...)
	s.must(err)
}

// raw sends what no HTTP client would.
func (s *target) raw(text string) seen {
	s.t.Helper()
	u, err := url.Parse(s.url)
	s.must(err)
	conn, err := net.Dial("tcp", u.Host)
	s.must(err)
	defer conn.Close()
	_, err = io.WriteString(conn, text)
	s.must(err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	s.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	s.must(err)
	var fault struct{ Code string }
	_ = json.Unmarshal(body, &fault) // not all answers are faults
	return seen{status: res.StatusCode, code: fault.Code, body: string(body), header: res.Header}
}

// anothersRefresh asks for the answer to a refresh that a service had made.
func (s *target) anothersRefresh() seen {
	s.t.Helper()
	path := "/api/twitter/tweets/" + s.tweet.String() + "/refresh"
	made := s.from("POST", path+"?force=true&wait=30s", "", "Authorization", "Bearer "+s.service)
	var answer struct {
		RequestID string `json:"request_id"`
	}
	s.must(json.Unmarshal([]byte(made.body), &answer))
	return s.from("GET", path+"/"+answer.RequestID, "", s.session(jwt.SigningMethodES256, s.key, nil)...)
}

// anothersEvents goes on where another's stream of events was, and gets none of them.
func (s *target) anothersEvents() seen {
	s.t.Helper()
	own, zone := s.stranger()
	defer s.exec(`delete from zones where id = $1`, zone)
	first := s.events([]string{"Authorization", "Bearer " + s.service}, "")
	s.from("POST", "/api/twitter/tweets/"+s.tweet.String()+"/refresh?force=true&wait=30s", "", "Authorization", "Bearer "+s.service)
	ends := s.session(jwt.SigningMethodES256, s.key, func(c jwt.MapClaims) {
		c["sub"], c["exp"] = own.String(), time.Now().Add(3*time.Second).Unix()
	})
	a := s.from("GET", eventsPath, "", append(ends, "Last-Event-ID", first)...)
	if !strings.Contains(a.body, "event: hello") || strings.Contains(a.body, s.tweet.String()) || strings.Contains(a.body, "event: update") {
		s.t.Errorf("since %s: %s", first, a.body)
	}
	return a
}

// stranger is a user of another client than that of the demonstration, with a zone.
func (s *target) stranger() (user, zone uuid.UUID) {
	s.t.Helper()
	user, zone = uuid.New(), uuid.New()
	s.exec(`insert into zones (id, name, client_id, is_active) select $1, 'own', client_id, true from profiles where id = $2`, zone, s.user)
	s.exec(`insert into profiles (id, role, client_id) select $1, 'operator', client_id from profiles where id = $2`, user, s.user)
	return user, zone
}

// events opens a stream, and returns the id of its first event.
func (s *target) events(headers []string, since string) (id string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+eventsPath, nil)
	s.must(err)
	r.Header.Set(headers[0], headers[1])
	r.Header.Set("Last-Event-ID", since)
	res, err := http.DefaultClient.Do(r)
	s.must(err)
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if id, found := strings.CutPrefix(lines.Text(), "id: "); found {
			return id
		}
	}
	s.t.Error("no event has an id")
	return ""
}

// manyHeads asks for the headers of streams, which take no places of the user's.
func (s *target) manyHeads() seen {
	s.t.Helper()
	headers := s.session(jwt.SigningMethodES256, s.key, func(c jwt.MapClaims) {
		c["sub"], c["exp"] = s.member().String(), time.Now().Add(10*time.Second).Unix()
	})
	for range 200 {
		s.accept(s.send(net.IPv4(127, 0, 2, 4), "HEAD", eventsPath, "", headers...))
	}
	return s.from("GET", eventsPath, "", headers...)
}

// serveMCP runs gorgone mcp, once, and returns its address.
func (s *target) serveMCP() string {
	s.t.Helper()
	if s.mcpURL == "" {
		var serving struct{ MCP string }
		s.must(json.Unmarshal([]byte(s.runMCP(nil, io.Discard, true, "--listen", "127.0.0.1:0")), &serving))
		s.mcpURL = serving.MCP
	}
	return s.mcpURL
}

// mcp sends a message to gorgone mcp as the service, unless headers say otherwise.
func (s *target) mcp(message map[string]any, headers ...string) seen {
	s.t.Helper()
	if message == nil {
		message = map[string]any{"jsonrpc": "2.0", "id": 1, "method": "ping"}
	}
	body, err := json.Marshal(message)
	s.must(err)
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.serveMCP(), strings.NewReader(string(body)))
	s.must(err)
	for i, h := 0, append([]string{"Authorization", "Bearer " + s.service, "Content-Type", "application/json", "Accept", "application/json, text/event-stream"}, headers...); i < len(h); i += 2 {
		r.Header.Set(h[i], h[i+1])
	}
	r.Host = r.Header.Get("Host")
	res, err := http.DefaultClient.Do(r)
	s.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	s.must(err)
	return seen{status: res.StatusCode, body: string(text), header: res.Header}
}

// anothersSession names the session of a service, with the token of a user who may read
// another zone only.
func (s *target) anothersSession() seen {
	s.t.Helper()
	own, zone := s.stranger()
	defer s.exec(`delete from zones where id = $1`, zone)
	begun := s.mcp(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": map[string]any{
		"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "x", "version": "1"},
	}})
	s.accept(begun)
	id := begun.header.Get("Mcp-Session-Id")
	if id == "" {
		id = "the-session-of-another"
	}
	token := s.session(jwt.SigningMethodES256, s.key, func(c jwt.MapClaims) { c["sub"] = own.String() })
	a := s.mcp(map[string]any{"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": map[string]any{
		"name": "history", "arguments": map[string]any{"tweet": s.tweet.String()},
	}}, append(token, "Mcp-Session-Id", id)...)
	if a.status == http.StatusOK && !strings.Contains(a.body, "404 not_found") {
		s.t.Errorf("the session of another answers: %s", a.body)
	}
	return a
}

// tool calls a tool that reads much as a user, and returns why it was refused.
func (s *target) tool(headers []string) string {
	s.t.Helper()
	a, err := s.assistant(&mcp.StreamableClientTransport{
		Endpoint: s.serveMCP(), MaxRetries: -1, DisableStandaloneSSE: true,
		HTTPClient: &http.Client{Transport: withToken(strings.TrimPrefix(headers[1], "Bearer "))},
	})
	s.must(err)
	text, refused := a.call("top", nil)
	if !refused {
		return "answered"
	}
	return text
}

// natsElsewhere does with the rights of a program that may ask for refreshes what that has
// no use for.
func (s *target) natsElsewhere() seen {
	s.t.Helper()
	r, err := runfile.Read(s.up.dir)
	s.must(err)
	refused := make(chan error, 1)
	nc, err := nats.Connect(r.RefresherURL, nats.CustomInboxPrefix("_INBOX_refresher"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	s.must(err)
	defer nc.Close()
	listener, err := nats.Connect(r.NATSURL)
	s.must(err)
	defer listener.Close()
	leaked, err := listener.SubscribeSync("eng.evt.>")
	s.must(err)
	s.must(listener.Flush())
	ask := func(tweet string) []byte {
		return fmt.Appendf(nil, `{"v": 1, "request_id": %q, "tweet_id": %q}`, uuid.NewString(), tweet)
	}
	for _, subject := range []string{"eng.batch.due", "eng.evt.seen", "eng.done.20", "$JS.API.STREAM.PURGE.ENG_REFRESH", "$KV.ENG_PAUSE.all"} {
		s.must(nc.Publish(subject, []byte("{}")))
		<-refused //nolint:errcheck // that there is one is what counts
	}
	for _, subject := range []string{">", "eng.>", "eng.evt.>", "_INBOX.>"} {
		_, err := nc.SubscribeSync(subject)
		s.must(err)
		<-refused //nolint:errcheck // likewise
	}
	s.must(nc.PublishRequest("eng.refresh.20", "eng.evt.seen", ask("20"))) // acknowledged where it cannot be heard
	if _, err := nc.Request("eng.refresh.21", ask("21"), time.Minute); err != nil {
		return seen{code: "cannot ask for a refresh: " + err.Error()}
	}
	s.must(listener.Flush())
	for m, err := leaked.NextMsg(time.Millisecond); err == nil; m, err = leaked.NextMsg(time.Millisecond) {
		if strings.Contains(string(m.Data), `"ENG_REFRESH"`) {
			return seen{code: "an acknowledgement goes to " + m.Subject}
		}
	}
	return seen{code: "refused"}
}

// hooked adds a webhook, has a message posted to it, and removes it.
func (s *target) hooked(address string) seen {
	s.t.Helper()
	out, code := gorgone(s.t, "", "alert", "webhooks", "add", address, "--data-dir", s.up.dir)
	if code != 0 {
		return seen{exit: true, status: code, body: out}
	}
	id := strings.Fields(out)[1]
	out, code = gorgone(s.t, "", "alert", "webhooks", "test", id, "--data-dir", s.up.dir)
	s.up.run("alert", "webhooks", "remove", id)
	return seen{exit: true, status: code, body: out}
}
