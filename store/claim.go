package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/budget"
	"gorgone/store/keys"
	"gorgone/store/postgres"
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

	// Key, when not nil, is asked under the claim lock what may be claimed for a key: of a
	// client, or the shared one ([keys.Shared]).
	Key func(client uuid.UUID) KeyState
}

// KeyState is what may be claimed to be looked up by a key.
type KeyState = keys.State

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
	Parked  int // due rows put with their zone, which is inactive, or with none: they have no tweet to ask for

	Closed  string // why nothing may be claimed now: a budget is used up, or the time is in doubt; "" otherwise
	Busy    bool   // another claim was under way; nothing was done
	Limited bool   // the allowance was less than what was asked for
	MoreDue bool   // unclaimed due rows were left, for whatever reason; unknown (false) when Closed or Busy
	KeyFull bool   // due rows were left that are for a client's own key, and may be claimed once it has answered others

	Outstanding Outstanding // before this claim; of the shared key
}

// Batch is a number of tweets claimed together, to be given to one worker.
type Batch struct {
	ClaimID   uuid.UUID
	Key       uuid.UUID // whose key looks it up: a client's, or [keys.Shared]
	At        time.Time // engine time of the claim
	Until     time.Time // engine time at which the lease ends
	OldestDue time.Time // earliest due time among its rows
	Tweets    []ClaimedTweet
}

// ClaimedTweet is one tweet to look up, and the rows that the answer serves.
type ClaimedTweet struct {
	TweetID string
	Rows    []uuid.UUID           // ids of twitter_tweets
	Prior   engagement.PriorState // what was known of it when it was claimed
}

// Rows returns the ids of all rows in the batch.
func (b Batch) Rows() []uuid.UUID {
	var rows []uuid.UUID
	for _, t := range b.Tweets {
		rows = append(rows, t.Rows...)
	}
	return rows
}

// shares says what of the batch counts for which zone with a cap.
func (b Batch) shares(tab *budget.Tab) *string {
	if tab == nil {
		return nil
	}
	tweets := make([][]uuid.UUID, len(b.Tweets))
	for i, t := range b.Tweets {
		tweets[i] = t.Rows
	}
	return tab.Shares(tweets, budget.MostBilled(len(tweets), 1))
}

// Claim leases due rows and groups them into batches. One claim runs at a time
// over all processes: who comes second gets Busy and no error.
//
// Rows are taken in due order, the longest overdue first. All other live rows of
// the same tweet are leased with it, due or not, so that one look-up serves them
// all. A tweet is in one batch only, unless it has more rows than BatchRows. Rows
// whose zone is inactive are never handed out: they wait as they are, at no cost, and are
// claimed as soon as it is active.
func (s *Store) Claim(ctx context.Context, req ClaimRequest) (Claimed, error) {
	if err := req.validate(); err != nil {
		return Claimed{}, err
	}
	if err := s.readPolicies(ctx, false); err != nil {
		return Claimed{}, err
	}
	if err := s.clock.Agrees(); err != nil {
		return Claimed{Closed: err.Error()}, nil //nolint:nilerr // that claims are closed is an answer, not a failure
	}
	var claimed Claimed
	err := s.transactInTime(ctx, "claim due tweets", func(ctx context.Context, t *postgres.Tx) error {
		now := s.clock.Now()
		claimed = Claimed{}
		spending, tenants := Spending{At: now, Budget: s.options.Budget}, s.tenants()
		var books budget.Books
		queues := keys.NewQueues(s.keys(), req.BatchTweets, req.Key)
		free, err := s.enterClaim(ctx, t, &claimed.Outstanding, &spending, tenants, &books, queues)
		if err != nil {
			return err
		}
		if !free {
			claimed.Busy = true
			return nil
		}
		if which, until := spending.Exhausted(); which != "" {
			queues.StopShared(fmt.Sprintf("%s is used up; the next begins at %s", which, until.Format(time.RFC3339)))
		}
		if claimed.Closed = queues.Closed(); claimed.Closed != "" {
			return nil
		}
		want := req.Tweets
		if req.Allowance != nil {
			want = min(want, max(req.Allowance(claimed.Outstanding), 0))
			claimed.Limited = want < req.Tweets
		}
		queues.Shared.Want = min(want, budget.Affordable(spending.left(), s.dearest(), req.BatchTweets))
		tab := budget.NewTab(tenants, books, s.dearest(), req.BatchTweets)
		until := now.Add(s.clock.Engine(req.Lease)).Truncate(time.Microsecond)
		taken, err := s.takeDue(ctx, t, now, queues, req.Lease, tab, &claimed)
		if err != nil {
			return err
		}
		for _, q := range queues.All() {
			batches, err := pack(q.Key, taken[q.Key], q.Batch, req.BatchRows, now, until)
			if err != nil {
				return err
			}
			claimed.Batches, claimed.Tweets = append(claimed.Batches, batches...), claimed.Tweets+len(taken[q.Key])
		}
		if len(claimed.Batches) == 0 {
			return nil
		}
		return lease(ctx, t, &claimed, tab, now)
	})
	if err != nil {
		return Claimed{}, err
	}
	return claimed, nil
}

