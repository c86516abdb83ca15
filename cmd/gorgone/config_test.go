package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorgone/engagement"
)

var update = flag.Bool("update", false, "write the table of variables into docs/configuration.md")

const configurationPage = "../../docs/configuration.md"

// TestConfigurationPage keeps the documented table equal to what is read.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(configurationPage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- variables -->\n", "<!-- end -->"
	before, rest, found := strings.Cut(string(page), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s lacks the marks of the table", configurationPage)
	}
	var table strings.Builder
	table.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, v := range variables() {
		value := ""
		if v.Default != "" {
			value = "`" + v.Default + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", v.Name, value, v.Description)
	}
	want := before + begin + table.String() + end + after
	for _, v := range variables() {
		if v.Secret && !strings.Contains(before, "`"+v.Name+"`") {
			t.Errorf("%s is not among those that can come from a file", v.Name)
		}
	}
	if string(page) == want {
		return
	}
	if !*update {
		t.Fatalf("%s is out of date: run go test ./cmd/gorgone -run TestConfigurationPage -update", configurationPage)
	}
	if err := os.WriteFile(configurationPage, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryVariableIsDescribed(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, v := range variables() {
		if v.Description == "" || seen[v.Name] {
			t.Errorf("%s is described as %q, or named twice", v.Name, v.Description)
		}
		seen[v.Name] = true
	}
}

func TestDefaultConfiguration(t *testing.T) { //nolint:paralleltest // it changes the environment
	for _, v := range variables() {
		t.Setenv(v.Name, "")
		if err := os.Unsetenv(v.Name); err != nil {
			t.Fatal(err)
		}
	}
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engagement.NewTierPolicy(c.Schedule.Tiers); err != nil {
		t.Errorf("default tiers: %v", err)
	}
	if c.Dispatcher.Every != 5*time.Second || c.Queue.Prefix != "ENG" || c.Worker.BatchSlots != 16 {
		t.Errorf("defaults: %+v", c)
	}
}

func TestConfigurationListsAllFaultsAndNoValues(t *testing.T) {
	const leaked = "postgres://user:hunter2@host/db"
	t.Setenv("GORGONE_LEASE", leaked)
	t.Setenv("GORGONE_BATCH_SLOTS", "0")
	t.Setenv("TWITTER_RATE", "fast")
	t.Setenv("TWITTER_PROVIDER", "mastodon")
	t.Setenv("GORGONE_TIERS", "hot 1h")
	_, err := loadConfig()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"GORGONE_LEASE", "GORGONE_BATCH_SLOTS", "TWITTER_RATE", "TWITTER_PROVIDER", "GORGONE_TIERS"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %s:\n%v", want, err)
		}
	}
	for _, value := range []string{"hunter2", "mastodon", "fast\""} {
		if strings.Contains(err.Error(), value) {
			t.Errorf("the error shows the value %q:\n%v", value, err)
		}
	}
	if exitCode(err) != exitUsage {
		t.Errorf("exit code %d, want %d", exitCode(err), exitUsage)
	}
}

// TestTheWebServersFaultsAreConfigurationFaults: they are listed with all others,
// by the names of the variables, before anything is started.
func TestTheWebServersFaultsAreConfigurationFaults(t *testing.T) {
	faulty := map[string]string{
		"GORGONE_WEB_LISTEN": "hunter2", "GORGONE_METRICS_ADDR": "hunter2", "GORGONE_WEB_TOKENS": "hunter2:read,hunter2", "GORGONE_WEB_WEBHOOK_KEY": "hunter2",
		"GORGONE_WEB_ORIGINS": "hunter2,https://ok.example.com", "GORGONE_WEB_TRUSTED_PROXIES": "hunter2,10.0.0.0/8", "GORGONE_WEB_REFRESH_ROLES": "admin,hunter2",
		"SUPABASE_URL": "hunter2", "QSTASH_CURRENT_SIGNING_KEY": "hunter2", "QSTASH_NEXT_SIGNING_KEY": "hunter2", "QSTASH_MORE_SIGNING_KEYS": "hunter2",
		"GORGONE_WEB_PUBLIC_URL": "http://hunter2.example.com", "GORGONE_BATCH_SLOTS": "0",
	}
	for name, value := range faulty {
		t.Setenv(name, value)
	}
	dir := filepath.Join(t.TempDir(), "data")
	for _, command := range []string{"up", "web"} {
		_, err := execute(t, command, "--data-dir", dir)
		if err == nil || exitCode(err) != exitUsage {
			t.Fatalf("%s: %v", command, err)
		}
		for name := range faulty {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%s: the error lacks %s:\n%v", command, name, err)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a value:\n%v", command, err)
		}
	}
	if n := strings.Count(loadError(t), "GORGONE_WEB_TOKENS: "); n != 2 {
		t.Errorf("%d faults of GORGONE_WEB_TOKENS have its name, want 2", n)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("something was started: %v", err)
	}
	t.Setenv("SUPABASE_URL", "https://ref.supabase.co")
	t.Setenv("SUPABASE_JWT_SECRET", "hunter2")
	if text := loadError(t); !strings.Contains(text, "SUPABASE_JWT_SECRET") || strings.Contains(text, "SUPABASE_URL") || strings.Contains(text, "hunter2") {
		t.Errorf("a short secret: %s", text)
	}
}

func loadError(t *testing.T) string {
	t.Helper()
	_, err := loadConfig()
	if err == nil {
		t.Fatal("no error")
	}
	return err.Error()
}

// TestAShortAPIKeyIsNoWebhookKey: what is guessed easily does not let tweets in.
func TestAShortAPIKeyIsNoWebhookKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provider providerConfig
		web      webConfig
		want     string
	}{
		"long":            {providerConfig{Name: providerTwitterAPI, Key: "0123456789abcdef"}, webConfig{}, "0123456789abcdef"},
		"short":           {providerConfig{Name: providerTwitterAPI, Key: "secret"}, webConfig{}, ""},
		"short, told":     {providerConfig{Name: providerTwitterAPI, Key: "secret"}, webConfig{WebhookKey: "fedcba9876543210"}, "fedcba9876543210"},
		"X does not push": {providerConfig{Name: providerX, Key: "0123456789abcdef"}, webConfig{}, ""},
		"the double":      {providerConfig{Name: providerTwitterAPI, Key: demoKey}, webConfig{}, ""},
	} {
		if got := c.provider.webhookKey(c.web); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	c := config{Database: databaseConfig{URL: "postgres://u:hunter2@h/d"}, Provider: providerConfig{Key: "hunter2"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(verb, c); strings.Contains(out, "hunter2") {
			t.Errorf("%s prints %s", verb, out)
		}
	}
}

func TestUnknownVariablesAreNamed(t *testing.T) {
	t.Parallel()
	got := unknownVariables([]string{"GORGONE_BATCH_SLOT=3", "GORGONE_BATCH_SLOTS=3", "GORGONE_TEST_CASCADES=x", "PATH=/bin", "NATS_URL=x"})
	if len(got) != 1 || got[0] != "GORGONE_BATCH_SLOT" {
		t.Errorf("unknown: %v", got)
	}
}
