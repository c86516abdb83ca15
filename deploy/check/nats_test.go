package check

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// TestNATSConfigs reads the configurations as nats-server -t does, with the secret
// beside them that their deployments mount.
func TestNATSConfigs(t *testing.T) { //nolint:paralleltest // it changes the environment
	tests := []struct{ file, auth string }{
		{"../nats/nats.conf", "auth.conf"},
		{"../kubernetes/base/nats.conf", "auth/auth.conf"},
	}
	t.Setenv("POD_NAME", "nats-1")
	for _, tt := range tests {
		dir := t.TempDir()
		text, err := os.ReadFile(tt.file)
		if err != nil {
			t.Fatal(err)
		}
		auth := filepath.Join(dir, tt.auth)
		if err := os.MkdirAll(filepath.Dir(auth), 0o700); err != nil {
			t.Fatal(err)
		}
		conf := filepath.Join(dir, "nats.conf")
		for path, content := range map[string][]byte{conf: text, auth: []byte("gorgone_password: \"0a1b2c\"\n")} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		options, err := server.ProcessConfigFile(conf)
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		if !options.JetStream || options.StoreDir != "/data" || !options.SyncAlways || options.HTTPPort != 8222 {
			t.Errorf("%s: JetStream %v in %q, synced %v, monitored on %d", tt.file, options.JetStream, options.StoreDir, options.SyncAlways, options.HTTPPort)
		}
		if len(options.Users) != 1 || options.Users[0].Username != "gorgone" || options.Users[0].Password != "0a1b2c" {
			t.Errorf("%s: users %+v", tt.file, options.Users)
		}
	}
}
