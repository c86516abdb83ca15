package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// codeLink is a link to a function or a type in a file, such as [`Store.Claim`](../store/claim.go).
var codeLink = regexp.MustCompile("\\[`([A-Za-z0-9_.]+)`\\]\\((\\.\\./[a-z0-9_/.]+\\.go)\\)")

// TestLinkedFunctionsAreDeclared: a link to code names a file that exists and something that is declared in it.
func TestLinkedFunctionsAreDeclared(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	links := make(map[string]int)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range codeLink.FindAllStringSubmatch(string(text), -1) {
			links[page]++
			name, file := link[1], link[2]
			if strings.HasSuffix(name, ".go") { // the link is to the file itself
				if filepath.Join("..", name) != filepath.Clean(file) {
					t.Errorf("%s: the link to %s is called %s", page, file, name)
				}
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s: %v", page, err)
				}
				continue
			}
			declared, err := declarations(file)
			switch {
			case err != nil:
				t.Errorf("%s: %v", page, err)
			case !declared[name]:
				t.Errorf("%s: %s does not declare %s", page, file, name)
			}
		}
	}
	for _, page := range []string{"design.md", "state-machines.md"} {
		if links[page] == 0 {
			t.Errorf("%s: no link to code was found", page)
		}
	}
}

// declarations returns what a file declares: functions, types, and methods as Type.Method.
func declarations(file string) (map[string]bool, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	declared := make(map[string]bool)
	for _, d := range parsed.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			declared[receiver(d)+d.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					declared[t.Name.Name] = true
				}
			}
		}
	}
	return declared, nil
}

// receiver is the type of a method, with a dot; empty for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}
