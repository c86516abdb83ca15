package scale

import (
	"fmt"

	"gorgone/internal/lab/disk"
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
	used, err := disk.Used(s.dir)
	if err != nil {
		return fmt.Errorf("look how large %s is: %w", s.dir, err)
	}
	free, err := disk.Free(s.Dir)
	if err != nil {
		return fmt.Errorf("look how much room %s has: %w", s.Dir, err)
	}
	s.Log.Info().Int("tracked", s.result.Tracked).Str("needs", disk.Gigabytes(need)).Str("has", disk.Gigabytes(used)).Str("free", disk.Gigabytes(free)).Msg("disk")
	if need-used > free {
		return fmt.Errorf("a database of %d tracked tweets needs %s and %s has %s free: name another folder with --dir, or build a smaller one with --tracked or --points",
			s.result.Tracked, disk.Gigabytes(need-used), s.Dir, disk.Gigabytes(free))
	}
	return nil
}
