package postgres

import "context"

// ClusterDir returns where the database of a data folder is kept.
func ClusterDir(dataDir string) (string, error) {
	h, err := openHome(dataDir)
	return h.cluster(), err
}

// WaitGone waits until a process has ended.
func WaitGone(ctx context.Context, pid int) bool { return waitGone(ctx, pid) }

// Newest exposes the choice among installed servers: their folder and version.
func Newest(ctx context.Context, dirs []string, major string) (dir, version string, err error) {
	b, err := newest(ctx, dirs, major)
	return b.dir, b.version, err
}

// Download fetches a server from a repository of ours into a folder.
func Download(base, repository string) (dir string, err error) {
	from := downloadSource()
	from.repository, from.cache = repository, base
	return downloadedDir(base), download(downloadedDir(base), base, from)
}
