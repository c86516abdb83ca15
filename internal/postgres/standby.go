package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
)

// copyCluster makes the cluster a copy of the primary's, which follows it when it is
// started, and returns its password.
func (h home) copyCluster(ctx context.Context, bin binaries, options Options) (string, error) {
	u, err := url.Parse(options.Primary)
	if err != nil || u.User == nil {
		return "", errors.New("the primary's address is not of the form postgres://user:password@host:port/database")
	}
	password, _ := u.User.Password()
	if version, err := h.clusterVersion(); err != nil || version != "" {
		return "", errors.Join(err, fmt.Errorf("there is a database in %s: a standby begins with an empty data folder", h.cluster()))
	}
	if err := os.WriteFile(h.passwordFile(), []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the password: %w", err)
	}
	draft := h.cluster() + ".new" // so that it is there whole or not at all
	if err := os.RemoveAll(draft); err != nil {
		return "", fmt.Errorf("clear a half-made copy: %w", err)
	}
	if err := h.owner.mkdir(draft); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, bin.path("pg_basebackup"), // #nosec G204 -- a path we found
		"--pgdata="+draft, "--host="+u.Hostname(), "--port="+u.Port(), "--username="+u.User.Username(),
		"--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-password")
	h.owner.command(cmd)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err = options.start(cmd); err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return "", fmt.Errorf("copy the primary: pg_basebackup: %w\n%s", err, &out)
	}
	if err := os.Rename(draft, h.cluster()); err != nil {
		return "", fmt.Errorf("move the copy into place: %w", err)
	}
	return password, nil
}
