package config

import (
	"strings"
	"testing"

	"gorgone/engagement"
)

// The schedule of GORGONE_TIERS.
func FuzzTierSteps(f *testing.F) {
	f.Add("ultra_hot 1h 10m, hot 4h 30m, warm 12h 1h")
	f.Add("hot -1h 0s")
	f.Add(",,")
	f.Fuzz(func(t *testing.T, value string) {
		var s TierSteps
		if err := s.Decode(value); err != nil {
			return
		}
		if len(s) != strings.Count(value, ",")+1 {
			t.Fatalf("%q became %d steps", value, len(s))
		}
		_, _ = engagement.NewTierPolicy(s) // must not panic, and may refuse
	})
}
