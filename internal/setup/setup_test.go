package setup_test

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgone/internal/config"
	"gorgone/internal/setup"
)

func TestAsk(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	hidden := []string{"postgres://a:secret@h/d", "", "nats://n:4222", "key", ""}
	terminal := &setup.Terminal{In: bufio.NewReader(strings.NewReader("x\n\nhttps://e.example.org\n")), Out: &out, Hidden: func() (string, error) {
		line := hidden[0]
		hidden = hidden[1:]
		return line, nil
	}}
	c, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	settings := setup.Questions(c)
	if err := setup.Ask(settings, terminal); err != nil {
		t.Fatal(err)
	}
	if err := setup.Apply(settings, &c); err != nil {
		t.Fatal(err)
	}
	if c.Database.URL != "postgres://a:secret@h/d" || c.Database.MigrateURL != "" || c.Queue.URL != "nats://n:4222" ||
		c.Provider.Name != "x" || c.Provider.Key != "key" || c.Web.PublicURL != "https://e.example.org" {
		t.Errorf("%+v", settings)
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("a secret is shown:\n%s", out.String())
	}
	known := setup.Questions(c)
	known[6].Optional = true
	if err := setup.Ask(known, nil); err != nil {
		t.Errorf("asked for what is known: %v", err)
	}
	err = setup.Ask(setup.Questions(config.Config{}), nil)
	if err == nil || !strings.Contains(err.Error(), "DATABASE_URL, NATS_URL, TWITTER_PROVIDER, TWITTER_API_KEY") {
		t.Errorf("without a terminal: %v", err)
	}
}

// TestAskAgain: an answer that cannot be right is asked for again at once, and not after all others.
func TestAskAgain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	settings := slices.DeleteFunc(setup.Questions(config.Config{}), func(s setup.Setting) bool {
		return s.Name != "TWITTER_PROVIDER" && s.Name != "TWITTER_RATE"
	})
	terminal := &setup.Terminal{In: bufio.NewReader(strings.NewReader("twitter\nx\nfast\n-1\n2.5\n")), Out: &out}
	if err := setup.Ask(settings, terminal); err != nil {
		t.Fatal(err)
	}
	if settings[0].Value != "x" || settings[1].Value != "2.5" || !strings.Contains(out.String(), "socialdata\n") || !strings.Contains(out.String(), "a number") {
		t.Errorf("%+v\n%s", settings, &out)
	}
}

// TestLeft: what it says to run reads the file, wherever that is.
func TestLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, file := range []string{"gorgone.env", "my settings.env"} {
		if err := setup.Write(filepath.Join(dir, file), []setup.Setting{{Name: "A", Value: "read"}}, false); err != nil {
			t.Fatal(err)
		}
		_, command, _ := strings.Cut(setup.Left(file, false), "read the settings: ")
		command, _, _ = strings.Cut(command, "\n")
		sh := exec.CommandContext(t.Context(), "sh", "-c", command+`; echo "$A"`)
		sh.Dir = dir
		if out, err := sh.CombinedOutput(); string(out) != "read\n" {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
}

// TestWrite: the file is the owner's, is not replaced unasked, and gives a shell the values.
func TestWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gorgone.env")
	settings := []setup.Setting{{Name: "A", Value: `p$w ` + "`id`" + ` "x" #&;`}, {Name: "EMPTY"}, {Name: "B", Value: "2"}}
	if err := setup.Write(file, settings, false); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `set -a; . "$0"; env | grep '^[AB]='; env | grep -c EMPTY`, file).Output()
	if got := string(out); !strings.Contains(got, "A="+settings[0].Value+"\n") || !strings.Contains(got, "B=2\n") || !strings.HasSuffix(got, "0\n") {
		t.Errorf("%v %q", err, got)
	}
	if err := setup.Write(file, settings[:1], false); !errors.Is(err, setup.ErrExists) {
		t.Errorf("replaced unasked: %v", err)
	}
	if err := setup.Write(file, settings[2:], true); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(file); strings.Contains(string(text), "A=") || !strings.Contains(string(text), "B='2'") {
		t.Errorf("%s", text)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for _, bad := range []string{"a'b", "a\nB=1", `a\`} {
		if err := setup.Write(file, []setup.Setting{{Name: "A", Value: bad}}, true); err == nil || strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".gorgone-setup-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
