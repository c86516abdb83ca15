package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name      string
		env       map[string]string
		want      string
		wantFault string
	}{
		{"neither", nil, "", ""},
		{"the variable", map[string]string{"KEY": "direct"}, "direct", ""},
		{"the file", map[string]string{"KEY_FILE": file("one", "from a file")}, "from a file", ""},
		{"with a line end", map[string]string{"KEY_FILE": file("end", "hunter2\r\n")}, "hunter2", ""},
		{"blanks belong to it", map[string]string{"KEY_FILE": file("blank", " a b ")}, " a b ", ""},
		{"an empty variable is none", map[string]string{"KEY": "", "KEY_FILE": file("two", "x")}, "x", ""},
		{"both", map[string]string{"KEY": "hunter2", "KEY_FILE": file("both", "y")}, "", "KEY and KEY_FILE are both set"},
		{"no such file", map[string]string{"KEY_FILE": filepath.Join(dir, "hunter2")}, "", "no such file"},
		{"a folder", map[string]string{"KEY_FILE": dir}, "", "is a directory"},
		{"empty", map[string]string{"KEY_FILE": file("empty", "\n")}, "", "it is empty"},
		{"many lines", map[string]string{"KEY_FILE": file("many", "hunter2\nhunter3\n")}, "", "more than one line"},
		{"too long", map[string]string{"KEY_FILE": file("long", strings.Repeat("x", maxSecret+1))}, "", "longer than"},
	}
	for _, tt := range tests {
		got, err := readSecret("KEY", func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok })
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if tt.wantFault == "" && err != nil || tt.wantFault != "" && (err == nil || !strings.Contains(err.Error(), tt.wantFault)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.wantFault)
		}
		if err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: the error shows the secret: %v", tt.name, err)
		}
	}
}

// TestEverySecretTakesAFile loads a configuration that comes from files. An empty one is
// as good as none where the secret can be left out.
func TestEverySecretTakesAFile(t *testing.T) { //nolint:paralleltest // it sets variables
	secrets := map[string]string{
		"DATABASE_URL": "postgres://u:p@h/d", "NATS_URL": "nats://u:p@h:4222", "TWITTER_API_KEY": "key",
		"GORGONE_WEB_TOKENS":  "cron:read:" + strings.Repeat("ab", 32),
		"GORGONE_MIGRATE_URL": "", "TWITTER_FALLBACK_API_KEY": "", "GORGONE_KEY_SECRETS": "", "GORGONE_WEB_WEBHOOK_KEY": "", "SUPABASE_JWT_SECRET": "",
		"QSTASH_CURRENT_SIGNING_KEY": "", "QSTASH_NEXT_SIGNING_KEY": "", "QSTASH_MORE_SIGNING_KEYS": "", "QSTASH_TOKEN": "",
	}
	for _, v := range Variables() {
		if _, tried := secrets[v.Name]; v.Secret != tried {
			t.Errorf("%s: a secret %v, tried %v", v.Name, v.Secret, tried)
		}
	}
	for name, value := range secrets {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, "")
		t.Setenv(name+fileSuffix, path)
	}
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for f, v := range settings(&c) {
		if got, secret := reflect.TypeAssert[Secret](v); secret && string(got) != secrets[f.Tag.Get("envconfig")] {
			t.Errorf("%s from its file: %q", f.Tag.Get("envconfig"), string(got))
		}
	}
	for _, name := range []string{"DATABASE_URL", "NATS_URL", "TWITTER_API_KEY"} {
		path := os.Getenv(name + fileSuffix)
		t.Setenv(name+fileSuffix, os.DevNull)
		if _, err := Load(); err == nil || !strings.Contains(err.Error(), name+"_FILE names a file that cannot be used: it is empty") {
			t.Errorf("an empty file for %s: %v", name, err)
		}
		t.Setenv(name+fileSuffix, path)
	}
	if names := unknown([]string{"GORGONE_WEB_TOKENS_FILE=x", "GORGONE_TIERS_FILE=x"}); len(names) != 1 || names[0] != "GORGONE_TIERS_FILE" {
		t.Errorf("unknown: %v", names)
	}
}
