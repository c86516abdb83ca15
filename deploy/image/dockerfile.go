package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// recipe is what the Dockerfile says: how to build, and what the image is.
type recipe struct {
	toolchain    string // of the build stage's base, as GOTOOLCHAIN takes it
	build, final instructions.Stage
}

// golang is the base of the build stage. Its commands run on this machine, so it has
// to name the version of Go that they need.
var golang = regexp.MustCompile(`^golang:(\d+\.\d+\.\d+)-`)

// readDockerfile reads a Dockerfile of two stages: one that builds with Go, and one
// from scratch.
func readDockerfile(path string) (recipe, error) {
	data, err := os.ReadFile(path) // #nosec G304 -- the repository's own
	if err != nil {
		return recipe{}, err
	}
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return recipe{}, fmt.Errorf("read %s: %w", path, err)
	}
	stages, global, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return recipe{}, fmt.Errorf("read %s: %w", path, err)
	}
	if len(stages) != 2 || len(global) > 0 || stages[1].BaseName != "scratch" {
		return recipe{}, errors.New("the Dockerfile has other stages than one that builds and one from scratch")
	}
	version := golang.FindStringSubmatch(stages[0].BaseName)
	if version == nil {
		return recipe{}, fmt.Errorf("the base of the build stage is %s, want golang:VERSION-…", stages[0].BaseName)
	}
	return recipe{toolchain: "go" + version[1], build: stages[0], final: stages[1]}, nil
}

// unknown is the error for an instruction that is not understood here.
func unknown(c instructions.Command) error {
	line := 0
	if at := c.Location(); len(at) > 0 {
		line = at[0].Start.Line
	}
	return fmt.Errorf("line %d of the Dockerfile: %s is not understood here: teach deploy/image, or do without", line, c)
}
