package alert

import (
	"time"

	"github.com/google/uuid"
)

// StalledStatement is the statement that looks for stalled tweets in the zones, and
// its arguments.
func StalledStatement(zones []uuid.UUID, before time.Time) (sql string, args []any) {
	times := make([]time.Time, len(zones))
	for i := range times {
		times[i] = before
	}
	return selectStalled, []any{zones, times, manyStalled}
}
