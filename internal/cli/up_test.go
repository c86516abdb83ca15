package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorgone/internal/devstack"
	"gorgone/internal/devstack/runfile"
	"gorgone/twitter/fakeprovider"
)

// TestUpGoesOnWhereItWas stops a sped-up demonstration and starts it again.
func TestUpGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	u := startUp(t, dir, "--tweets", "30", "--speed", "60")
	u.until("tweets are tracked", func(s stats) bool { return s.Total > 5 })
	before := u.stats()
	if err := u.stop(); err != nil {
		t.Fatal(err)
	}
	if _, code := gorgone(t, "", "stats", "--data-dir", dir); code == 0 {
		t.Error("stats found an up that had stopped")
	}
	u = startUp(t, dir, "--speed", "60")
	after := u.stats()
	if after.Total < before.Total {
		t.Errorf("%d tweets tracked after the restart, %d before", after.Total, before.Total)
	}
	// What passed in between is what both ran and the two seconds that a restart
	// allows for; the hours that a stopped clock would have run up are not in it.
	if passed := after.Now.Sub(before.Now); passed <= 0 {
		t.Errorf("engine time went from %s to %s", before.Now, after.Now)
	}
	if _, code := gorgone(t, "", "up", "--data-dir", dir); code != exitUsage {
		t.Errorf("a second up exits %d, want %d", code, exitUsage)
	}
}

func TestUpRefuses(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no speed":               {"--speed", "0"},
		"a speed beyond sense":   {"--speed", "1e9"},
		"a file that is missing": {"--replay", filepath.Join(t.TempDir(), "none.tsv")},
		"an unknown flag":        {"--spead", "60"},
		"an argument":            {"please"},
		"no tweets":              {"--tweets", "0"},
		"a negative time":        {"--spread", "-1h"},
	} {
		if _, code := gorgone(t, "", append([]string{"up", "--data-dir", dataDir(t)}, args...)...); code != exitUsage {
			t.Errorf("%s: exits %d, want %d", name, code, exitUsage)
		}
	}
}

// TestResetDeletesOnlyWhatIsOurs: a folder may have a "nats" in it.
func TestResetDeletesOnlyWhatIsOurs(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	mine := filepath.Join(dir, "nats")
	if err := os.Mkdir(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, code := gorgone(t, "", "up", "--data-dir", dir, "--reset"); code != exitUsage {
		t.Errorf("exits %d, want %d", code, exitUsage)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}

func TestARealProviderIsNotAskedAboutMadeUpTweets(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	u := startUp(t, dir, "--tweets", "5")
	key := []string{"TWITTER_API_KEY=a-real-key"}
	if _, code := gorgoneWith(t, key, "worker", "--data-dir", dir); code != exitUsage {
		t.Errorf("a worker with a key beside a demonstration exits %d, want %d", code, exitUsage)
	}
	if err := u.stop(); err != nil {
		t.Fatal(err)
	}
	if _, code := gorgoneWith(t, key, "up", "--data-dir", dir); code != exitUsage {
		t.Errorf("up with a key on a demonstration exits %d, want %d", code, exitUsage)
	}
}

// TestUpWithAShortKey: a double of gorgone provider may have any key.
func TestUpWithAShortKey(t *testing.T) {
	t.Parallel()
	population, err := devstack.Demo{Tweets: 1, Seed: 1, Start: time.Now()}.NewPopulation()
	if err != nil {
		t.Fatal(err)
	}
	double, err := fakeprovider.NewServer(fakeprovider.Config{Population: population, Key: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(double.Close)
	url, err := double.Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"TWITTER_API_KEY=secret", "TWITTER_API_URL=" + url}
	dir := madeDir(t)
	startUpWith(t, env, dir, "--listen", "127.0.0.1:0")
	if out, code := gorgoneWith(t, env, "doctor", "--data-dir", dir); code != 0 || strings.Contains(out, "FAIL") {
		t.Errorf("doctor printed:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, runfile.WebhookKeyName)); err != nil {
		t.Errorf("no key of the webhook was made: %v", err)
	}
}

func TestCommandsWithoutUpSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"stats"}, {"refresh", "20"}, {"history", "20"}, {"due"}, {"worker"}, {"dispatcher"}, {"migrate"}} {
		_, err := execute(t, append(args, "--data-dir", t.TempDir())...)
		if !errors.Is(err, runfile.ErrNotRunning) || !strings.Contains(err.Error(), "DATABASE_URL") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
