package twitter

import (
	"errors"
	"fmt"
	"time"

	"gorgone/engagement"
)

// Answer is what a look-up learnt. Every unique id that was asked for is in
// exactly one of Found, Missing and Unresolved.
//
// A call may find nothing at all. That is more likely a fault of the provider than
// the end of every tweet in it; the caller decides, call by call.
type Answer struct {
	Found      []Found
	Missing    []Missing
	Unresolved []Unresolved

	// Embedded are tweets that were not asked for and came, with all their counts, inside
	// those that were. A tweet that several embed is there several times.
	Embedded []Embedded

	// Strays is the number of tweets in the answers that were not asked for: their ids may
	// be wrong, and a tweet that is missing may be one of them.
	Strays int

	// Provider is who answered, as the client names it.
	Provider string
	// Calls is the number of HTTP calls made, failed ones included.
	Calls int
	// Took is the time that these calls took together, the wait for a turn left out.
	Took time.Duration
	// Billed is the number of tweets the provider bills for the calls that gave an
	// answer: those it returned, asked for or not. twitterapi.io bills a call that
	// returned none as one tweet. An answer that could not be read may have been
	// billed too and is not counted.
	Billed int
	// Reads are tweets of Billed that the provider charges for once a UTC day: whether it
	// did before only those know who know the day's other reads. Empty where each look-up is
	// charged for.
	Reads []Read
	// Lost is the number of tweets that may have been billed beside: those asked for in
	// calls that were sent and whose answer did not come, or could not be read.
	Lost int
	// LostReads are those of Lost where the provider charges once a UTC day: it charges for none
	// that the key has read on that day.
	LostReads []Read
}

// Read is a tweet that was returned, whether or not it was asked for and can be used.
type Read struct {
	TweetID int64
	At      time.Time // when the call began, by the clock of [Config]
}

// Found is a tweet with its counters.
type Found struct {
	ID      string
	Metrics engagement.Metrics // at least one count is known
	// Unreadable lists the counters that ought to have a count and do not: they are absent.
	// Views and bookmarks may be absent without being listed.
	Unreadable []engagement.Counter

	CreatedAt time.Time // when it was posted, by the provider; zero when not given or not readable
	At        time.Time // when the call began, by the clock of [Config]
	Call      int       // which call of the look-up gave it, from 1
}

// Missing is a tweet that a valid answer lacked.
type Missing struct {
	ID string
	// Reason is the provider's, one of the Reason constants. It is empty when the
	// provider left the tweet out without a word, as twitterapi.io does nearly always.
	Reason string
	At     time.Time // when the call began, by the clock of [Config]
	Call   int       // which call of the look-up lacked it, from 1
}

// Reasons for leaving out a tweet, as the X API gives them.
const (
	ReasonNotFound      = "resource-not-found"          // deleted, or never existed
	ReasonNotAuthorized = "not-authorized-for-resource" // account protected or suspended
	ReasonUnavailable   = "resource-unavailable"        // withheld from view
	ReasonDisallowed    = "disallowed-resource"         // breaks X's rules
)

// Unresolved is a tweet about which nothing was learnt.
type Unresolved struct {
	ID string
	// Err says why. It wraps [engagement.ErrTweetID] for text that is not an id,
	// [ErrMalformed] for an unusable element of an answer, else the error of the call
	// that failed; with [ErrNotAsked] too when the id was not part of that call.
	Err error
}

// ErrNotAsked marks ids that were not sent because a call before theirs failed.
var ErrNotAsked = errors.New("not asked")

// ErrTooManyIDs is returned by LookupOnce when the provider refused a call only for
// the number of its ids.
var ErrTooManyIDs = errors.New("too many ids in one call")

// checked returns the unique well-formed ids in order, and records the others as
// unresolved.
func (a *Answer) checked(ids []string) []string {
	seen := make(map[string]struct{}, len(ids))
	valid := make([]string, 0, len(ids))
	for _, id := range ids {
		if _, again := seen[id]; again {
			continue
		}
		seen[id] = struct{}{}
		if err := engagement.CheckTweetID(id); err != nil {
			a.Unresolved = append(a.Unresolved, Unresolved{ID: id, Err: err})
			continue
		}
		valid = append(valid, id)
	}
	return valid
}

// giveUp records the ids of a failed call, and those that come after it.
func (a *Answer) giveUp(asked, rest []string, err error) {
	for _, id := range asked {
		a.Unresolved = append(a.Unresolved, Unresolved{ID: id, Err: err})
	}
	if len(rest) == 0 {
		return
	}
	notAsked := fmt.Errorf("%w: an earlier call failed: %w", ErrNotAsked, err)
	for _, id := range rest {
		a.Unresolved = append(a.Unresolved, Unresolved{ID: id, Err: notAsked})
	}
}
