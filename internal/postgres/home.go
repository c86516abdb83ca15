package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// elsewhere is where databases are kept that their server could not reach in the
// data folder.
const elsewhere = "/var/lib/gorgone"

// home is the folder of one server. It holds the password, the server's log and
// the lock, which belong to us, and, below base, what belongs to the server.
type home struct {
	dir   string // the data folder, absolute
	base  string // dir, or a folder in elsewhere
	owner owner
}

// openHome makes the data folder when it is missing, and settles where the
// database is kept.
func openHome(dataDir string) (home, error) {
	if dataDir == "" {
		return home{}, errors.New("no data folder given for postgres")
	}
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return home{}, fmt.Errorf("find the data folder: %w", err)
	}
	o, err := serverOwner()
	if err != nil {
		return home{}, err
	}
	mode := os.FileMode(0o700)
	if o.other {
		mode = 0o711 // the server's user must get through to its own folder
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return home{}, fmt.Errorf("make the data folder: %w", err)
	}
	h := home{dir: dir, base: dir, owner: o}
	if o.other && !o.canEnter(dir) {
		sum := sha256.Sum256([]byte(dir))
		h.base = filepath.Join(elsewhere, hex.EncodeToString(sum[:8]))
		if err := os.MkdirAll(h.base, 0o711); err != nil {
			return home{}, fmt.Errorf("the user %s, as which postgres runs, can not reach %s, and no other folder can be made for it; choose a data folder outside of private folders: %w", o.name, dir, err)
		}
		if !o.canEnter(h.base) {
			return home{}, fmt.Errorf("the user %s, as which postgres runs, can reach neither %s nor %s; choose a data folder that it can reach", o.name, dir, h.base)
		}
	}
	return h, nil
}

// moved reports whether the database is kept outside of the data folder.
func (h home) moved() bool { return h.base != h.dir }

// cluster is the folder that Postgres itself writes to (PGDATA).
func (h home) cluster() string { return filepath.Join(h.base, "data") }

func (h home) passwordFile() string { return filepath.Join(h.dir, "password") }

// clusterVersion returns the major version that the cluster was made with, or ""
// when there is no cluster yet.
func (h home) clusterVersion() (string, error) {
	text, err := os.ReadFile(filepath.Join(h.cluster(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the database's version: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// ensureCluster makes the cluster when there is none, and returns its password.
func (h home) ensureCluster(ctx context.Context, bin binaries, options Options) (string, error) {
	version, err := h.clusterVersion()
	if err != nil {
		return "", err
	}
	if version != "" {
		password, err := os.ReadFile(h.passwordFile())
		if err != nil {
			return "", fmt.Errorf("read the password of the database in %s (start over with an empty data folder if it is lost): %w", h.cluster(), err)
		}
		return strings.TrimSpace(string(password)), nil
	}
	password := rand.Text()
	if err := os.WriteFile(h.passwordFile(), []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the password: %w", err)
	}
	// Made under another name and then moved, so that a cluster is there whole
	// or not at all.
	draft := h.cluster() + ".new"
	if err := os.RemoveAll(draft); err != nil {
		return "", fmt.Errorf("clear a half-made database: %w", err)
	}
	if err := h.owner.mkdir(draft); err != nil {
		return "", err
	}
	if err := h.initdb(ctx, bin, draft, password, options.Unsafe); err != nil {
		return "", err
	}
	if options.Host != "" {
		if err := admitNetwork(draft); err != nil {
			return "", err
		}
	}
	if err := os.Rename(draft, h.cluster()); err != nil {
		return "", fmt.Errorf("move the new database into place: %w", err)
	}
	return password, nil
}

// admitNetwork lets those of the server's own network log in, by the password, as clients
// and as standbys.
func admitNetwork(cluster string) error {
	rules, err := os.OpenFile(filepath.Join(cluster, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0) // #nosec G304 -- our own folder
	if err != nil {
		return fmt.Errorf("say who may log in: %w", err)
	}
	_, err = rules.WriteString("host all,replication all samenet scram-sha-256\n")
	if err = errors.Join(err, rules.Close()); err != nil {
		return fmt.Errorf("say who may log in: %w", err)
	}
	return nil
}

func (h home) initdb(ctx context.Context, bin binaries, dir, password string, unsafe bool) error {
	passwordFile := dir + ".password"
	defer os.Remove(passwordFile) //nolint:errcheck // a copy of what is kept anyway
	if err := h.owner.writeFile(passwordFile, password); err != nil {
		return err
	}
	args := []string{
		"-D", dir, "-U", superuser, "--pwfile=" + passwordFile,
		"--encoding=UTF8", "--locale=C",
	}
	if unsafe {
		// The password itself over loopback: a handshake's proof costs more than
		// most tests.
		args = append(args, "--no-sync", "--auth=password")
	} else {
		args = append(args, "--auth=scram-sha-256")
	}
	cmd := exec.CommandContext(ctx, bin.path("initdb"), args...) // #nosec G204 -- a path we found
	h.owner.command(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the database: initdb: %w\n%s", err, out)
	}
	return nil
}
