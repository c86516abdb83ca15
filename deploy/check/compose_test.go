package check

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// loadCompose reads docker-compose.yml as docker compose does: schema, merges,
// variables, references between services, volumes and secrets.
func loadCompose(t *testing.T, more ...cli.ProjectOptionsFn) *types.Project {
	t.Helper()
	return loadComposeFiles(t, []string{"../../docker-compose.yml"}, more...)
}

// loadComposeFiles reads several files, each over the one before.
func loadComposeFiles(t *testing.T, files []string, more ...cli.ProjectOptionsFn) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(files, append(more, cli.WithWorkingDirectory("../.."))...)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose(t *testing.T) {
	t.Parallel()
	project := loadCompose(t)
	for _, want := range []string{"nats", "postgres", "migrate", "dispatcher", "worker", "web", "prometheus", "grafana"} {
		if _, ok := project.Services[want]; !ok {
			t.Errorf("there is no service %s", want)
		}
	}
	for name, s := range project.Services {
		oneShot := name == "nats-volume" || name == "migrate"
		switch {
		case !s.ReadOnly:
			t.Errorf("%s: its file system can be written to", name)
		case len(s.CapDrop) != 1 || s.CapDrop[0] != "ALL":
			t.Errorf("%s: keeps capabilities", name)
		case s.User == "" || s.User == "root" && name != "nats-volume":
			t.Errorf("%s: runs as %q", name, s.User)
		case s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.MemoryBytes == 0 || s.Deploy.Resources.Limits.Pids == 0:
			t.Errorf("%s: has no limits", name)
		case !oneShot && (s.HealthCheck == nil || s.HealthCheck.Disable):
			t.Errorf("%s: has no health check", name)
		}
		if len(s.Ports) > 0 && name != "web" && name != "grafana" {
			t.Errorf("%s: has a port outside of its networks", name)
		}
		if s.NetworkMode == "host" {
			t.Errorf("%s: is in the network of the machine", name)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %d is open to the network", name, port.Target)
			}
		}
		for key := range s.Environment {
			if len(key) > 5 && (key == "DATABASE_URL" || key == "NATS_URL" || key == "TWITTER_API_KEY") {
				t.Errorf("%s: %s is no file", name, key)
			}
		}
		if s.Build != nil && !exists(filepath.Join(s.Build.Context, s.Build.Dockerfile)) {
			t.Errorf("%s: %s is not there", name, s.Build.Dockerfile)
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				if _, err := filepath.Glob(v.Source); err != nil || !exists(v.Source) {
					t.Errorf("%s: %s is not there", name, v.Source)
				}
			}
		}
	}
	for _, name := range []string{"postgres", "nats"} {
		for network := range project.Services[name].Networks {
			if !project.Networks[network].Internal {
				t.Errorf("%s: the network %s leads outside", name, network)
			}
		}
	}
	for _, name := range []string{"dispatcher", "worker", "web"} {
		if !leadsOutside(project, name) {
			t.Errorf("%s: reaches neither provider nor webhooks", name)
		}
	}
	if w := project.Services["worker"]; w.ContainerName != "" || len(w.Ports) > 0 {
		t.Error("the worker cannot be scaled: it has a name or a port of its own")
	}
}

// leadsOutside tells whether a service reaches addresses outside of its networks.
func leadsOutside(project *types.Project, service string) bool {
	for network := range project.Services[service].Networks {
		if !project.Networks[network].Internal {
			return true
		}
	}
	return false
}

// TestComposeExternalPostgres: with the override no Postgres is started or waited for, all
// that use the database reach it, and nothing else differs.
func TestComposeExternalPostgres(t *testing.T) {
	t.Parallel()
	with := loadCompose(t)
	without := loadComposeFiles(t, []string{"../../docker-compose.yml", "../external-postgres.yml"})
	for name, own := range with.Services {
		s, ok := without.Services[name]
		if ok == (name == "postgres") {
			t.Errorf("%s: is started: %v", name, ok)
		}
		if !ok {
			continue
		}
		if _, waits := s.DependsOn["postgres"]; waits {
			t.Errorf("%s: waits for postgres", name)
		}
		delete(own.DependsOn, "postgres")
		if !reflect.DeepEqual(own.DependsOn, s.DependsOn) {
			t.Errorf("%s: depends on %v, want %v", name, s.DependsOn, own.DependsOn)
		}
		uses := slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool { return c.Source == "database_url" })
		if uses && !leadsOutside(without, name) {
			t.Errorf("%s: does not reach the database", name)
		}
		s.DependsOn, s.Networks = own.DependsOn, own.Networks
		if !reflect.DeepEqual(own, s) {
			t.Errorf("%s: differs in more than networks and what it waits for", name)
		}
	}
}

