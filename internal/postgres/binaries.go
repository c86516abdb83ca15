package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// minMajor is the oldest major version that the schema works on.
const minMajor = 13

// errNoBinaries is returned when no usable server is installed.
var errNoBinaries = errors.New("no PostgreSQL server is installed")

// usualPlaces are where packages put a server's programs.
func usualPlaces() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                   // Red Hat
		"/usr/libexec/postgresql*",           // Alpine
		"/opt/homebrew/opt/postgresql@*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/local/pgsql/bin", // built from source
	}
}

// binaries are the programs of one installed server.
type binaries struct {
	dir     string
	version string // as the server tells it: 15.4
	major   int
}

func (b binaries) path(program string) string { return filepath.Join(b.dir, program) }

// findBinaries returns the newest server installed. For a database that exists
// it must be of the database's own major version. When none is installed, one is
// downloaded.
func findBinaries(ctx context.Context, home home) (binaries, error) {
	version, err := home.clusterVersion()
	if err != nil {
		return binaries{}, err
	}
	dirs := installedDirs(usualPlaces())
	dirs = append(dirs, downloadedDir(home.base)) // from an earlier start
	bin, err := newest(ctx, dirs, version)
	switch {
	case err == nil:
		return bin, nil
	case version != "":
		return binaries{}, fmt.Errorf("the database in %s was made by PostgreSQL %s: install the server of that version, or start over with an empty data folder: %w", home.cluster(), version, err)
	case !errors.Is(err, errNoBinaries):
		return binaries{}, err
	}
	dir := downloadedDir(home.base)
	if err := download(dir, home.base, downloadSource()); err != nil {
		return binaries{}, fmt.Errorf("%w, and none could be downloaded (%w): install it with your package manager (Debian and Ubuntu: apt install postgresql; macOS: brew install postgresql)", errNoBinaries, err)
	}
	return newest(ctx, []string{dir}, "")
}

// installedDirs returns the folders that may hold a server: the one on the PATH,
// then those that the patterns match.
func installedDirs(patterns []string) []string {
	var dirs []string
	if program, err := exec.LookPath("postgres"); err == nil {
		if program, err = filepath.EvalSymlinks(program); err == nil {
			dirs = append(dirs, filepath.Dir(program))
		}
	}
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		if err == nil { // the patterns are constants
			dirs = append(dirs, matches...)
		}
	}
	return dirs
}

// newest returns the newest server in dirs, of the given major version unless
// that is empty.
func newest(ctx context.Context, dirs []string, major string) (binaries, error) {
	var best binaries
	for _, dir := range dirs {
		b, err := inspect(ctx, dir)
		if err != nil || b.major < minMajor || (major != "" && strconv.Itoa(b.major) != major) {
			continue
		}
		if b.major > best.major {
			best = b
		}
	}
	if best.major == 0 {
		return best, errNoBinaries
	}
	return best, nil
}

// inspect looks whether dir holds the programs needed, and of what version.
func inspect(ctx context.Context, dir string) (binaries, error) {
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			return binaries{}, err
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output() // #nosec G204 -- a path we found
	if err != nil {
		return binaries{}, fmt.Errorf("ask %s for its version: %w", dir, err)
	}
	m := regexp.MustCompile(`PostgreSQL\) ((\d+)\S*)`).FindSubmatch(out)
	if m == nil {
		return binaries{}, fmt.Errorf("%s tells no version: %q", dir, out)
	}
	major, err := strconv.Atoi(string(m[2]))
	if err != nil {
		return binaries{}, fmt.Errorf("read the version of %s: %w", dir, err)
	}
	return binaries{dir: dir, version: string(m[1]), major: major}, nil
}
