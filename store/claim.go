package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// ClaimRequest says how much to claim.
type ClaimRequest struct {
	Tweets      int           // most tweets to claim in all; at least 1
	BatchTweets int           // most tweets a batch; at least 1
	BatchRows   int           // most rows a batch; at least 1
	Lease       time.Duration // real time a batch is held for

	// Allowance, when not nil, is asked under the claim lock how many tweets may
	// be claimed now, given what is outstanding.
	Allowance func(Outstanding) int
}

// Outstanding is what has been claimed and not been answered yet.
type Outstanding struct {
	Batches       int     // open batches with a live lease
	Tweets        int     // tweets of those still to be answered
	DonePerSecond float64 // tweets answered a real second, over the last minute
}

// Claimed is the result of [Store.Claim].
type Claimed struct {
	Batches []Batch
	Tweets  int // tweets in Batches
	Rows    int // rows in Batches
	Parked  int // due rows put off because their zone is inactive

	Busy    bool // another claim was under way; nothing was done
	Limited bool // the allowance was less than what was asked for
	MoreDue bool // rows that are due were left for the next claim

	Outstanding Outstanding // before this claim
}

// Batch is a number of tweets claimed together, to be given to one worker.
type Batch struct {
	ClaimID   uuid.UUID
	Until     time.Time // engine time at which the lease ends
	OldestDue time.Time // earliest due time among its rows
	Tweets    []ClaimedTweet
}

// ClaimedTweet is one tweet to look up, and the rows that the answer serves.
type ClaimedTweet struct {
	TweetID string
	Rows    []uuid.UUID // ids of twitter_tweets
}

// Rows returns the ids of all rows in the batch.
func (b Batch) Rows() []uuid.UUID {
	var rows []uuid.UUID
	for _, t := range b.Tweets {
		rows = append(rows, t.Rows...)
	}
	return rows
}

// Claim leases due rows and groups them into batches. One claim runs at a time
// over all processes: who comes second gets Busy and no error.
//
// Rows are taken in due order, the longest overdue first. All other live rows of
// the same tweet are leased with it, due or not, so that one look-up serves them
// all. A tweet is in one batch only, unless it has more rows than BatchRows. Rows
// whose zone is inactive are put off by five minutes and never handed out.
func (s *Store) Claim(ctx context.Context, req ClaimRequest) (Claimed, error) {
	return Claimed{}, errors.ErrUnsupported
}
