package auth_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page for whoever runs this explains every reason that a log may show, and
// no other.
func TestReasonsAreDocumented(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("refusal.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| reason | meaning |")
	if !found {
		t.Fatal("docs/security.md has no table of reasons")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	documented := make(map[string]bool)
	for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(table, -1) {
		documented[name[1]] = true
	}
	reasons := regexp.MustCompile(`Reason = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	for _, reason := range reasons {
		if !documented[reason[1]] {
			t.Errorf("%s is not explained", reason[1])
		}
		delete(documented, reason[1])
	}
	if len(reasons) == 0 || len(documented) > 0 {
		t.Errorf("%d reasons in refusal.go; explained and not there: %v", len(reasons), documented)
	}
}
