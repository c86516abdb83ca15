package app

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent is the process's GOGC when the environment has none, above Go's 100. A
// role holds a few tens of MiB, and makes as much garbage every second under load.
const gcPercent = 150

// TuneGC sets what the garbage collector of this process goes by, where the environment
// leaves it open: GOGC, and GOMEMLIMIT at nine tenths of the memory limit of its cgroup,
// so that a process in a small container collects more often instead of being killed.
func TuneGC() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if _, err := memlimit.Set(); err != nil {
		return fmt.Errorf("set the memory limit of the garbage collector: %w", err)
	}
	return nil
}
