package curve_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReadersOfHistoryAreKnown finds every file that names the history in SQL. One more
// reads it within a span that its plan is made for, and is a reader in TestReadsOfYears,
// which counts what it locks.
func TestReadersOfHistoryAreKnown(t *testing.T) {
	t.Parallel()
	known := []string{
		"alert/evaluate.go", "store/curve/curve.go", "store/models/models.go", "store/report/volume.go",
		"store/history/consent.go", "store/history/downsample.go", "store/history/export.go", "store/history/retention.go", "store/history/snapshots.go",
		// A day at a time.
		"store/history/merge.go", "store/history/mergecopy.go", "store/history/spread.go", // and the default partition
		// Insert, or look into the catalog only.
		"store/history/partitions.go", "store/observed.go", "store/repeated.go", "store/write.go",
		"store/postgres/adopted.go", "store/postgres/check.go", "store/postgres/counts.go", "store/postgres/indexes.go", "store/postgres/triggers.go",
	}
	var found []string
	for _, dir := range []string{"alert", "store", "web", "worker", "dispatcher", "refresh", "metrics", "qstash", "internal/app", "internal/cli", "internal/devstack", "internal/mcpserver"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path) // #nosec G304 -- the project's own
			if bytes.Contains(text, []byte("twitter_engagement_history")) || bytes.Contains(text, []byte("postgres.Curve")) {
				name, _ := filepath.Rel("../..", path)
				found = append(found, filepath.ToSlash(name))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	slices.Sort(known)
	if !slices.Equal(found, known) {
		t.Errorf("files that name the history:\n%s\nknown:\n%s", strings.Join(found, "\n"), strings.Join(known, "\n"))
	}
}
