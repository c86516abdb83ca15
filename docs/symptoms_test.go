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
	var checks string
	for _, file := range []string{"../internal/cli/doctor.go", "../store/postgres/check.go"} {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checks += string(code)
	}
	named := regexp.MustCompile("FAIL ([a-z][a-z-]*)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 5 {
		t.Fatalf("the table names %d checks", len(named))
	}
	for _, name := range named {
		if !strings.Contains(checks, `e.report("`+name[1]+`"`) && !strings.Contains(checks, `Check: "`+name[1]+`"`) {
			t.Errorf("operations.md says FAIL %s, which doctor never does", name[1])
		}
	}
}
