package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Options say what to build.
type Options struct {
	Root    string    // the repository
	Version string    // build argument VERSION
	Arch    string    // build argument TARGETARCH; the system is Linux
	Made    time.Time // the time of everything in the image
}

// arguments are the values of the build arguments.
func (o Options) arguments() map[string]string {
	return map[string]string{"VERSION": o.Version, "TARGETOS": "linux", "TARGETARCH": o.Arch}
}

// Build builds the image. The same source, version, time and roots of trust give
// the same digest.
func Build(ctx context.Context, o Options) (v1.Image, error) {
	dockerfile := filepath.Join(o.Root, "deploy", "Dockerfile")
	r, err := readDockerfile(dockerfile)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "gorgone-image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	s := stage{context: filepath.Join(work, "context"), dir: filepath.Join(work, "src"), out: filepath.Join(work, "out"), options: o}
	if err := buildContext(o.Root, dockerfile+".dockerignore", s.context); err != nil {
		return nil, fmt.Errorf("gather the build context: %w", err)
	}
	s.declared = map[string]string{"GOTOOLCHAIN": r.toolchain, "GOWORK": "off", "GOFLAGS": ""}
	if err := os.MkdirAll(s.dir, 0o755); err != nil { // #nosec G301 -- below a folder of our own
		return nil, err
	}
	if err := s.run(ctx, r.build); err != nil {
		return nil, err
	}
	return assemble(r.final, r.build.Name, s.out, o)
}

// stage is the build stage as it runs: its WORKDIR is dir, its /out is out.
type stage struct {
	context, dir, out string
	declared          map[string]string // what the shell sees besides this machine's variables
	options           Options
}

// run does what the stage's instructions say.
func (s *stage) run(ctx context.Context, built instructions.Stage) error {
	for _, command := range built.Commands {
		var err error
		switch c := command.(type) {
		case *instructions.WorkdirCommand: // where that is here is ours to say
		case *instructions.ArgCommand:
			maps.Copy(s.declared, argumentsOf(c, s.options))
		case *instructions.CopyCommand:
			err = s.copy(c)
		case *instructions.RunCommand:
			err = s.shell(ctx, c)
		default:
			err = unknown(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copy copies files of the build context, or all of it, into the working folder.
func (s *stage) copy(c *instructions.CopyCommand) error {
	if c.From != "" || c.Chown != "" || c.Chmod != "" || (c.DestPath != "./" && c.DestPath != ".") {
		return unknown(c)
	}
	for _, source := range c.SourcePaths {
		if source != "." {
			if err := copyFile(filepath.Join(s.context, source), filepath.Join(s.dir, source)); err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
			continue
		}
		// What was copied before is there already.
		if err := os.RemoveAll(s.dir); err != nil {
			return err
		}
		if err := os.CopyFS(s.dir, os.DirFS(s.context)); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
	}
	return nil
}

// shell runs a line as the engine's shell would, in the working folder. Mounts of
// caches are this machine's own caches.
func (s *stage) shell(ctx context.Context, c *instructions.RunCommand) error {
	if !c.PrependShell || len(c.CmdLine) != 1 || len(c.Files) > 0 {
		return unknown(c)
	}
	if err := c.Expand(words(s.declared)); err != nil {
		return err
	}
	for _, m := range instructions.GetMounts(c) {
		if m.Type != instructions.MountTypeCache {
			return unknown(c)
		}
	}
	line := strings.ReplaceAll(c.CmdLine[0], "/out/", s.out+"/")
	cmd := exec.CommandContext(ctx, "sh", "-ec", line) // #nosec G204 -- the Dockerfile's
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, os.Stderr, os.Stderr
	cmd.Env = os.Environ()
	for name, value := range s.declared {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %q: %w", line, err)
	}
	return nil
}

// argumentsOf are the values of what an ARG declares: given ones, or its defaults.
func argumentsOf(c *instructions.ArgCommand, o Options) map[string]string {
	values := make(map[string]string, len(c.Args))
	for _, a := range c.Args {
		value, given := o.arguments()[a.Key]
		if !given {
			value = a.ValueString()
		}
		values[a.Key] = value
	}
	return values
}

// words expands variables as the Dockerfile's language does.
func words(env map[string]string) instructions.SingleWordExpander {
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	lex := shell.NewLex('\\')
	return func(word string) (string, error) {
		result, err := lex.ProcessWordWithMatches(word, shell.EnvsFromSlice(list))
		if err == nil && len(result.Unmatched) > 0 {
			err = errors.New("a variable of " + word + " is not declared")
		}
		return result.Result, err
	}
}
