package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// buildContext copies into dir what of root an engine would be sent: the files that
// the Dockerfile's ignore file lets through.
func buildContext(root, ignore, dir string) error {
	f, err := os.Open(ignore) // #nosec G304 -- the repository's own
	if err != nil {
		return err
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", ignore, err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return fmt.Errorf("read %s: %w", ignore, err)
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || rel == "." {
			return err
		}
		ignored, err := matcher.MatchesOrParentMatches(rel)
		switch {
		case err != nil:
			return err
		case d.IsDir() && ignored && !wanted(patterns, rel):
			return filepath.SkipDir
		case ignored || d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is no plain file", rel)
		}
		return copyFile(path, filepath.Join(dir, rel))
	})
}

// wanted tells whether a pattern takes something back in below an ignored folder.
func wanted(patterns []string, dir string) bool {
	for _, p := range patterns {
		if strings.HasPrefix(p, "!"+filepath.ToSlash(dir)+"/") {
			return true
		}
	}
	return false
}

// copyFile copies a file, and its mode, making the folders above it.
func copyFile(from, to string) error {
	in, err := os.Open(from) // #nosec G304 -- of the build context
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { // #nosec G301 -- no secrets
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm()) // #nosec G304 -- below our own folder
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
