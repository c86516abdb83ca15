package postgres_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestActiveZoneIsSaidOnce: a statement with a rule of its own would look up, or show, what the
// others do not.
func TestActiveZoneIsSaidOnce(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	read := 0
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		read++
		if path != "store/postgres/active.go" && strings.Contains(string(text), "z.is_active") {
			t.Errorf("%s asks for z.is_active: use postgres.ActiveZone", path)
		}
		return nil
	})
	if err != nil || read < 100 {
		t.Fatalf("read %d files: %v", read, err)
	}
}
