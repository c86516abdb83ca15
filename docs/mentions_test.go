package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// inlineCode is a code span with what follows it; codeLink covers the text of a link.
	inlineCode = regexp.MustCompile("`([^`\n]+)`(\\]\\()?")
	// repoPath is a file or directory, such as store/claim.go or internal/lab.
	repoPath = regexp.MustCompile(`^[a-z][\w.@-]*/[\w./@-]*$`)
	// identifier is something that a package declares, such as engagement.Fit.
	identifier = regexp.MustCompile(`^([a-z]+)\.([A-Z]\w*)$`)
	// goTest is a command, up to the end of its line, its code span or its table cell.
	goTest     = regexp.MustCompile("go test [^`\n|]*(?:'[^']*'[^`\n|]*)*")
	runPattern = regexp.MustCompile(`-(run|bench) ('[^']*'|\S+)`)
	goPackage  = regexp.MustCompile(`\./[a-z][\w/]*`)
	// elsewhere are paths that exist only at run time or are none of the repository's.
	elsewhere = regexp.MustCompile(`^(deploy/secrets|dist|bin|logs)/|^(application|text)/|^(gorgone|sony|calls)/`)
)

// TestMentionedFilesExist: a path, a package's identifier and the tests of a go test
// command that a page names exist.
func TestMentionedFilesExist(t *testing.T) {
	t.Parallel()
	source := sources(t)
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, root...) {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for _, code := range inlineCode.FindAllStringSubmatch(text, -1) {
			if code[2] != "" {
				continue
			}
			if repoPath.MatchString(code[1]) && !elsewhere.MatchString(code[1]) {
				if _, err := os.Stat(filepath.Join("..", code[1])); err != nil {
					t.Errorf("%s: %v", page, err)
				}
			}
			if name := identifier.FindStringSubmatch(code[1]); name != nil && !source.declares(name[1], name[2]) {
				t.Errorf("%s: no package %s declares %s", page, name[1], name[2])
			}
		}
		for _, command := range goTest.FindAllString(text, -1) {
			for _, dir := range goPackage.FindAllString(command, -1) {
				for _, run := range runPattern.FindAllStringSubmatch(command, -1) {
					if !source.tests(t, dir, run[1], strings.Trim(run[2], "'")) {
						t.Errorf("%s: nothing to run: %s", page, command)
					}
				}
			}
		}
	}
}

// files are the Go files of the repository, by directory.
type files map[string][]string

func sources(t *testing.T) files {
	t.Helper()
	found := make(files)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".go" {
			found[filepath.Dir(path)] = append(found[filepath.Dir(path)], path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// declares reports whether a package of this name, in a directory of this name, declares
// a function or a type.
func (f files) declares(pkg, name string) bool {
	for dir, paths := range f {
		if filepath.Base(dir) != pkg {
			continue
		}
		for _, path := range paths {
			if declared, err := declarations(path); err == nil && declared[name] {
				return true
			}
		}
	}
	return false
}

// tests reports whether a directory has a test or benchmark that the pattern selects.
func (f files) tests(t *testing.T, dir, kind, pattern string) bool {
	t.Helper()
	if pattern == "^$" || pattern == "." {
		return true
	}
	prefix := map[string]string{"run": "Test|Fuzz|Example", "bench": "Benchmark"}[kind]
	selected, err := regexp.Compile(pattern)
	if err != nil {
		t.Error(err)
		return false
	}
	starts := regexp.MustCompile("^(" + prefix + ")")
	for _, path := range f[filepath.Join("..", dir)] {
		declared, err := declarations(path)
		if err != nil {
			t.Error(err)
		}
		for name := range declared {
			if starts.MatchString(name) && selected.MatchString(name) {
				return true
			}
		}
	}
	return false
}
