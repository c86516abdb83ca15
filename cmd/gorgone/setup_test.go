package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorgone/internal/natsserver/natstest"
	"gorgone/internal/postgres/pgtest"
)

// TestSetup sets an installation up without a terminal: on an empty database everything is
// made and checked, and a file that exists is not touched.
func TestSetup(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gorgone.env")
	env := []string{
		"DATABASE_URL=" + pgtest.NewEmptyDatabase(t), "NATS_URL=" + natstest.Start(t).ClientURL(), "TWITTER_API_KEY=key-of-a-test", "TWITTER_RATE=5",
	}
	run := func(env []string, args ...string) (string, int) {
		p := startProgram(t, env, append([]string{"setup", "--file", file}, args...)...)
		_ = p.wait()
		return p.log.String(), p.cmd.ProcessState.ExitCode()
	}
	if out, code := run(nil); code != 2 || !strings.Contains(out, "not given: DATABASE_URL, NATS_URL, TWITTER_API_KEY") {
		t.Errorf("without settings: exit %d\n%s", code, out)
	}
	out, code := run(env)
	if code != 0 || !strings.Contains(out, "applied 00001") || !strings.Contains(out, "the streams are up to date") || !strings.Contains(out, "what is left:") || strings.Contains(out, "FAIL") {
		t.Fatalf("exit %d\n%s", code, out)
	}
	if strings.Contains(out, "key-of-a-test") {
		t.Error("the key is shown")
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "TWITTER_API_KEY='key-of-a-test'\n") || !strings.Contains(string(text), "TWITTER_RATE='5'\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if out, code := run(env); code != 2 || !strings.Contains(out, "--force") {
		t.Errorf("again: exit %d\n%s", code, out)
	}
	if out, code := run(env, "--force"); code != 0 || !strings.Contains(out, "the database is up to date") {
		t.Errorf("again, with --force: exit %d\n%s", code, out)
	}
}
