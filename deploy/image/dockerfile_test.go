package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// TestDockerfile checks that the Dockerfile configures the image as config does.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	parsed, err := parser.Parse(strings.NewReader(read(t, "../Dockerfile")))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	final, want := stages[len(stages)-1], config(version)
	labels := make(map[string]string)
	var names []string
	for _, command := range final.Commands {
		names = append(names, command.Name())
		switch c := command.(type) {
		case *instructions.LabelCommand:
			for _, label := range c.Labels {
				value, _, err := shell.NewLex('\\').ProcessWord(label.Value, shell.EnvsFromSlice([]string{"VERSION=" + version}))
				if err != nil {
					t.Error(err)
				}
				labels[label.Key] = value
			}
		case *instructions.UserCommand:
			if c.User != want.User {
				t.Errorf("runs as %s, want %s", c.User, want.User)
			}
		case *instructions.EntrypointCommand:
			if c.PrependShell || !slices.Equal(c.CmdLine, want.Entrypoint) {
				t.Errorf("%s, want %q", c, want.Entrypoint)
			}
		case *instructions.CmdCommand:
			if c.PrependShell || !slices.Equal(c.CmdLine, want.Cmd) {
				t.Errorf("%s, want %q", c, want.Cmd)
			}
		}
	}
	if final.BaseName != "scratch" || !slices.Equal(names, []string{"ARG", "LABEL", "COPY", "USER", "ENTRYPOINT", "CMD"}) {
		t.Errorf("the last stage is from %s and has %q", final.BaseName, names)
	}
	if !maps.Equal(labels, want.Labels) {
		t.Errorf("labels %v, want %v", labels, want.Labels)
	}
}

// TestBuildContext checks that the ignore file lets through every file the commands are
// built from, and neither secrets nor history.
func TestBuildContext(t *testing.T) {
	t.Parallel()
	patterns, err := ignorefile.ReadAll(strings.NewReader(read(t, "../Dockerfile.dockerignore")))
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	check := func(file string, ignored bool) {
		t.Helper()
		if got, err := matcher.MatchesOrParentMatches(file); err != nil || got != ignored {
			t.Errorf("%s ignored: %t, want %t (%v)", file, got, ignored, err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum", "tools/release/binaries.sh"} {
		check(file, false)
	}
	for _, file := range []string{".env", ".git/config", ".gorgone/run.json", "deploy/secrets/twitter_api_key", "store/claim_test.go"} {
		check(file, true)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module,GoFiles,EmbedFiles", "./cmd/...")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var sources int
	for d := json.NewDecoder(out); ; {
		var p struct {
			Dir                 string
			GoFiles, EmbedFiles []string
			Module              *struct{ Main bool }
		}
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, file := range slices.Concat(p.GoFiles, p.EmbedFiles) {
			rel, err := filepath.Rel(root, filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			check(filepath.ToSlash(rel), false)
			sources++
		}
	}
	if err := cmd.Wait(); err != nil || sources < 100 {
		t.Errorf("go list: %v, %d files", err, sources)
	}
}
