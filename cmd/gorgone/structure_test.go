package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The bounds of the repository.
const (
	mostOfMain    = 60   // lines of this package without tests
	mostOfFile    = 400  // lines, tests included
	mostOfPackage = 5000 // lines without tests
	mostFiles     = 40   // of a package, without tests
)

const repository = "../.."

// TestSizes: no file and no package is larger than one can take in.
func TestSizes(t *testing.T) {
	t.Parallel()
	lines, files := make(map[string]int), make(map[string]int)
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != repository && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n := bytes.Count(data, []byte("\n"))
		if n > mostOfFile {
			t.Errorf("%s has %d lines, want %d at most", path, n, mostOfFile)
		}
		if !strings.HasSuffix(name, "_test.go") {
			lines[filepath.Dir(path)] += n
			files[filepath.Dir(path)]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, n := range lines {
		if n > mostOfPackage || files[dir] > mostFiles {
			t.Errorf("%s has %d lines in %d files, want %d in %d at most", dir, n, files[dir], mostOfPackage, mostFiles)
		}
	}
	if n := lines[filepath.Join(repository, "cmd", "gorgone")]; n == 0 || n > mostOfMain {
		t.Errorf("this package has %d lines, want %d at most", n, mostOfMain)
	}
}

// TestTheProductLinksNoLaboratory, no fault injection, no plots and no test packages.
func TestTheProductLinksNoLaboratory(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath", ".")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for list := json.NewDecoder(bytes.NewReader(out)); ; found++ {
		var p struct{ ImportPath string }
		if err := list.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		ours := strings.HasPrefix(p.ImportPath, "gorgone/")
		switch {
		case strings.Contains(p.ImportPath, "toxiproxy"), strings.Contains(p.ImportPath, "testify"), strings.HasPrefix(p.ImportPath, "pgregory.net/rapid"),
			strings.HasPrefix(p.ImportPath, "gonum.org/v1/plot"), strings.HasPrefix(p.ImportPath, "gorgone/internal/lab"),
			ours && strings.HasSuffix(p.ImportPath, "test"), ours && strings.Contains(p.ImportPath, "testkit"):
			t.Errorf("gorgone links %s", p.ImportPath)
		}
	}
	if found < 100 {
		t.Errorf("only %d packages are listed", found)
	}
}
