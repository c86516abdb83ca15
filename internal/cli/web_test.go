package cli

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gorgone/internal/devstack/runfile"
)

// TestHTTPPage runs every line of docs/http-api.md against a running up.
func TestHTTPPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/http-api.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := madeDir(t)
	u := startUp(t, dir, "--tweets", "40", "--listen", "127.0.0.1:0")
	u.until("something was looked up", func(s stats) bool { return s.Total > 0 })
	r, err := runfile.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{runfile.TokenName, runfile.WebhookKeyName} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	var script strings.Builder
	script.WriteString("set -euo pipefail\nURL=" + r.WebURL + "\n")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	routes := 0
	for _, b := range blocks {
		block := strings.ReplaceAll(b[1], ".gorgone/", dir+"/")
		routes += strings.Count(block, "curl ")
		if strings.Contains(block, "/events") {
			// It has no end of its own.
			block = strings.ReplaceAll(block, "curl ", "curl --max-time 3 ")
			block = "OUT=$( { " + strings.TrimSpace(block) + " || [ $? = 28 ]; } )\n" + `case "$OUT" in *"event: hello"*) ;; *) echo "no greeting: $OUT"; exit 1;; esac` + "\n"
		}
		script.WriteString(block)
	}
	if routes < 14 {
		t.Errorf("%d calls on the page", routes)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "bash", "-c", script.String()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"tracking_stats"`, `"successful":`, `"avg_latency_ms":`, `"baseline"`, "snapshot_at,retweet_count", `"tracked":1`, `"snapshot_created"`, `"refreshing":`, "the webhook works", "there is no such dead letter", `"ready":true`, `"openapi": "3.1.0"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is not in what came back", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	out, code := gorgone(t, "", "token", "new", "--name", "cron", "--scopes", "dispatch,read")
	if code != 0 || len(strings.TrimSpace(out)) < 32 {
		t.Errorf("exit %d: %q", code, out)
	}
	for _, args := range [][]string{{"--scopes", "everything", "--name", "x"}, {"--scopes", "read"}} {
		if _, code := gorgone(t, "", append([]string{"token", "new"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d", args, code)
		}
	}
}

// TestWebWithoutCallers: a server that no one may call says so as it starts, and what to set.
func TestWebWithoutCallers(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	startUp(t, dir, "--tweets", "5", "--listen", "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		root := New(strings.NewReader(""), io.Discard, out, "")
		root.SetArgs([]string{"web", "--data-dir", dir, "--listen", "127.0.0.1:0"})
		ended <- root.ExecuteContext(ctx)
		_ = out.Close()
	}()
	told := false
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		line := lines.Text()
		told = told || strings.Contains(line, "no caller is configured") && strings.Contains(line, "GORGONE_WEB_TOKENS")
		if strings.Contains(line, "serving http") {
			cancel() // it goes on reading until the server has ended
		}
	}
	if err := <-ended; err != nil || !told {
		t.Errorf("told that no one may call: %v; %v", told, err)
	}
}
