package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// assemble makes the image of the last stage, which is from scratch and takes what
// the stage named from put into its /out, here the folder out.
func assemble(final instructions.Stage, from, out string, o Options) (v1.Image, error) {
	img := empty.Image
	config := v1.Config{Labels: make(map[string]string)}
	declared := make(map[string]string)
	for _, command := range final.Commands {
		if e, ok := command.(instructions.SupportsSingleWordExpansion); ok {
			if err := e.Expand(words(declared)); err != nil {
				return nil, err
			}
		}
		switch c := command.(type) {
		case *instructions.ArgCommand:
			maps.Copy(declared, argumentsOf(c, o))
		case *instructions.LabelCommand:
			for _, label := range c.Labels {
				config.Labels[label.Key] = label.Value
			}
		case *instructions.CopyCommand:
			if c.From != from || len(c.SourcePaths) != 1 || c.SourcePaths[0] != "/out/" || c.DestPath != "/" || c.Chown != "" || c.Chmod != "" {
				return nil, unknown(c)
			}
			layer, err := layerOf(out, o)
			if err != nil {
				return nil, fmt.Errorf("pack what was built: %w", err)
			}
			img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{
				Created: v1.Time{Time: o.Made}, CreatedBy: c.String(), Author: "gorgone",
			}})
			if err != nil {
				return nil, err
			}
		case *instructions.UserCommand:
			config.User = c.User
		case *instructions.EntrypointCommand:
			if c.PrependShell {
				return nil, unknown(c)
			}
			config.Entrypoint = c.CmdLine
		case *instructions.CmdCommand:
			if c.PrependShell {
				return nil, unknown(c)
			}
			config.Cmd = c.CmdLine
		default:
			return nil, unknown(c)
		}
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created, file.Config = "linux", o.Arch, v1.Time{Time: o.Made}, config
	return mutate.ConfigFile(img, file)
}

// layerOf packs a folder: root's, in the order of the names, with nothing of this
// machine's users, umask and times in it.
func layerOf(dir string, o Options) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		h := &tar.Header{Name: filepath.ToSlash(rel), ModTime: o.Made, Format: tar.FormatPAX}
		switch {
		case d.IsDir():
			h.Typeflag, h.Name, h.Mode = tar.TypeDir, h.Name+"/", 0o755
			return w.WriteHeader(h)
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is no plain file", rel)
		}
		h.Typeflag, h.Size, h.Mode = tar.TypeReg, info.Size(), 0o644
		if info.Mode()&0o111 != 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		f, err := os.Open(path) // #nosec G304 -- what was just built
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil })
}
