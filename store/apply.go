package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/bill"
	"gorgone/store/postgres"
)

// Work is the answer to a batch, or to a part of it.
type Work struct {
	ClaimID uuid.UUID
	Results []Result
	Calls   []Calls // by provider, made for it since the last part was applied; kept with the batch. See [bill.Identify]
}

// Result is the answer about one tweet.
type Result struct {
	TweetID     string
	Rows        []uuid.UUID
	Kind        Kind
	Observation engagement.Observation // for Found; for Missing and Unproven, when the look began
	Reason      string                 // for the others; of Missing, the provider's; may be empty
	Call        int                    // results of one call have the same
	Unreadable  bool                   // for Found: a counter of the tweet could not be read
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
	if err := s.readPolicies(ctx, false); err != nil {
		return Applied{}, err
	}
	ids := work.rows()
	if len(ids) == 0 {
		return Applied{}, nil
	}
	s.prepareAbsences(ctx, slices.ContainsFunc(work.Results, func(r Result) bool { return r.Kind == Missing }))
	var applied Applied
	err := s.transactRows(ctx, "apply a batch", func(ctx context.Context, t *postgres.Tx, required map[string]bool) error {
		watch := s.options.Watcher.Watch()
		usual := work.provider()
		held, err := lockRows(ctx, t, lockClaimed, []any{ids, work.ClaimID, usual}, lockAnswered, []any{ids}, func(b *pgx.Batch) { watch.QueueRead(b, Locked{Rows: ids}) })
		if err != nil {
			return err
		}
		work.complete(held, usual)
		now := s.clock.Now()
		var count settled
		applied, count = s.decideWork(work, held, now)
		if err := watch.Decide(ctx, t, applied.Rows, now); err != nil {
			return err
		}
		if count.spent, err = bill.Charge(ctx, t, work.Calls); err != nil {
			return err
		}
		b := t.Group()
		if err := queueWrites(b, applied.writes(), required, now); err != nil {
			return err
		}
		if err := s.queuePredictions(b, applied.Rows); err != nil {
			return err
		}
		watch.QueueWrites(b, now)
		queueSettled(b, work.ClaimID, count, now)
		queueSpending(b, count.spent, zoneShares(applied.Rows), false, now)
		if b.Len() == 0 {
			return nil
		}
		return t.Send(ctx, b)
	})
	if err != nil {
		return Applied{}, err
	}
	return applied, nil
}

const (
	// lockClaimed selects the rows among $1 that are the claim's: the fence. What the caller
	// knows is not sent: the claim, and the provider where it is $3.
	lockClaimed = `
		select null::uuid, case when k.snapshot_provider = $3::text then null else coalesce(k.snapshot_provider, '') end, ` + trackingColumns + ` from public.twitter_engagement_tracking k
		where k.tweet_db_id = any($1::uuid[]) and k.claim_id = $2::uuid
		order by k.tweet_db_id for update`

	lockNamed = `
		select ` + tweetColumns + ` from public.twitter_tweets w
		where w.id = any($1::uuid[])
		order by w.id for no key update`

	// lockAnswered is lockNamed for those who know the tweets' ids.
	lockAnswered = `
		select w.id, w.zone_id, '', ` + tweetRest + ` from public.twitter_tweets w
		where w.id = any($1::uuid[])
		order by w.id for no key update`
)

// provider returns who gave the counts, of the first result that has some.
func (w Work) provider() string {
	for i := range w.Results {
		if w.Results[i].Kind == Found {
			return w.Results[i].Observation.Provider
		}
	}
	return ""
}

// complete adds to the rows what was not read of them, because the work has it.
func (w Work) complete(held locked, usual string) {
	for i := range w.Results {
		for _, id := range w.Results[i].Rows {
			if r := held.rows[id]; r != nil {
				r.tweetID, r.tracking.TweetID = w.Results[i].TweetID, w.Results[i].TweetID
				if r.usual {
					r.tracking.Provider = usual
				}
			}
		}
	}
}

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

// decideWork decides on every row of the work, and counts for the batch's record.
func (s *Store) decideWork(work Work, held locked, now time.Time) (Applied, settled) {
	var (
		applied Applied
		count   settled
	)
	zeroed := work.zeroed(held)
	for _, result := range work.Results {
		answered := false
		doubted := result.Kind == Found && zeroed[result.Call].Any()
		if doubted {
			applied.Zeroed++
		}
		for _, id := range result.Rows {
			out := AppliedRow{Row: id, TweetID: result.TweetID, Outcome: engagement.RowLostClaim}
			switch r := held.rows[id]; {
			case r != nil:
				out = s.decide(r, result.Kind, result.Observation, result.Reason, zeroed[result.Call], now)
				delete(held.rows, id) // named twice: the second has no claim any more
				answered = true
				count.rows++
			case !held.exists[id]:
				out.Outcome = engagement.RowVanished
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
			if doubted || result.Unreadable {
				count.oddCounts++
			}
		case Missing:
			count.missing++
		default:
			count.unresolved++
		}
	}
	return applied, count
}

// zeroed looks for what is not to be believed in each call of the work.
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
		c[call] = append(c[call], engagement.NewChange(r.tracking, o))
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
		case engagement.RowLostClaim, engagement.RowVanished, engagement.RowNewer:
		default:
			writes = append(writes, write{outcome: &a.Rows[i], unclaim: true})
		}
	}
	return writes
}
