package postgres

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// source says what to download from where. The zero values of embedded.Config's
// own mean the public repository and the user's cache folder.
type source struct {
	repository string // "": Maven Central
	cache      string // "": the library's own, in the home folder
	version    embedded.PostgresVersion
}

func downloadSource() source { return source{version: embedded.V17} }

// downloadedDir is where the programs of a downloaded server lie.
func downloadedDir(base string) string { return filepath.Join(base, "server", "bin") }

// download fetches a server for this machine and unpacks it, so that its programs
// lie in dir.
//
// The library can not fetch without starting: it is given a data folder that
// looks right and is empty, so that the server it would start fails at once.
func download(dir, base string, from source) error {
	scratch, err := os.MkdirTemp(base, "download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	data := filepath.Join(scratch, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	major, _, _ := strings.Cut(string(from.version), ".")
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(major+"\n"), 0o600); err != nil {
		return err
	}
	config := embedded.DefaultConfig().
		Version(from.version).
		BinariesPath(filepath.Dir(dir)).
		RuntimePath(filepath.Join(scratch, "run")).
		DataPath(data).
		Logger(io.Discard)
	if from.cache != "" {
		config = config.CachePath(from.cache)
	}
	if from.repository != "" {
		config = config.BinaryRepositoryURL(from.repository)
	}
	server := embedded.NewDatabase(config)
	err = server.Start()
	if err == nil {
		return fmt.Errorf("an empty folder was taken for a database: %w", server.Stop())
	}
	if _, missing := os.Stat(filepath.Join(dir, "postgres")); missing != nil {
		return err
	}
	return nil
}
