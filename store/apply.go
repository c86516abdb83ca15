package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
)

// Work is the answer to a batch, or to a part of it.
type Work struct {
	ClaimID uuid.UUID
	Results []Result
	Calls   []Calls // by provider, made for it since the last part was applied; kept with the batch. See [Bill]
}

// Result is the answer about one tweet.
type Result struct {
	TweetID     string
	Rows        []uuid.UUID
	Kind        Kind
	Observation engagement.Observation // for Found; for Missing and Unproven, when the look began
	Reason      string                 // for the others; of Missing, the provider's; may be empty
	Call        int                    // results of one call have the same
}

// Apply writes the results of a batch in one transaction, and clears its claim.
// A row is written only while the claim is still the batch's own, so that
// applying the same work twice, or after the lease has ended and another worker
// has taken over, changes nothing the second time. Rows are independent: one
// with counts out of range, lost or deleted is reported in Applied, and the rest
// is written.
//
// A batch may be applied in parts. Deadlocks and serialization failures are tried
// again a few times. An error means that nothing was written, unless the
// connection broke during the commit; calling again is safe either way.
func (s *Store) Apply(ctx context.Context, work Work) (Applied, error) {
	required, err := s.db.required(ctx, &s.shape)
	if err != nil {
		return Applied{}, err
	}
	if err := s.readPolicies(ctx, false); err != nil {
		return Applied{}, err
	}
	ids := work.rows()
	if len(ids) == 0 {
		return Applied{}, nil
	}
	var applied Applied
	err = s.db.transact(ctx, "apply a batch", func(ctx context.Context, t *tx) error {
		held, err := lockRows(ctx, t, lockClaimed, []any{ids, work.ClaimID}, lockNamed, []any{ids}, s.watchedBy(alertsOfRows))
		if err != nil {
			return err
		}
		now := s.clock.Now()
		var count settled
		applied, count = s.judgeWork(work, held, now)
		count.spent = work.Calls
		moves, err := s.judgeAlerts(ctx, t, applied.Rows, held, now)
		if err != nil {
			return err
		}
		b := t.group()
		if err := queueWrites(b, applied.writes(), required, now); err != nil {
			return err
		}
		moves.queue(b, now)
		queueSettled(b, work.ClaimID, count, now)
		queueSpending(b, work.Calls, zoneShares(applied.Rows), false, now)
		if b.Len() == 0 {
			return nil
		}
		return t.send(ctx, b)
	})
	if err != nil {
		return Applied{}, err
	}
	return applied, nil
}

const (
	// lockClaimed selects the rows among $1 that are the claim's: the fence.
	lockClaimed = `
		select ` + trackingColumns + ` from public.twitter_engagement_tracking k
		where k.tweet_db_id = any($1::uuid[]) and k.claim_id = $2::uuid
		order by k.tweet_db_id for update`

	lockNamed = `
		select ` + tweetColumns + ` from public.twitter_tweets w
		where w.id = any($1::uuid[])
		order by w.id for no key update`
)

// rows returns the ids of all rows, each once.
func (w Work) rows() []uuid.UUID {
	var ids []uuid.UUID
	seen := make(map[uuid.UUID]bool)
	for _, r := range w.Results {
		for _, id := range r.Rows {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// judgeWork decides on every row of the work, and counts for the batch's record.
func (s *Store) judgeWork(work Work, held locked, now time.Time) (Applied, settled) {
	var (
		applied Applied
		count   settled
	)
	zeroed := work.zeroed(held)
	for _, result := range work.Results {
		answered := false
		if result.Kind == Found && zeroed[result.Call].Any() {
			applied.Zeroed++
		}
		for _, id := range result.Rows {
			out := RowOutcome{Row: id, TweetID: result.TweetID, Outcome: OutcomeLostClaim}
			switch r := held.rows[id]; {
			case r != nil:
				out = s.judge(r, result.Kind, result.Observation, result.Reason, zeroed[result.Call], now)
				delete(held.rows, id) // named twice: the second has no claim any more
				answered = true
				count.rows++
			case !held.exists[id]:
				out.Outcome = OutcomeVanished
				count.rows++
				count.skipped++
			}
			applied.Rows = append(applied.Rows, out)
		}
		if !answered {
			continue
		}
		switch result.Kind {
		case Found:
			count.found++
		case Missing:
			count.missing++
		default:
			count.unresolved++
		}
	}
	return applied, count
}

// zeroed looks for counters that fell to 0 across each call of the work.
func (w Work) zeroed(held locked) zeroedCalls {
	changes := make(changedByCall)
	for _, result := range w.Results {
		if result.Kind == Found && len(result.Rows) > 0 {
			changes.add(result.Call, held.rows[result.Rows[0]], result.Observation)
		}
	}
	return changes.zeroed()
}

// changedByCall are the changes that each call of a look-up shows.
type changedByCall map[int][]engagement.Change

func (c changedByCall) add(call int, r *row, o engagement.Observation) {
	if r != nil {
		c[call] = append(c[call], engagement.Change{Before: r.tracking.Metrics, Now: o.Metrics})
	}
}

// zeroedCalls is what is not to be believed of the calls, if anything.
type zeroedCalls map[int]engagement.Zeroed

func (c changedByCall) zeroed() zeroedCalls {
	var bad zeroedCalls
	for call, answer := range c {
		if z := engagement.FindZeroed(answer); z.Any() {
			if bad == nil {
				bad = make(zeroedCalls)
			}
			bad[call] = z
		}
	}
	return bad
}

// writes returns the rows that the outcomes change, all to be unclaimed.
func (a *Applied) writes() []write {
	var writes []write
	for i := range a.Rows {
		switch a.Rows[i].Outcome {
		case OutcomeLostClaim, OutcomeVanished, OutcomeNewer:
		default:
			writes = append(writes, write{outcome: &a.Rows[i], unclaim: true})
		}
	}
	return writes
}
