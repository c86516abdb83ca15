package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/x509"
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
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const version = "v0.0.0-test"

var created = time.Unix(1_700_000_000, 0).UTC()

// release runs tools/release/build.sh for this architecture and returns its directory.
func release(t *testing.T) string {
	t.Helper()
	dist := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "../../tools/release/build.sh")
	cmd.Env = append(os.Environ(), "DIST="+dist, "VERSION="+version, "TARGETS=linux/"+runtime.GOARCH, "SOURCE_DATE_EPOCH=1700000000")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	return dist
}

// TestRelease builds a release twice: both are the same byte for byte, and the image has
// the archive's commands, CA certificates and nothing else.
func TestRelease(t *testing.T) {
	t.Parallel()
	dist := release(t)
	sums := read(t, filepath.Join(dist, "SHA256SUMS"))
	if again := read(t, filepath.Join(release(t), "SHA256SUMS")); again != sums {
		t.Errorf("two builds differ:\n%s\n%s", sums, again)
	}

	packed, err := os.Open(filepath.Join(dist, "gorgone_"+version+"_linux_"+runtime.GOARCH+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	archive := unpack(t, plain, t.TempDir())
	img, err := tarball.ImageFromPath(filepath.Join(dist, "gorgone_"+version+"_image_"+runtime.GOARCH+".tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	flat := mutate.Extract(img)
	defer flat.Close()
	root := t.TempDir()
	files := unpack(t, flat, root)

	want := map[string]string{"etc/ssl/certs/ca-certificates.crt": read(t, "/etc/ssl/certs/ca-certificates.crt")}
	commands, err := filepath.Glob("../../cmd/*")
	if err != nil || len(commands) == 0 {
		t.Fatal("no commands", err)
	}
	for _, command := range commands {
		command = filepath.Base(command)
		want[command] = archive["gorgone_"+version+"_linux_"+runtime.GOARCH+"/"+command]
		checkStatic(t, filepath.Join(root, command))
		checkRuns(t, root, command)
		if list := read(t, filepath.Join(dist, command+"_"+version+".cdx.json")); !strings.Contains(list, "github.com/jackc/pgx/v5") {
			t.Errorf("%s: the SBOM does not list pgx", command)
		}
	}
	if !maps.Equal(files, want) {
		t.Errorf("files in the image: %v; want those of the archive: %v", slices.Sorted(maps.Keys(files)), slices.Sorted(maps.Keys(want)))
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM([]byte(files["etc/ssl/certs/ca-certificates.crt"])) {
		t.Error("the image has no CA certificates")
	}
	checkConfig(t, img)
}

func checkConfig(t *testing.T, img v1.Image) {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c, labels := file.Config, map[string]string{
		"org.opencontainers.image.title":       "gorgone",
		"org.opencontainers.image.version":     version,
		"org.opencontainers.image.description": "Keeps the engagement counters of tweets fresh",
		"org.opencontainers.image.licenses":    "MIT",
	}
	switch {
	case file.OS != "linux" || file.Architecture != runtime.GOARCH:
		t.Errorf("for %s/%s", file.OS, file.Architecture)
	case c.User != "65532:65532":
		t.Errorf("runs as %q: Kubernetes wants a number that is not root's", c.User)
	case !slices.Equal(c.Entrypoint, []string{"/gorgone"}) || !slices.Equal(c.Cmd, []string{"--help"}):
		t.Errorf("starts %q %q", c.Entrypoint, c.Cmd)
	case !maps.Equal(c.Labels, labels):
		t.Errorf("labels %v, want %v", c.Labels, labels)
	case len(c.Env) > 0 || len(c.Volumes) > 0 || len(c.ExposedPorts) > 0 || c.WorkingDir != "" || c.Healthcheck != nil:
		t.Errorf("more than intended: %+v", c)
	case !file.Created.Equal(created):
		t.Errorf("created at %v", file.Created)
	}
}

// unpack extracts an archive into dir, checks each entry and returns the content of each
// file.
func unpack(t *testing.T, archive io.Reader, dir string) map[string]string {
	t.Helper()
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- checkRuns reads it as another user
		t.Fatal(err)
	}
	files := make(map[string]string)
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Mode&^0o755 != 0 || !h.ModTime.Equal(created) {
			t.Errorf("%s: owner %d:%d, mode %o, %v; want root's, writable by root only, as old as the commit", h.Name, h.Uid, h.Gid, h.Mode, h.ModTime)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name)) // #nosec G305 -- our own archive
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o755) // #nosec G301 -- as in the image
		} else {
			var content []byte
			content, err = io.ReadAll(r)
			files[h.Name] = string(content)
			err = errors.Join(err, os.WriteFile(path, content, os.FileMode(h.Mode))) // #nosec G115 -- checked above
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkStatic checks that a command runs where there is no dynamic linker.
func checkStatic(t *testing.T, path string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if libraries, err := f.ImportedLibraries(); err == nil && len(libraries) > 0 {
		t.Errorf("%s needs %v", path, libraries)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s needs a dynamic linker", path)
		}
	}
}

// checkRuns runs a command with the image as its root file system and as the image's
// user, where the test may do that.
func checkRuns(t *testing.T, root, command string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, command), "--version") // #nosec G204 -- just built
	if os.Geteuid() == 0 {
		cmd.Path, cmd.Dir = "/"+command, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), version) {
		t.Errorf("%s --version, in the image: %v\n%s", command, err, out)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
