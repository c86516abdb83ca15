package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// retired are words that the repository once used for what the field has other words for.
var retired = regexp.MustCompile(`\b(anew|heed(s|ed)?|reckon\w*|(is|are|was) away|let go|[Ss]omebody|[Nn]obody|witness|agenda|tally|bury|hungry|thrift|economize|lesson|takeover)\b`)

// TestRetiredWords finds the words in code, pages and scripts.
func TestRetiredWords(t *testing.T) {
	t.Parallel()
	// The user that runs what root must not; and what tweets say.
	allowed := []string{"internal/postgres/owner.go", "internal/postgres/server.go", "store/storetest/pooler.go", "twitter/fakeprovider/text.go", "cmd/gorgone/words_test.go"}
	read := 0
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != repository && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "vendor" || name == "build" || name == "dist") {
				return filepath.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(repository, path)
		if err != nil {
			return err
		}
		if !slices.Contains([]string{".go", ".md", ".js"}, filepath.Ext(name)) || slices.Contains(allowed, name) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read++
		for i, line := range bytes.Split(text, []byte("\n")) {
			if word := retired.Find(line); word != nil {
				t.Errorf("%s:%d: %q is retired", name, i+1, word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 400 {
		t.Errorf("only %d files were read", read)
	}
}
