package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/sourcegraph/conc"

	"gorgone/internal/testkit"
)

// assistant is the SDK's own client, connected to "gorgone mcp".
type assistant struct {
	t *testing.T
	*mcp.ClientSession
}

// call calls a tool; text is what it says, which is an error if refused.
func (a assistant) call(tool string, args map[string]any) (text string, refused bool) {
	a.t.Helper()
	result, err := a.CallTool(a.t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	testkit.Must(a.t, err)
	for _, c := range result.Content {
		if part, ok := c.(*mcp.TextContent); ok {
			text += part.Text
		}
	}
	return text, result.IsError
}

// read calls a tool that must answer, and decodes what it says.
func (a assistant) read(tool string, args map[string]any, into any) {
	a.t.Helper()
	text, refused := a.call(tool, args)
	if refused {
		a.t.Fatalf("%s: %s", tool, text)
	}
	testkit.Must(a.t, json.Unmarshal([]byte(text), into))
}

func (s *target) assistant(over mcp.Transport) (assistant, error) {
	s.t.Helper()
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(s.t.Context(), over, nil)
	if err == nil {
		s.t.Cleanup(func() { _ = session.Close() })
	}
	return assistant{s.t, session}, err
}

// runMCP runs "gorgone mcp" until the test ends; first is its first line of log, if it
// has one to wait for.
func (s *target) runMCP(in io.Reader, out io.Writer, wait bool, args ...string) (first string) {
	s.t.Helper()
	logs, logged := io.Pipe()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	var running conc.WaitGroup
	running.Go(func() {
		defer logged.Close() //nolint:errcheck // of a pipe it returns nil
		root := New(in, out, logged, "")
		root.SetArgs(append([]string{"mcp", "--data-dir", s.up.dir}, args...))
		if err := root.ExecuteContext(ctx); err != nil {
			s.t.Errorf("gorgone mcp: %v", err)
		}
	})
	lines := bufio.NewScanner(logs)
	if wait && lines.Scan() {
		first = lines.Text()
	}
	running.Go(func() {
		for lines.Scan() {
			continue
		}
	})
	s.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return first
}

// withToken sends a token with every request.
type withToken string

func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if t != "" {
		r.Header.Set("Authorization", "Bearer "+string(t))
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestMCP asks as an assistant does, over both transports, against a running up.
func TestMCP(t *testing.T) {
	t.Setenv("GORGONE_REFRESH_BUDGET_DAY", "0.01") // a few tweets
	s := newTarget(t)
	stdin, fromClient := io.Pipe()
	toClient, stdout := io.Pipe()
	s.runMCP(stdin, stdout, false)
	local, err := s.assistant(&mcp.IOTransport{Reader: toClient, Writer: fromClient})
	s.must(err)

	var serving struct{ MCP string }
	s.must(json.Unmarshal([]byte(s.runMCP(nil, io.Discard, true, "--listen", "127.0.0.1:0")), &serving))
	over := func(token string) (assistant, error) {
		return s.assistant(&mcp.StreamableClientTransport{
			Endpoint: serving.MCP, HTTPClient: &http.Client{Transport: withToken(token)}, MaxRetries: -1, DisableStandaloneSSE: true,
		})
	}
	remote, err := over(s.service)
	s.must(err)
	for name, a := range map[string]assistant{"stdio": local, "HTTP": remote} {
		s.answers(name, a)
	}
	s.refuses(over, serving.MCP)

	// The budget is that of all doors.
	s.refreshes(local, remote)
}

// answers tries the tools that read.
func (s *target) answers(name string, a assistant) {
	s.t.Helper()
	tools, err := a.ListTools(s.t.Context(), nil)
	s.must(err)
	var names []string
	for _, tool := range tools.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	if want := []string{"alerts", "cost", "history", "refresh", "statistics", "top"}; !slices.Equal(names, want) {
		s.t.Errorf("%s: tools %v, want %v", name, names, want)
	}
	var top struct {
		Total int
		Data  []struct {
			ID      string
			TweetID string `json:"tweet_id"`
		}
	}
	a.read("top", map[string]any{"by": "engagement", "since": "240h", "limit": 2}, &top)
	if top.Total < 5 || len(top.Data) != 2 {
		s.t.Fatalf("%s: %+v", name, top)
	}
	for _, id := range []string{top.Data[0].ID, top.Data[0].TweetID} {
		var chart struct {
			Data struct {
				ID        string
				Snapshots []any
			}
		}
		a.read("history", map[string]any{"tweet": id, "limit": 1}, &chart)
		if chart.Data.ID != top.Data[0].ID || len(chart.Data.Snapshots) > 1 {
			s.t.Errorf("%s: %+v", name, chart)
		}
	}
	for tool, field := range map[string]string{"statistics": "tracking_stats", "cost": "data", "alerts": "data"} {
		var answer map[string]any
		a.read(tool, nil, &answer)
		if answer["success"] != true || answer[field] == nil {
			s.t.Errorf("%s: %s answered %v", name, tool, answer)
		}
	}
	if text, refused := a.call("top", map[string]any{"by": "luck"}); !refused || !strings.HasPrefix(text, "400 bad_request") {
		s.t.Errorf("%s: %s", name, text)
	}
	if text, refused := a.call("history", map[string]any{"tweet": "../../../healthz"}); !refused {
		s.t.Errorf("%s: a path for a tweet: %s", name, text)
	}
}

// refuses tries callers who may not, or not everything.
func (s *target) refuses(over func(string) (assistant, error), address string) {
	s.t.Helper()
	stranger := strings.TrimPrefix(s.session(jwt.SigningMethodES256, s.key, nil)[1], "Bearer ")
	for name, token := range map[string]string{"nothing": "", "a guess": strings.Repeat("a", 60), "a user without a zone": stranger} {
		if _, err := over(token); err == nil {
			s.t.Errorf("%s: let in", name)
		}
	}
	post := func(headers ...string) (int, http.Header) {
		s.t.Helper()
		r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, address, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		s.must(err)
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(r)
		s.must(err)
		s.must(res.Body.Close())
		return res.StatusCode, res.Header
	}
	if status, header := post(); status != 401 || header.Get("WWW-Authenticate") != "Bearer" {
		s.t.Errorf("nothing: %d, %v", status, header)
	}
	if status, header := post("Authorization", "Bearer "+strings.Repeat("a", 60)); status != 401 || !strings.Contains(header.Get("WWW-Authenticate"), "invalid_token") {
		s.t.Errorf("a guess: %d, %v", status, header)
	}
	if status, _ := post("Authorization", "Bearer "+s.service, "Origin", "https://evil.example.com", "Sec-Fetch-Site", "cross-site"); status != 403 {
		s.t.Errorf("a page of another site: %d", status)
	}

	// With a zone, the same user reads there, and nowhere else.
	_, err := s.up.sql().Exec(s.t.Context(), `insert into zones (id, name, client_id, is_active)
		select gen_random_uuid(), 'own', client_id, true from profiles where id = $1`, s.user)
	s.must(err)
	user, err := over(stranger)
	s.must(err)
	var top struct{ Total int }
	if user.read("top", map[string]any{"since": "240h"}, &top); top.Total != 0 {
		s.t.Errorf("a user of another zone sees %d tweets", top.Total)
	}
	for _, tool := range []string{"history", "refresh"} {
		if text, refused := user.call(tool, map[string]any{"tweet": s.tweet.String()}); !refused || !strings.HasPrefix(text, "404 not_found") {
			s.t.Errorf("%s of another zone: %s", tool, text)
		}
	}
	if text, refused := user.call("cost", nil); !refused || !strings.HasPrefix(text, "403 not_permitted") {
		s.t.Errorf("the cost of all zones: %s", text)
	}
}

// refreshes uses up the day's budget, after which every door is shut.
func (s *target) refreshes(first, second assistant) {
	s.t.Helper()
	var ids []string
	s.must(s.up.sql().QueryRow(s.t.Context(), `select array(select tweet_id from twitter_tweets group by tweet_id having count(*) = 1 order by tweet_id limit 2)`).Scan(&ids))
	var done struct {
		Data struct {
			TweetID string `json:"tweet_id"`
		}
	}
	if first.read("refresh", map[string]any{"tweet": ids[0], "force": true}, &done); done.Data.TweetID != ids[0] {
		s.t.Errorf("%+v", done)
	}
	for n := 0; ; n++ {
		door := []assistant{first, second}[n%2]
		text, refused := door.call("refresh", map[string]any{"tweet": ids[1], "force": true})
		switch {
		case !refused && n < 100:
			continue
		case !refused || !strings.HasPrefix(text, "429 limit") || !strings.Contains(text, "try again in"):
			s.t.Errorf("refresh %d, over the budget: %s", n, text)
		}
		break
	}
	if text, refused := second.call("refresh", map[string]any{"tweet": ids[0], "force": true}); !refused || !strings.HasPrefix(text, "429 limit") {
		s.t.Errorf("over the budget: %s", text)
	}
}

func TestMCPUsage(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	token := filepath.Join(dir, "token")
	testkit.Must(t, os.WriteFile(token, []byte("x"), 0o600))
	for _, tt := range []struct {
		code int
		args []string
	}{
		{2, []string{"--url", "ftp://host"}},
		{2, []string{"--url", "https://user:secret@host", "--token-file", token}},
		{2, []string{"--url", "https://host"}},
		{2, []string{"--url", "https://host", "--token-file", filepath.Join(dir, "none")}},
		{2, []string{"--url", "https://host", "--token-file", token, "--listen", "127.0.0.1:0"}},
		{2, []string{"--url", "https://host", "--listen", "no address"}},
		{1, nil},
		{0, []string{"--url", "https://host", "--token-file", token}}, // no one asks anything
	} {
		if _, code := gorgone(t, "", append([]string{"mcp", "--data-dir", dir}, tt.args...)...); code != tt.code {
			t.Errorf("%v: exit %d, want %d", tt.args, code, tt.code)
		}
	}
}
