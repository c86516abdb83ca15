package app

import (
	"strings"
	"testing"

	"gorgone/internal/config"
)

// TestABurstOfLinesIsSampled: warnings are never left out.
func TestABurstOfLinesIsSampled(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log := NewLogger(&out, config.Log{Level: "info", Burst: 10})
	for range 500 {
		log.Info().Msg("batch")
		log.Warn().Msg("trouble")
	}
	batches, troubles := strings.Count(out.String(), "batch"), strings.Count(out.String(), "trouble")
	// The burst may fall into several seconds, and then counts for each.
	if batches < 14 || batches > 100 || troubles != 500 {
		t.Errorf("%d lines of info and %d warnings of 500 each", batches, troubles)
	}
}
