package app

import (
	"context"

	"gorgone/store/untracked"
)

// mostInserted is how many inserted tweets a round of the housekeeping tracks: what is left
// follows in the next.
const mostInserted = 20_000

// TrackInserted tracks tweets that the product has inserted, while they are young enough to be
// looked up more than once.
func (d *Database) TrackInserted(ctx context.Context) (int, error) {
	return d.Untracked.Track(ctx, untracked.Query{Since: d.Clock.Now().Add(-d.Horizon), Limit: mostInserted})
}
