package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestSymptomsNameWhatDoctorSays: each FAIL of the table of symptoms is a check that the
// command has under that name.
func TestSymptomsNameWhatDoctorSays(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	command, err := os.ReadFile("../internal/cli/doctor.go")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("FAIL ([a-z][a-z-]*)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 5 {
		t.Fatalf("the table names %d checks", len(named))
	}
	for _, name := range named {
		if !strings.Contains(string(command), `e.report("`+name[1]+`"`) {
			t.Errorf("operations.md says FAIL %s, which doctor never does", name[1])
		}
	}
}
