package store

import (
	"github.com/google/uuid"

	"gorgone/engagement"
)

// Kind says what a look at a tweet ended with.
type Kind int

// The kinds of results. The zero value is Unresolved: nothing is known.
const (
	Unresolved Kind = iota // no answer about the tweet
	Found                  // the tweet and its counts
	Missing                // a valid answer that lacked the tweet
	Unproven               // an answer that lacked it and proves nothing; see engagement.Answer
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Found:
		return "found"
	case Missing:
		return "missing"
	case Unproven:
		return "unproven"
	default:
		return "unresolved"
	}
}

// AppliedRow is what became of one row.
type AppliedRow struct {
	Row     uuid.UUID // id of twitter_tweets
	ZoneID  uuid.UUID // zero when the row is not held or has vanished
	TweetID string
	Outcome engagement.RowOutcome
	Reason  string // why, for outcomes other than applied; may be empty

	// Before and After are the row's state. They are equal when nothing was
	// written, and empty for a lost claim and a vanished row.
	Before, After engagement.Tracking

	// Snapshot is the point added to the history, nil when there was none.
	Snapshot *engagement.Snapshot

	policy *zonePolicy // of the zone; nil unless the row was applied
}

// Forecast computes where the counts of an applied row will be. It is nil for other
// rows and when forecasts are off. Nothing stores it: [Store.Tweet] computes the same
// from the row.
func (o AppliedRow) Forecast() *engagement.Forecast {
	if o.policy == nil {
		return nil
	}
	var last *engagement.Snapshot
	if t := o.Before; !t.SnapshotAt.IsZero() {
		last = &engagement.Snapshot{At: t.SnapshotAt, Metrics: t.Snapshot}
	}
	return o.policy.forecastOf(o.After, last)
}

// Surprise compares what the look-up of an applied row showed with what was expected. It is
// nil for other rows, and where nothing was expected or nothing came.
func (o AppliedRow) Surprise() *engagement.Surprise {
	if o.policy == nil {
		return nil
	}
	s, ok := o.policy.model.Surprise(o.Before, o.After)
	if !ok {
		return nil
	}
	return &s
}

// TierChanged reports whether the row moved to another tier.
func (o AppliedRow) TierChanged() bool { return o.Before.Tier != o.After.Tier }

// Applied is the result of [Store.Apply] and [Store.ApplyRefresh].
type Applied struct {
	Rows []AppliedRow

	// Zeroed is the number of tweets in answers where counters had fallen to 0, or changed
	// as counts do not, through the provider's fault. Nothing of these counters was written.
	Zeroed int

	// Untracked lists refreshed tweet ids that no active zone tracks.
	Untracked []string
}

// Count returns the number of rows with the outcome.
func (a Applied) Count(o engagement.RowOutcome) int {
	n := 0
	for i := range a.Rows {
		if a.Rows[i].Outcome == o {
			n++
		}
	}
	return n
}
