package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/internal/failure"
	"gorgone/twitter"
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
	for _, v := range Variables() {
		value := ""
		if v.Default != "" {
			value = "`" + v.Default + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", v.Name, value, v.Description)
	}
	want := before + begin + table.String() + end + after
	for _, v := range Variables() {
		if v.Secret && !strings.Contains(before, "`"+v.Name+"`") {
			t.Errorf("%s is not among those that can come from a file", v.Name)
		}
	}
	if string(page) == want {
		return
	}
	if !*update {
		t.Fatalf("%s is out of date: run go test ./internal/config -run TestConfigurationPage -update", configurationPage)
	}
	if err := os.WriteFile(configurationPage, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryVariableIsDescribed(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, v := range Variables() {
		if v.Description == "" || seen[v.Name] {
			t.Errorf("%s is described as %q, or named twice", v.Name, v.Description)
		}
		seen[v.Name] = true
	}
}

func TestDefaultConfiguration(t *testing.T) { //nolint:paralleltest // it changes the environment
	for _, v := range Variables() {
		t.Setenv(v.Name, "")
		if err := os.Unsetenv(v.Name); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load()
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
	t.Setenv("SCHEDULE", "smart_stop")
	_, err := Load()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"GORGONE_LEASE", "GORGONE_BATCH_SLOTS", "TWITTER_RATE", "TWITTER_PROVIDER", "GORGONE_TIERS", "smart_stop was removed"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %s:\n%v", want, err)
		}
	}
	for _, value := range []string{"hunter2", "mastodon", "fast\""} {
		if strings.Contains(err.Error(), value) {
			t.Errorf("the error shows the value %q:\n%v", value, err)
		}
	}
	if failure.KindOf(err) != failure.Usage {
		t.Errorf("kind %d, want %d", failure.KindOf(err), failure.Usage)
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
	text := loadError(t)
	for name := range faulty {
		if !strings.Contains(text, name) {
			t.Errorf("the error lacks %s:\n%s", name, text)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("the error shows a value:\n%s", text)
	}
	if n := strings.Count(text, "GORGONE_WEB_TOKENS: "); n != 2 {
		t.Errorf("%d faults of GORGONE_WEB_TOKENS have its name, want 2", n)
	}
	t.Setenv("SUPABASE_URL", "https://ref.supabase.co")
	t.Setenv("SUPABASE_JWT_SECRET", "hunter2")
	if text := loadError(t); !strings.Contains(text, "SUPABASE_JWT_SECRET") || strings.Contains(text, "SUPABASE_URL") || strings.Contains(text, "hunter2") {
		t.Errorf("a short secret: %s", text)
	}
}

func loadError(t *testing.T) string {
	t.Helper()
	_, err := Load()
	if err == nil {
		t.Fatal("no error")
	}
	return err.Error()
}

// TestAShortAPIKeyIsNoWebhookKey: what is guessed easily does not let tweets in.
func TestAShortAPIKeyIsNoWebhookKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provider Provider
		web      Web
		want     string
	}{
		"long":            {Provider{Name: twitter.TwitterAPIName, Key: "0123456789abcdef"}, Web{}, "0123456789abcdef"},
		"short":           {Provider{Name: twitter.TwitterAPIName, Key: "secret"}, Web{}, ""},
		"short, told":     {Provider{Name: twitter.TwitterAPIName, Key: "secret"}, Web{WebhookKey: "fedcba9876543210"}, "fedcba9876543210"},
		"X does not push": {Provider{Name: twitter.XAPIName, Key: "0123456789abcdef"}, Web{}, ""},
		"the double":      {Provider{Name: twitter.TwitterAPIName, Key: DemoKey}, Web{}, ""},
	} {
		if got := c.provider.WebhookKey(c.web); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	c := Config{Database: Database{URL: "postgres://u:hunter2@h/d"}, Provider: Provider{Key: "hunter2"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(verb, c); strings.Contains(out, "hunter2") {
			t.Errorf("%s prints %s", verb, out)
		}
	}
}

func TestUnknownVariablesAreNamed(t *testing.T) {
	t.Parallel()
	got := unknown([]string{"GORGONE_BATCH_SLOT=3", "GORGONE_BATCH_SLOTS=3", "GORGONE_TEST_CASCADES=x", "PATH=/bin", "NATS_URL=x"})
	if len(got) != 1 || got[0] != "GORGONE_BATCH_SLOT" {
		t.Errorf("unknown: %v", got)
	}
}

// TestTheIssuerIsASetting of its own: the keys are the project's all the same.
func TestTheIssuerIsASetting(t *testing.T) {
	t.Parallel()
	c := Web{SupabaseURL: "https://ref.supabase.co/"}
	if got := c.Issuer(); got != "https://ref.supabase.co/auth/v1" {
		t.Errorf("issuer %s", got)
	}
	c.SupabaseIssuer = "https://auth.example.com/auth/v1"
	if c.Issuer() != c.SupabaseIssuer || c.KeySet() != "https://ref.supabase.co/auth/v1/.well-known/jwks.json" {
		t.Errorf("issuer %s, keys %s", c.Issuer(), c.KeySet())
	}
}