func (r ClaimRequest) validate() error {
	if r.Tweets < 1 || r.BatchTweets < 1 || r.BatchRows < 1 || r.Lease <= 0 {
		return fmt.Errorf("claim of %d tweets in batches of %d tweets and %d rows for %s: all must be positive",
			r.Tweets, r.BatchTweets, r.BatchRows, r.Lease)
	}
	return nil
}

// claimLock is the key of the lock that lets one claim run at a time. It is an
// arbitrary number ("claim" in hexadecimal ASCII).
const claimLock = 0x636c61696d

// enterClaim takes the claim lock until the end of the transaction, unless
// another claim has it, and reads under it what is outstanding, and what was spent if
// there is a budget. With caps it keeps refreshes off too, which spend the same money.
func (s *Store) enterClaim(ctx context.Context, t *postgres.Tx, o *Outstanding, spending *Spending, tenants *budget.Tenants, books *budget.Books, queues *keys.Queues) (bool, error) {
	const lock = `
		select case when pg_try_advisory_xact_lock($1::int8)
			then case when $2::bool then pg_advisory_xact_lock($3::int8)::text is not null else true end else false end`
	var free bool
	b := t.Group()
	b.Queue(lock, int64(claimLock), tenants.Capped(), int64(refreshBudgetLock)).QueryRow(func(r pgx.Row) error { return r.Scan(&free) })
	if len(queues.Own) == 0 {
		QueueOutstanding(b, s.clock, spending.At, o)
	} else {
		queueOutstanding(b, s.clock, spending.At, bySharedKey, o)
		keys.QueueOutstanding(b, spending.At, aheadBy, queues.Outstanding)
	}
	if tenants.Capped() {
		tenants.QueueCommit(b, s.ledgerOf(spending.At), books)
	}
	if spending.Budget.Day > 0 || spending.Budget.Month > 0 {
		s.queueReadSpending(b, spending)
	}
	if err := t.Send(ctx, b); err != nil {
		return false, fmt.Errorf("take the claim lock: %w", err)
	}
	return free, nil
}

// lease writes the claims of the batches and records them.
func lease(ctx context.Context, t *postgres.Tx, claimed *Claimed, tab *budget.Tab, now time.Time) error {
	const sql = `
		update public.twitter_engagement_tracking k set claim_id = ($2::uuid[])[u.batch], claimed_until = $3::timestamptz
		from unnest($1::uuid[], $4::int4[]) u (id, batch)
		where k.tweet_db_id = u.id`
	var (
		ids, batches     []uuid.UUID
		of, tweets, rows []int32
		shares           []*string
		whose            keys.Column
	)
	for _, batch := range claimed.Batches {
		own := batch.Rows()
		ids = append(ids, own...)
		batches = append(batches, batch.ClaimID)
		for range own {
			of = append(of, int32(len(batches))) // #nosec G115 -- a few
		}
		tweets = append(tweets, int32(len(batch.Tweets))) // #nosec G115 -- at most ClaimRequest.BatchTweets
		rows = append(rows, int32(len(own)))              // #nosec G115 -- at most ClaimRequest.BatchRows
		shares = append(shares, batch.shares(tab))
		whose.Add(batch.Key)
	}
	claimed.Rows = len(ids)
	until := claimed.Batches[0].Until
	b := t.Group()
	b.Queue(sql, ids, batches, until, of).Exec(postgres.Wrote(len(ids), "claims"))
	b.Queue(insertBatches, batches, tweets, rows, now, until, shares, whose.Values()).Exec(postgres.Wrote(len(batches), "batches"))
	if err := t.Send(ctx, b); err != nil {
		return fmt.Errorf("write the claims: %w", err)
	}
	return nil
}
