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

// Outcome says what a result did to one row.
type Outcome string

// The outcomes.
const (
	// OutcomeApplied: the observation was written.
	OutcomeApplied Outcome = "applied"
	// OutcomeMissing: a miss was recorded, the row is looked up again later.
	OutcomeMissing Outcome = "missing"
	// OutcomeDeleted: the tweet is gone, by this miss or an earlier one, and is not
	// looked up any more. The reason is the row's.
	OutcomeDeleted Outcome = "deleted"
	// OutcomeUnproven: the answer lacked the tweet, which proves nothing. Treated as
	// unresolved.
	OutcomeUnproven Outcome = "unproven"
	// OutcomeUnresolved: a failure was recorded, the row is looked up again later.
	OutcomeUnresolved Outcome = "unresolved"
	// OutcomeOutOfRange: the counts do not fit the database. Treated as unresolved.
	OutcomeOutOfRange Outcome = "out_of_range"
	// OutcomeZeroed: every counter was 0, through the provider's fault. Treated as
	// unresolved.
	OutcomeZeroed Outcome = "zeroed"
	// OutcomeFuture: the observation lies ahead of the clock. Treated as unresolved.
	OutcomeFuture Outcome = "future"
	// OutcomeStale: the row has a newer observation; this one was dropped.
	OutcomeStale Outcome = "stale"
	// OutcomeLostClaim: the row is no longer the claim's; nothing was written.
	OutcomeLostClaim Outcome = "lost_claim"
	// OutcomeVanished: the row does not exist any more.
	OutcomeVanished Outcome = "vanished"
	// OutcomeNewer: the row was observed after the refresh was asked for, and
	// is reported as it is.
	OutcomeNewer Outcome = "already_newer"
)

// RowOutcome is what became of one row.
type RowOutcome struct {
	Row     uuid.UUID // id of twitter_tweets
	ZoneID  uuid.UUID // zero when the row is not held or has vanished
	TweetID string
	Outcome Outcome
	Reason  string // why, for outcomes other than applied; may be empty

	// Before and After are the row's state. They are equal when nothing was
	// written, and empty for a lost claim and a vanished row.
	Before, After engagement.Tracking

	// Forecast is where the counts will be, nil when none was made.
	Forecast *engagement.Forecast

	// Snapshot is the point added to the history, nil when there was none.
	Snapshot *engagement.Snapshot
}

// TierChanged reports whether the row moved to another tier.
func (o RowOutcome) TierChanged() bool { return o.Before.Tier != o.After.Tier }

// Applied is the result of [Store.Apply] and [Store.ApplyRefresh].
type Applied struct {
	Rows []RowOutcome

	// Zeroed is the number of tweets in answers where counters had fallen to 0
	// through the provider's fault. Nothing of these counters was written.
	Zeroed int

	// Untracked lists refreshed tweet ids that no active zone tracks.
	Untracked []string
}

// Count returns the number of rows with the outcome.
func (a Applied) Count(o Outcome) int {
	n := 0
	for i := range a.Rows {
		if a.Rows[i].Outcome == o {
			n++
		}
	}
	return n
}
