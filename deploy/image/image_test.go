package main

import (
	"archive/tar"
	"debug/elf"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// TestImage builds the image of this checkout and looks at all that is in it.
func TestImage(t *testing.T) {
	t.Parallel()
	o := Options{Root: "../..", Version: "v0.0.0-test", Arch: runtime.GOARCH, Made: time.Unix(1_700_000_000, 0).UTC()}
	img, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	checkConfig(t, img, o)
	dir := t.TempDir()
	files := extract(t, img, o, dir)
	want := []string{"etc", "etc/ssl", "etc/ssl/certs", "etc/ssl/certs/ca-certificates.crt", "gorgone"}
	if !slices.Equal(files, want) {
		t.Errorf("in the image:\n%s\nwant:\n%s", strings.Join(files, "\n"), strings.Join(want, "\n"))
	}
	checkStatic(t, filepath.Join(dir, "gorgone"))
	checkRuns(t, dir, o.Version)

	again, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	first, err1 := img.Digest()
	second, err2 := again.Digest()
	if err := errors.Join(err1, err2); err != nil || first != second {
		t.Errorf("built twice, two digests: %v and %v (%v)", first, second, err)
	}
}

func checkConfig(t *testing.T, img v1.Image, o Options) {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	labels := map[string]string{
		"org.opencontainers.image.title":       "gorgone",
		"org.opencontainers.image.version":     o.Version,
		"org.opencontainers.image.description": "Keeps the engagement counters of tweets fresh",
		"org.opencontainers.image.licenses":    "MIT",
	}
	switch {
	case file.OS != "linux" || file.Architecture != o.Arch:
		t.Errorf("for %s/%s", file.OS, file.Architecture)
	case c.User != "65532:65532":
		t.Errorf("runs as %q: Kubernetes wants a number, and not root's", c.User)
	case !slices.Equal(c.Entrypoint, []string{"/gorgone"}) || !slices.Equal(c.Cmd, []string{"--help"}):
		t.Errorf("starts %q %q", c.Entrypoint, c.Cmd)
	case !maps.Equal(c.Labels, labels):
		t.Errorf("labels %v, want %v", c.Labels, labels)
	case len(c.Env) > 0 || len(c.Volumes) > 0 || len(c.ExposedPorts) > 0 || c.WorkingDir != "" || c.Healthcheck != nil:
		t.Errorf("more than was meant: %+v", c)
	case !file.Created.Equal(o.Made):
		t.Errorf("made at %v", file.Created)
	}
}

// extract unpacks the image as an engine would, checks each entry, and lists them.
func extract(t *testing.T, img v1.Image, o Options, dir string) []string {
	t.Helper()
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- the test's program is not this user's
		t.Fatal(err)
	}
	flat := mutate.Extract(img)
	defer flat.Close()
	var files []string
	for r := tar.NewReader(flat); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, h.Name)
		if h.Uid != 0 || h.Gid != 0 || h.Mode&^0o755 != 0 || !h.ModTime.Equal(o.Made) {
			t.Errorf("%s: %d:%d, mode %o, %v; want root's, for others to read only, as old as the commit", h.Name, h.Uid, h.Gid, h.Mode, h.ModTime)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name)) // #nosec G305 -- made by us
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o755) // #nosec G301 -- as in the image
		} else {
			err = write(path, r, os.FileMode(h.Mode)) // #nosec G115 -- checked above
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func write(path string, from io.Reader, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, mode) // #nosec G304 -- in the test's folder
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// checkStatic sees that the program needs nothing that an image from scratch lacks.
func checkStatic(t *testing.T, path string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if libraries, err := f.ImportedLibraries(); err == nil && len(libraries) > 0 {
		t.Errorf("needs %v", libraries)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("needs a dynamic linker")
		}
	}
}

// checkRuns runs the program with the image's files as all there is, as its user
// where this one may do so.
func checkRuns(t *testing.T, dir, version string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Log("the image's program is not run: it is for Linux")
		return
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "gorgone"), "version") // #nosec G204 -- just built
	if os.Geteuid() == 0 {
		cmd.Path, cmd.Dir = "/gorgone", "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), version) {
		t.Errorf("gorgone version, in the image: %v\n%s", err, out)
	}
}

// TestUnknown sees that what is not understood is refused, not left out.
func TestUnknown(t *testing.T) {
	t.Parallel()
	const builds = "FROM golang:1.26.8-bookworm AS build\n"
	for name, c := range map[string]struct{ dockerfile, want string }{
		"an instruction of the image":   {builds + "FROM scratch\nHEALTHCHECK CMD [\"/gorgone\", \"health\"]\n", "HEALTHCHECK"},
		"a shell that is not there":     {builds + "FROM scratch\nENTRYPOINT /gorgone\n", "ENTRYPOINT /gorgone"},
		"files from elsewhere":          {builds + "FROM scratch\nCOPY --from=build /etc/ /\n", "COPY --from=build /etc/"},
		"an undeclared variable":        {builds + "FROM scratch\nLABEL version=$VERSION\n", "not declared"},
		"another base":                  {builds + "FROM debian\n", "other stages"},
		"an instruction of the build":   {builds + "ADD https://example.com /out/\nFROM scratch\n", "ADD"},
		"a secret":                      {builds + "RUN --mount=type=secret,id=key true\nFROM scratch\n", "type=secret"},
		"a build without a version":     {"FROM golang AS build\nFROM scratch\n", "golang:VERSION"},
		"a command that fails":          {builds + "RUN false\nFROM scratch\n", "exit status 1"},
		"a file the context leaves out": {builds + "COPY go.mod secret ./\nFROM scratch\n", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for path, text := range map[string]string{
				"deploy/Dockerfile": c.dockerfile, "deploy/Dockerfile.dockerignore": "*\n!go.mod\n", "go.mod": "module m\n", "secret": "s",
			} {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Build(t.Context(), Options{Root: root, Version: "v1", Arch: "amd64"}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an error about %s", err, c.want)
			}
		})
	}
}
