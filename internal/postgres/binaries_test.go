package postgres_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorgone/internal/postgres"
)

// install makes a folder with programs that tell a version, and returns it.
func install(t *testing.T, version string, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range programs {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %s (Debian %s-1)'\n", p, version, version)
		if err := os.WriteFile(filepath.Join(dir, p), []byte(script), 0o755); err != nil { // #nosec G306 -- a program
			t.Fatal(err)
		}
	}
	return dir
}

// The tests here write programs and run them. They are not parallel to those that
// start servers: a child forked between the two would hold the program open for
// writing, and the kernel refuses to run it then ("text file busy").

//nolint:paralleltest // see above
func TestNewest(t *testing.T) {
	old := install(t, "14.9", "initdb", "postgres")
	young := install(t, "17.2", "initdb", "postgres")
	beta := install(t, "18beta1", "initdb", "postgres")
	ancient := install(t, "9.6.24", "initdb", "postgres")
	client := install(t, "18.0", "psql") // no server
	absent := filepath.Join(t.TempDir(), "absent")

	tests := []struct {
		name  string
		dirs  []string
		major string
		want  string // folder; "": none
	}{
		{"the newest of several", []string{old, young, ancient}, "", young},
		{"whatever the order", []string{young, old}, "", young},
		{"a beta", []string{old, beta}, "", beta},
		{"the database's own version", []string{old, young}, "14", old},
		{"no other than that", []string{young}, "14", ""},
		{"not the client alone", []string{client, absent, old}, "", old},
		{"nothing too old", []string{ancient}, "", ""},
		{"nothing at all", nil, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, version, err := postgres.Newest(t.Context(), tt.dirs, tt.major)
			if dir != tt.want {
				t.Errorf("chose %q (%s), want %q", dir, version, tt.want)
			}
			if (err == nil) != (tt.want != "") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestDownload fetches from a repository laid out as the library expects, whose
// archive holds three scripts (testdata/server.txz) in place of a server.
//
//nolint:paralleltest // see above
func TestDownload(t *testing.T) {
	archive, err := os.ReadFile("testdata/server.txz")
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	w, err := z.Create("postgres-linux-x86_64.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(archive); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/io/zonky/test/postgres/") || !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(jar.Bytes())
	}))
	defer repository.Close()

	dir, err := postgres.Download(t.TempDir(), repository.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, version, err := postgres.Newest(t.Context(), []string{dir}, ""); err != nil || version != "17.5.0" {
		t.Errorf("downloaded version %q, error %v", version, err)
	}
}

func TestDownloadFails(t *testing.T) {
	t.Parallel()
	repository := httptest.NewServer(http.NotFoundHandler())
	defer repository.Close()
	if dir, err := postgres.Download(t.TempDir(), repository.URL); err == nil {
		t.Errorf("an empty repository gave %s", dir)
	}
}
