// Package disk says how much room a folder takes, and has left, so that a run of the lab
// that would fill the disk does not begin.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Gigabytes writes bytes for people.
func Gigabytes(n int64) string { return fmt.Sprintf("%.1f GB", float64(n)/1e9) }

// Free is how many bytes may still be written to the file system of a folder.
func Free(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // their types differ between systems
}

// Used is how many bytes the files of a folder have; 0 when there is none. Files that go
// away meanwhile do not count.
func Used(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				sum += info.Size()
			}
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	return sum, err
}
