package app

import (
	"runtime/debug"
	"testing"

	"gorgone/internal/testkit"
)

// TestTheEnvironmentDecidesOnTheCollector: what the user has set stays, and what is left
// open is set.
func TestTheEnvironmentDecidesOnTheCollector(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
	t.Setenv("GOGC", "")
	testkit.Must(t, TuneGC())
	if got := debug.SetGCPercent(50); got != gcPercent {
		t.Errorf("GOGC is %d, want %d", got, gcPercent)
	}
	debug.SetMemoryLimit(1 << 30)
	t.Setenv("GOGC", "50")
	t.Setenv("GOMEMLIMIT", "1GiB")
	testkit.Must(t, TuneGC())
	if got := debug.SetGCPercent(50); got != 50 {
		t.Errorf("GOGC is %d although the environment says 50", got)
	}
	if got := debug.SetMemoryLimit(-1); got != 1<<30 {
		t.Errorf("the memory limit is %d although the environment says 1 GiB", got)
	}
}
