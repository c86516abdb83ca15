package check

import (
	"path/filepath"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// loadCompose reads docker-compose.yml as docker compose does: schema, merges,
// variables, references between services, volumes and secrets.
func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"}, cli.WithWorkingDirectory(".."))
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
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				if _, err := filepath.Glob(v.Source); err != nil || !exists(v.Source) {
					t.Errorf("%s: %s is not there", name, v.Source)
				}
			}
		}
	}
	if w := project.Services["worker"]; w.ContainerName != "" || len(w.Ports) > 0 {
		t.Error("the worker cannot be scaled: it has a name or a port of its own")
	}
}
