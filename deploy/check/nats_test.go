package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// TestNATSConfigs reads the configurations as nats-server -t does, with the secret
// beside them that their deployments mount.
func TestNATSConfigs(t *testing.T) { //nolint:paralleltest // it changes the environment
	tests := []struct{ file, auth string }{
		{"../nats/nats.conf", "auth.conf"},
		{"../nats/cluster.conf", "auth.conf"},
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
		cluster := filepath.Join(filepath.Dir(auth), "cluster.conf") // of docs/deploy.md
		files := map[string][]byte{conf: text, cluster: clusterConf(t), auth: []byte(`gorgone_password: "0a1b2c", refresher_password: "3d4e5f"`)}
		clustered := tt.file != "../nats/nats.conf"
		if tt.file == "../nats/cluster.conf" {
			conf = filepath.Join(dir, "node.conf")
			files[conf], files[filepath.Join(dir, "nats.conf")] = text, read(t, "../nats/nats.conf")
			files[filepath.Join(dir, "routes.conf")] = composeRoutes(t)
		}
		for path, content := range files {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		options, err := server.ProcessConfigFile(conf)
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		if clustered {
			checkRoutes(t, options)
		}
		if !options.JetStream || options.StoreDir != "/data" || !options.SyncAlways || options.HTTPPort != 8222 {
			t.Errorf("%s: JetStream %v in %q, synced %v, monitored on %d", tt.file, options.JetStream, options.StoreDir, options.SyncAlways, options.HTTPPort)
		}
		// Accounts are read in any order.
		slices.SortFunc(options.Users, func(a, b *server.User) int { return strings.Compare(a.Username, b.Username) })
		if len(options.Users) != 2 || options.Users[0].Username != "gorgone" || options.Users[0].Password != "0a1b2c" || options.Users[0].Permissions != nil {
			t.Errorf("%s: users %+v", tt.file, options.Users)
			continue
		}
		engine, refresher := options.Users[0], options.Users[1]
		if engine.Account == nil || refresher.Account == nil || engine.Account == refresher.Account {
			t.Errorf("%s: the refresher is in the engine's account", tt.file)
		}
		if refresher.Password != "3d4e5f" || !slices.Equal(refresher.Permissions.Publish.Allow, []string{"eng.refresh.*"}) ||
			!slices.Equal(refresher.Permissions.Subscribe.Allow, []string{"eng.done.*", "_INBOX_refresher.>"}) {
			t.Errorf("%s: the refresher is %+v", tt.file, refresher)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// composeRoutes is the file that secrets.sh makes, with another password.
func composeRoutes(t *testing.T) []byte {
	t.Helper()
	root := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "sh", copySecrets(t, root)).CombinedOutput(); err != nil {
		t.Fatalf("secrets.sh: %v\n%s", err, out)
	}
	text := read(t, filepath.Join(root, "deploy", "secrets", "nats_routes.conf"))
	return regexp.MustCompile(`[0-9a-f]{48}`).ReplaceAll(text, []byte("0f1e2d"))
}

// clusterConf is the file that the page has put into the secret "nats".
func clusterConf(t *testing.T) []byte {
	t.Helper()
	page, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "cat >cluster.conf <<EOF\n")
	text, _, ended := strings.Cut(rest, "    EOF\n")
	if !found || !ended {
		t.Fatal("docs/deploy.md does not say what is in cluster.conf")
	}
	return []byte(strings.ReplaceAll(text, "ROUTES", "0f1e2d"))
}

// checkRoutes: no server joins the cluster without the password.
func checkRoutes(t *testing.T, options *server.Options) {
	t.Helper()
	if options.Cluster.Username != "route" || options.Cluster.Password != "0f1e2d" || len(options.Routes) != 3 {
		t.Errorf("cluster user %q, %d routes", options.Cluster.Username, len(options.Routes))
	}
	for _, route := range options.Routes {
		if password, _ := route.User.Password(); password != options.Cluster.Password {
			t.Errorf("the route %s has another password", route.Redacted())
		}
	}
}
