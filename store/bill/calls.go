// Package bill is what calls cost: how it is added up, and which of the tweets that calls
// returned are charged for, where a provider charges for a tweet once a day however often it
// is read.
package bill

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"gorgone/store/postgres"
)

// The purposes of calls, by which the ledger tells them apart.
const (
	PurposeSchedule = "schedule"
	PurposeRefresh  = "refresh"
	PurposeControl  = "control" // to see whether answers can be believed, or come at all
	PurposeRetry    = "retry"   // of tweets that were asked for before in the same look-up
)

// Calls is what look-ups cost at one provider.
type Calls struct {
	Provider string        // empty in a sum over all
	Purpose  string        // empty: what the schedule or a user wanted
	Count    int           // HTTP calls, failed ones included
	Failed   int           // of those
	Time     time.Duration // real time that they took together
	Billed   int           // tweets that the provider bills for them at each look-up
	Reads    Reads         // tweets that it bills unless the key has read them on that day
	Canaries int           // tweets asked for only to see whether the answers can be believed
	Lost     int           // tweets that may have been billed beside: the answers to their calls were lost
	Client   uuid.UUID     // whose key they were made with; zero: the shared one
	UsageID  uuid.UUID     // names them: the ledger takes what has the same name once, however often it is written; zero: each time
}

// Identify names calls that have no name yet, so that they may be written again when it is
// not known whether they were.
func Identify(spent []Calls) {
	for i := range spent {
		if spent[i].UsageID == uuid.Nil {
			spent[i].UsageID = uuid.New()
		}
	}
}

// Add adds to the calls of each provider, client, purpose, key and day that have no name yet: those
// that have one may be written already.
func Add(all []Calls, c Calls) []Calls {
	if c.Count == 0 && c.Billed == 0 && c.Canaries == 0 && c.Lost == 0 && len(c.Reads.Tweets) == 0 && len(c.Reads.Lost) == 0 {
		return all
	}
	i := slices.IndexFunc(all, func(o Calls) bool {
		return o.Provider == c.Provider && o.Client == c.Client && o.Purpose == c.Purpose && o.Reads.same(c.Reads) && o.UsageID == uuid.Nil
	})
	if i < 0 {
		c.Reads.Tweets, c.Reads.Lost = slices.Clone(c.Reads.Tweets), slices.Clone(c.Reads.Lost)
		return append(all, c)
	}
	all[i].add(c)
	return all
}

func (c *Calls) add(o Calls) {
	c.Count, c.Failed, c.Time = c.Count+o.Count, c.Failed+o.Failed, c.Time+o.Time
	c.Billed, c.Canaries, c.Lost = c.Billed+o.Billed, c.Canaries+o.Canaries, c.Lost+o.Lost
	c.Reads.Tweets = append(c.Reads.Tweets, o.Reads.Tweets...)
	c.Reads.Lost = append(c.Reads.Lost, o.Reads.Lost...)
}

// Total is the sum over all providers and purposes, without reads.
func Total(all []Calls) (sum Calls) {
	for _, c := range all {
		c.Reads, c.Client = Reads{}, uuid.Nil
		sum.add(c)
	}
	return sum
}

// Charge returns calls with all that their providers charge for in Billed: of those that
// have reads also the tweets that were not yet read by the key on that day. These are noted in
// the transaction, whose end one that charges for the same tweets waits for. In Lost are then
// also the tweets of lost answers that the key has not read on that day.
func Charge(ctx context.Context, t *postgres.Tx, spent []Calls) ([]Calls, error) {
	if !slices.ContainsFunc(spent, func(c Calls) bool { return len(c.Reads.Tweets)+len(c.Reads.Lost) > 0 }) {
		return spent, nil
	}
	fresh, lost, err := enter(ctx, t, spent)
	if err != nil {
		return nil, fmt.Errorf("find what is charged for: %w", err)
	}
	spent = slices.Clone(spent)
	for i := range spent {
		spent[i].Billed, spent[i].Lost = spent[i].Billed+fresh[i], spent[i].Lost+lost[i]
	}
	return spent, nil
}
