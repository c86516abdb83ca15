package engagement

import "time"

// Population counts how the tweets of all zones stand, whichever replica looked them
// up.
type Population struct {
	Live    int // most tweets that were looked after at one time within [PopulationMemory]
	Missing int // tweets that answers lack and that do not count as deleted yet
	Gone    int // tweets that were called gone within [GoneWindow]
}

const (
	// PopulationMemory is how far back the largest number of live tweets is sought. It is
	// longer than the misses of a tweet must go on, so that tweets that went cold
	// with age meanwhile do not make those that are missing look like many.
	PopulationMemory = 72 * time.Hour

	// GoneWindow is how long a tweet that was called gone is counted.
	GoneWindow = 6 * time.Hour
)

const (
	// heldShare is the share of tweets, missing and lately gone together, above which
	// deletions are held; they are held until it has fallen below releasedShare.
	heldShare     = 0.05
	releasedShare = 0.04
)

// Share is the share of tweets that are missing or were lately called gone, from 0 to 1.
func (p Population) Share() float64 {
	affected := p.Missing + p.Gone
	if affected == 0 {
		return 0
	}
	return float64(affected) / float64(max(p.Live, affected))
}

// Held reports whether more tweets are missing than ever really go at once, so that the
// provider rather than their authors must be suspected: no tweet may be called gone
// on the usual evidence. before is whether it was so until now. Fewer than ten tweets are
// no population.
func (p Population) Held(before bool) bool {
	limit := heldShare
	if before {
		limit = releasedShare
	}
	return p.Missing+p.Gone >= minSample && p.Share() > limit
}
