package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// folderLock is held by the process that runs a server in a folder. The kernel
// drops it when the process dies.
type folderLock struct{ file *os.File }

// lockFolder takes the lock of a data folder, or returns [ErrInUse].
func lockFolder(dir string) (*folderLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- our own folder
	if err != nil {
		return nil, fmt.Errorf("open the lock of the data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return &folderLock{file: f}, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s: %w", dir, ErrInUse)
	}
	return nil, fmt.Errorf("lock the data folder: %w", err)
}

func (l *folderLock) release() { _ = l.file.Close() }

// stopOrphan ends a server that an earlier process of ours left running, and
// clears the pid file of one that died. The caller holds the folder's lock, so
// nothing uses that server.
func stopOrphan(ctx context.Context, cluster string, log zerolog.Logger) error {
	pidFile := filepath.Join(cluster, "postmaster.pid")
	text, err := os.ReadFile(pidFile) // #nosec G304 -- our own folder
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the server's pid file: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || !servesCluster(ctx, pid, cluster) {
		// The number may be another process's by now. Postgres would refuse to
		// start if that process were of the same user.
		if err := os.Remove(pidFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a stale pid file: %w", err)
		}
		return nil
	}
	log.Info().Int("pid", pid).Msg("stopping a postgres left running by an earlier process")
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop a postgres left running (process %d): %w", pid, err)
		}
		if waitGone(ctx, pid) {
			return nil
		}
	}
	return fmt.Errorf("a postgres left running (process %d) does not end", pid)
}

// servesCluster reports whether the process is a Postgres started on the cluster.
func servesCluster(ctx context.Context, pid int, cluster string) bool {
	out, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output() // #nosec G204 -- a number
	if err != nil {
		out, err = os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // where there is no ps
	}
	return err == nil && strings.Contains(string(out), "postgres") && strings.Contains(string(out), cluster)
}

// waitGone waits for a process that is not our child to end.
func waitGone(ctx context.Context, pid int) bool {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}
