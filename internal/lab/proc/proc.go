// Package proc reads what Linux tells of the processes that the lab runs.
package proc

import (
	"fmt"
	"os"
	"strings"
)

// PeakMemory is the largest resident set that a process had, in bytes, from /proc; 0 where
// there is none. What wait4 returns is of no use: it begins with the parent's.
func PeakMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kib int64
			if _, err := fmt.Sscanf(rest, "%d kB", &kib); err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

// Usage is what a process uses at one moment.
type Usage struct {
	Memory  int64 // bytes of its resident set
	Files   int   // open files and connections
	Threads int
}

// UsageOf reads what a process uses from /proc; ok is false where there is none.
func UsageOf(pid int) (u Usage, ok bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, false
	}
	for line := range strings.Lines(string(status)) {
		var n int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &n); err == nil {
			u.Memory = n << 10
		}
		if _, err := fmt.Sscanf(line, "Threads: %d", &n); err == nil {
			u.Threads = int(n)
		}
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	u.Files = len(files)
	return u, err == nil && u.Memory > 0
}

// PrivateMemory is how many bytes a process has for itself alone: of a Postgres backend all
// but the shared buffers. 0 where there is no /proc.
func PrivateMemory(pid int) (bytes int64) {
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(rollup)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "Private_Dirty: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}
