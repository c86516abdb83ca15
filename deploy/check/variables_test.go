package check

import (
	"cmp"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// table returns the variables of docs/configuration.md, which is what the commands read:
// settings, and secrets, which may come from a file.
func table(t *testing.T) (settings, secrets []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), "<!-- variables -->")
	rows, _, ended := strings.Cut(rest, "<!-- end -->")
	if !found || !ended {
		t.Fatal("docs/configuration.md has no table of variables")
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|").FindAllStringSubmatch(rows, -1) {
		if name := row[1]; strings.Contains(before, "`"+name+"`") {
			secrets = append(secrets, name)
		} else {
			settings = append(settings, name)
		}
	}
	if len(settings) < 50 || len(secrets) < 10 {
		t.Fatalf("%d settings and %d secrets: the test does not understand the table", len(settings), len(secrets))
	}
	return settings, secrets
}

// usedBy are the roles that a secret is of use to; none: to all.
func usedBy(secret string) []string {
	switch secret {
	case "GORGONE_MIGRATE_URL":
		return []string{"migrate"}
	case "QSTASH_TOKEN":
		return []string{"qstash"} // a command of people
	case "DATABASE_URL", "NATS_URL", "TWITTER_API_KEY", "TWITTER_FALLBACK_API_KEY", "GORGONE_KEY_SECRETS":
		return nil
	}
	return []string{"web"}
}

// TestComposeVariables: whatever is set in the shell or in .env reaches every role, and
// every secret the roles that use it, as a file.
func TestComposeVariables(t *testing.T) {
	t.Parallel()
	settings, secrets := table(t)
	const marked = "marked"
	var env []string
	for _, name := range append(slices.Clone(settings), secrets...) {
		env = append(env, name+"="+marked)
	}
	fixed := []string{"GORGONE_METRICS_ADDR", "GORGONE_WEB_LISTEN"} // by the containers
	others := []string{"GOMEMLIMIT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"}
	project := loadCompose(t, cli.WithEnv(env), cli.WithProfiles([]string{"people"}))
	roles := 0
	for role, s := range project.Services {
		if !strings.HasPrefix(s.Image, "gorgone:") {
			continue
		}
		roles++
		files := make(map[string]string)
		for name, value := range s.Environment {
			if variable, isFile := strings.CutSuffix(name, "_FILE"); isFile && slices.Contains(secrets, variable) {
				files[variable] = *value
				continue
			}
			if !slices.Contains(settings, name) && !slices.Contains(others, name) {
				t.Errorf("%s: %s is no setting", role, name)
			}
		}
		for _, name := range settings {
			if got := s.Environment[name]; got == nil || *got != marked && !slices.Contains(fixed, name) {
				t.Errorf("%s: %s cannot be set", role, name)
			}
		}
		for _, name := range secrets {
			used := usedBy(name)
			file, has := files[name]
			if want := used == nil || slices.Contains(used, role); has != want {
				t.Errorf("%s: %s_FILE is set: %v, want %v", role, name, has, want)
			}
			mounted := slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool {
				target := cmp.Or(c.Target, c.Source)
				if !path.IsAbs(target) {
					target = path.Join("/run/secrets", target)
				}
				return file == target && project.Secrets[c.Source].File != ""
			})
			if has && !mounted {
				t.Errorf("%s: %s_FILE names %s, which is not mounted", role, name, file)
			}
		}
	}
	if roles != 5 {
		t.Errorf("%d services run gorgone", roles)
	}
}

// TestSystemdVariables: the settings come from files that take any of them, and every secret
// is a credential, empty where the file may be left out.
func TestSystemdVariables(t *testing.T) {
	t.Parallel()
	_, secrets := table(t)
	for _, unit := range []string{"gorgone@.service", "gorgone-migrate.service"} {
		text, err := os.ReadFile(filepath.Join("../systemd", unit))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		if !slices.Contains(lines, "EnvironmentFile=/etc/gorgone/gorgone.env") {
			t.Errorf("%s: no settings", unit)
		}
		for _, name := range secrets {
			if name == "QSTASH_TOKEN" {
				continue // of a command that people run
			}
			credential := strings.ToLower(strings.TrimPrefix(name, "GORGONE_"))
			want := []string{"LoadCredential=" + credential + ":/etc/gorgone/secrets/" + credential, "Environment=" + name + "_FILE=%d/" + credential}
			if name != "DATABASE_URL" && name != "NATS_URL" && name != "TWITTER_API_KEY" {
				want = append(want, "SetCredential="+credential+`:\n`)
			}
			for _, line := range want {
				if !slices.Contains(lines, line) {
					t.Errorf("%s lacks %s", unit, line)
				}
			}
		}
	}
}

// TestKubernetesVariables sets every variable in an overlay, as the page says: they reach
// every container of the engine, and so does every file of the secret.
func TestKubernetesVariables(t *testing.T) {
	t.Parallel()
	settings, secrets := table(t)
	overlay := t.TempDir()
	here, err := filepath.Abs("../kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(overlay, here)
	if err != nil {
		t.Fatal(err)
	}
	text := "resources: [" + relative + "/base]\ncomponents: [" + relative + "/trigger-cron]\n" +
		"configMapGenerator:\n  - name: gorgone\n    namespace: gorgone\n    behavior: merge\n    literals:\n"
	var names []string
	for _, name := range settings {
		names = append(names, name)
		text += "      - " + name + "=marked\n"
	}
	for _, name := range secrets {
		names = append(names, name+"_FILE")
		text += "      - " + name + "_FILE=/run/secrets/gorgone/marked\n"
	}
	if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	maps := make(map[string]map[string]string)
	pods := make(map[string]corev1.PodSpec)
	for _, r := range build(t, overlay) {
		if r.GetKind() == "ScaledObject" {
			continue
		}
		switch o := decode(t, r).(type) {
		case *corev1.ConfigMap:
			maps[o.Name] = o.Data
		case *appsv1.Deployment:
			pods[o.Name] = o.Spec.Template.Spec
		case *batchv1.CronJob:
			pods[o.Name] = o.Spec.JobTemplate.Spec.Template.Spec
		}
	}
	for name, pod := range pods {
		whole := slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool {
			return v.Name == "secrets" && v.Secret != nil && v.Secret.SecretName == "gorgone" && v.Secret.Items == nil
		})
		for _, c := range append(pod.InitContainers, pod.Containers...) {
			mounted := slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
				return m.Name == "secrets" && m.MountPath == "/run/secrets/gorgone" && m.SubPath == ""
			})
			if !whole || !mounted {
				t.Errorf("%s, %s: the secret's files are not all mounted", name, c.Name)
			}
			if len(c.EnvFrom) != 1 || c.EnvFrom[0].ConfigMapRef == nil {
				t.Errorf("%s, %s: no settings", name, c.Name)
				continue
			}
			for _, variable := range names {
				if !strings.HasSuffix(maps[c.EnvFrom[0].ConfigMapRef.Name][variable], "marked") {
					t.Errorf("%s, %s: %s cannot be set", name, c.Name, variable)
				}
			}
		}
	}
	if len(pods) != 4 {
		t.Errorf("%d kinds of pods", len(pods))
	}
}
