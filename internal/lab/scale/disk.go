package scale

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// What a database takes, with its indexes, in bytes: measured, and a fifth more. The log
// has its own bound, which is reached at large sizes only.
const (
	tweetBytes = 1700 // a tweet with its tracking row, and room to sort its indexes
	pointBytes = 330  // a point of history
	fixedBytes = 300 << 20
	logBytes   = 4 << 30
)

// diskNeeded is how many bytes a database takes at most while it is built and measured.
func diskNeeded(tracked int, points float64) int64 {
	rows := int64(tracked)*tweetBytes + int64(float64(tracked)*points)*pointBytes
	return fixedBytes + rows + min(logBytes, rows)
}

// checkDisk says what is needed, and returns an error when the disk has less. What an
// earlier run has built counts as there.
func (s *size) checkDisk() error {
	need := diskNeeded(s.result.Tracked, s.Points)
	used, err := sizeOf(s.dir)
	if err != nil {
		return fmt.Errorf("look how large %s is: %w", s.dir, err)
	}
	free, err := freeDisk(s.Dir)
	if err != nil {
		return fmt.Errorf("look how much room %s has: %w", s.Dir, err)
	}
	s.Log.Info().Int("tracked", s.result.Tracked).Str("needs", gigabytes(need)).Str("has", gigabytes(used)).Str("free", gigabytes(free)).Msg("disk")
	if need-used > free {
		return fmt.Errorf("a database of %d tracked tweets needs %s and %s has %s free: name another folder with --dir, or build a smaller one with --tracked or --points",
			s.result.Tracked, gigabytes(need-used), s.Dir, gigabytes(free))
	}
	return nil
}

func gigabytes(n int64) string { return fmt.Sprintf("%.1f GB", float64(n)/1e9) }

// freeDisk is how many bytes may still be written to the file system of a folder.
func freeDisk(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // their types differ between systems
}

// sizeOf is how many bytes the files of a folder have; 0 when there is none. Files that go
// away meanwhile do not count.
func sizeOf(dir string) (sum int64, err error) {
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
