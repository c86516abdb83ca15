package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const variablesFile = "testdata/variables.txt"

// TestVariablesStay: no variable goes, and none changes its default or whether it may
// come from a file. There may be more of them.
func TestVariablesStay(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, v := range Variables() {
		line := fmt.Sprintf("%s default %q", v.Name, v.Default)
		if v.Secret {
			line += " or a file"
		}
		lines = append(lines, line)
	}
	if *update {
		if err := os.WriteFile(variablesFile, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(variablesFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(before)) {
		if line = strings.TrimSuffix(line, "\n"); !slices.Contains(lines, line) {
			t.Errorf("gone or changed: %s", line)
		}
	}
}
