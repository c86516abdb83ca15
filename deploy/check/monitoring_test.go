package check

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// promtool runs Prometheus's own checker.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	program := os.Getenv("PROMTOOL")
	if program == "" {
		program = "promtool"
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput() // #nosec G204 -- a test's
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		t.Fatal("promtool is needed: install Debian's package prometheus, or name the program in PROMTOOL")
	}
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPrometheus(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "config", "../prometheus/prometheus.yml")
	promtool(t, "test", "rules", "../prometheus/rules_test.yml")
}

// TestRunbooks sees that each alert's cure is where it says.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var anchors []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(page), -1) {
		plain := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		anchors = append(anchors, strings.ReplaceAll(plain, " ", "-"))
	}
	links := regexp.MustCompile(`runbook: docs/operations\.md#(\S+)`).FindAllStringSubmatch(string(rules), -1)
	if len(links) < 10 {
		t.Errorf("%d runbooks", len(links))
	}
	for _, link := range links {
		if !slices.Contains(anchors, link[1]) {
			t.Errorf("docs/operations.md has no heading for #%s", link[1])
		}
	}
}

// TestGrafana loads the dashboard and what provisions it, and lets promtool read
// every query of it.
func TestGrafana(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../grafana/dashboards/gorgone.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		UID, Title    string
		SchemaVersion int
		Panels        []struct {
			ID         int
			Title      string
			Type       string
			Datasource struct{ UID string }
			GridPos    struct{ X, Y, W, H int }
			Targets    []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	if dashboard.UID == "" || dashboard.SchemaVersion == 0 || len(dashboard.Panels) < 20 {
		t.Errorf("dashboard %q, version %d, %d panels", dashboard.UID, dashboard.SchemaVersion, len(dashboard.Panels))
	}
	ids := make(map[int]bool)
	taken := make(map[[2]int]string)
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var queries []rule
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q lies on %q, or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && (p.Datasource.UID != "prometheus" || len(p.Targets) == 0) {
			t.Errorf("%q asks %q %d questions", p.Title, p.Datasource.UID, len(p.Targets))
		}
		for _, q := range p.Targets {
			queries = append(queries, rule{"q", q.Expr})
		}
	}
	type group struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	}
	file, err := yaml.Marshal(map[string]any{"groups": []group{{"dashboard", queries}}})
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/queries.yml"
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", "--lint=none", path)

	var source struct {
		Datasources []struct{ UID, Type, URL string }
	}
	provisioned(t, "../grafana/provisioning/datasources/prometheus.yml", &source)
	if len(source.Datasources) != 1 || source.Datasources[0].UID != "prometheus" || source.Datasources[0].URL != "http://prometheus:9090" {
		t.Errorf("sources %+v", source)
	}
	var provider struct {
		Providers []struct{ Options struct{ Path string } }
	}
	provisioned(t, "../grafana/provisioning/dashboards/gorgone.yml", &provider)
	if len(provider.Providers) != 1 || provider.Providers[0].Options.Path != "/etc/gorgone/dashboards" {
		t.Errorf("providers %+v", provider)
	}
}

func provisioned(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestMetricsAreKnown sees that rules and dashboard ask for metrics that the
// program has.
func TestMetricsAreKnown(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../metrics/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := os.ReadFile("../../metrics/state.go")
	if err != nil {
		t.Fatal(err)
	}
	have := string(source) + string(more)
	seen := make(map[string]bool)
	for _, path := range []string{"../prometheus/rules.yml", "../grafana/dashboards/gorgone.json"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`gorgone_([a-z_]+)`).FindAllStringSubmatch(string(text), -1) {
			seen[strings.TrimSuffix(m[1], "_bucket")] = true
		}
	}
	for name := range seen {
		if !strings.Contains(have, `"`+name+`"`) && name != "build_info" {
			t.Errorf("the program has no gorgone_%s", name)
		}
	}
}