// TestComposeNATSCluster: three servers, each with a volume and a name of its own, share a
// configuration and the engine's address of NATS, and the engine keeps three copies.
func TestComposeNATSCluster(t *testing.T) {
	t.Parallel()
	project := loadComposeFiles(t, []string{"../../docker-compose.yml", "../nats-cluster.yml"})
	one := loadCompose(t).Services["nats"]
	names, volumes := make(map[string]bool), make(map[string]bool)
	for _, name := range []string{"nats", "nats-2", "nats-3"} {
		s := project.Services[name]
		if s.Image != one.Image || !s.ReadOnly || !reflect.DeepEqual(s.CapDrop, one.CapDrop) || s.User != one.User || !reflect.DeepEqual(s.Deploy, one.Deploy) || !reflect.DeepEqual(s.HealthCheck, one.HealthCheck) {
			t.Errorf("%s: differs from the one server in more than it must", name)
		}
		if len(s.Command) != 4 || s.Command[0] != "-c" || s.Command[1] != "/etc/nats/cluster.conf" || s.Command[2] != "-n" || names[s.Command[3]] {
			t.Errorf("%s: runs %v", name, s.Command)
			continue
		}
		node := s.Command[3]
		names[node] = true
		for network, of := range s.Networks {
			if !project.Networks[network].Internal {
				t.Errorf("%s: the network %s leads outside", name, network)
			}
			// The name of a service is one of its addresses.
			for _, address := range []string{"nats", node} {
				if name != address && (of == nil || !slices.Contains(of.Aliases, address)) {
					t.Errorf("%s: does not answer to %s", name, address)
				}
			}
		}
		mounted := make(map[string]bool)
		for _, v := range s.Volumes {
			mounted[v.Target] = true
			if v.Type == types.VolumeTypeVolume {
				if _, declared := project.Volumes[v.Source]; !declared || volumes[v.Source] || v.Target != "/data" {
					t.Errorf("%s: its volume is %s at %s", name, v.Source, v.Target)
				}
				volumes[v.Source] = true
			} else if !exists(v.Source) {
				t.Errorf("%s: %s is not there", name, v.Source)
			}
		}
		for _, secret := range s.Secrets {
			mounted[secret.Target] = true
		}
		for _, path := range []string{"/data", "/etc/nats/nats.conf", "/etc/nats/cluster.conf", "/etc/nats/auth.conf", "/etc/nats/routes.conf"} {
			if !mounted[path] {
				t.Errorf("%s: nothing is at %s", name, path)
			}
		}
	}
	owned := make(map[string]bool)
	for _, v := range project.Services["nats-volume"].Volumes {
		if slices.Contains(project.Services["nats-volume"].Entrypoint, v.Target) {
			owned[v.Source] = true
		}
	}
	if !maps.Equal(owned, volumes) || len(volumes) != 3 {
		t.Errorf("the volumes %v get an owner, want %v", owned, volumes)
	}
	for name, s := range project.Services {
		if _, engine := s.Environment["NATS_URL_FILE"]; engine && (s.Environment["GORGONE_STREAM_REPLICAS"] == nil || *s.Environment["GORGONE_STREAM_REPLICAS"] != "3") {
			t.Errorf("%s: does not keep three copies", name)
		}
	}
	for _, name := range []string{"nats", "nats-2", "nats-3"} {
		if _, waits := project.Services["migrate"].DependsOn[name]; !waits {
			t.Errorf("migrate does not wait for %s", name)
		}
	}
}

// TestSecretsExternal: the address of a database elsewhere becomes the secret, and one that is
// there is not replaced in silence.
func TestSecretsExternal(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	script := copySecrets(t, root)
	const url = "postgres://gorgone_engine:p%40ss@db.example.com:5432/postgres?sslmode=require"
	run := func(url string) error {
		cmd := exec.CommandContext(t.Context(), "sh", script)
		cmd.Env = append(os.Environ(), "DATABASE_URL="+url)
		return cmd.Run()
	}
	for range 2 {
		if err := run(url); err != nil {
			t.Fatal(err)
		}
	}
	if err := run("postgres://other"); err == nil {
		t.Error("another address was ignored in silence")
	}
	got, err := os.ReadFile(filepath.Join(root, "deploy", "secrets", "database_url"))
	if err != nil || string(got) != url {
		t.Errorf("the address is %q, %v, want %q", got, err, url)
	}
}

// copySecrets copies secrets.sh into an empty directory, so that it writes there.
func copySecrets(t *testing.T, root string) (script string) {
	t.Helper()
	text, err := os.ReadFile("../secrets.sh")
	if err != nil {
		t.Fatal(err)
	}
	script = filepath.Join(root, "deploy", "secrets.sh")
	if err := os.Mkdir(filepath.Dir(script), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return script
}

// TestSecrets runs secrets.sh in an empty directory: it must create every file that
// docker-compose.yml mounts, and a second run must change none.
func TestSecrets(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	script := copySecrets(t, root)
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var first map[string]string
	for range 2 {
		if out, err := exec.CommandContext(t.Context(), "sh", script).CombinedOutput(); err != nil {
			t.Fatalf("secrets.sh: %v\n%s", err, out)
		}
		made := make(map[string]string)
		for name, secret := range loadComposeFiles(t, []string{"../../docker-compose.yml", "../nats-cluster.yml"}).Secrets {
			file, err := filepath.Rel(repository, secret.File)
			if err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Errorf("secret %s: %v", name, err)
			}
			made[name] = string(content)
		}
		if first == nil {
			first = made
		}
		if !maps.Equal(first, made) {
			t.Error("the second run changed a secret")
		}
	}
}
