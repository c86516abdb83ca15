package store

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/bill"
	"gorgone/store/postgres"
)

// RefreshResult is the answer to a refresh request.
type RefreshResult struct {
	TweetID     string
	RequestedAt time.Time // engine time of the request
	Kind        Kind
	Observation engagement.Observation // for Found; for Missing and Unproven, when the look began
	Reason      string                 // for the others; of Missing, the provider's; may be empty
	Call        int                    // results of one call have the same

	// Late says that it answers no refresh, but a batch that has lost its claim: of the
	// requests that are open for the tweet it closes those made before the look-up.
	Late bool
}

// ApplyRefresh writes refreshed counts to all rows of the tweets in active
// zones, live and cold. A row that was observed at or after RequestedAt is left
// and reported as it is. An observation that is written clears the row's claim,
// which drops the answer of a batch in flight; a miss is recorded and leaves the
// claim; a refresh without a usable answer writes nothing. Of two results for one tweet the
// first counts. The same transaction closes the requests that are open for the
// tweets, see [Store.OpenRefresh], and records what the calls cost.
func (s *Store) ApplyRefresh(ctx context.Context, results []RefreshResult, calls ...Calls) (Applied, error) {
	if err := s.readPolicies(ctx, false); err != nil {
		return Applied{}, err
	}
	if len(results) == 0 {
		return Applied{}, nil
	}
	tweets := make([]string, len(results))
	for i, r := range results {
		tweets[i] = r.TweetID
	}
	s.prepareAbsences(ctx, slices.ContainsFunc(results, func(r RefreshResult) bool { return r.Kind == Missing }))
	var applied Applied
	err := s.transactRows(ctx, "apply refreshes", func(ctx context.Context, t *postgres.Tx, required map[string]bool) error {
		watch := s.options.Watcher.Watch()
		var asked []uuid.UUID
		held, err := lockRows(ctx, t, lockActive, []any{tweets}, lockTweetIDs, []any{tweets}, func(b *pgx.Batch) {
			watch.QueueRead(b, Locked{Tweets: tweets})
			b.Queue(selectAsked, tweets).Query(postgres.Collect(&asked, pgx.RowTo[uuid.UUID]))
		})
		if err != nil {
			return err
		}
		now := s.clock.Now()
		var writes []write
		applied, writes = s.decideRefreshes(results, held, now)
		if err := watch.Decide(ctx, t, applied.Rows, now); err != nil {
			return err
		}
		spent, err := bill.Charge(ctx, t, calls)
		if err != nil {
			return err
		}
		b := t.Group()
		if err := queueWrites(b, writes, required, now); err != nil {
			return err
		}
		if err := s.queuePredictions(b, applied.Rows); err != nil {
			return err
		}
		watch.QueueWrites(b, now)
		queueRefreshed(b, writes, held, now)
		queueAnswered(b, applied, lateness(results), now)
		queueSpending(b, spent, zoneShares(s.ofKey(askedOf(applied.Rows, asked), calls)), true, now)
		return t.Send(ctx, b)
	})
	if err != nil {
		return Applied{}, err
	}
	return applied, nil
}

// askedOf returns those of rows that a refresh was asked for, whose zones pay for it; of
// tweets that it was asked for in no zone that is known, all.
func askedOf(rows []AppliedRow, asked []uuid.UUID) []AppliedRow {
	known := make(map[string]bool)
	for i := range rows {
		known[rows[i].TweetID] = known[rows[i].TweetID] || slices.Contains(asked, rows[i].Row)
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r AppliedRow) bool { return known[r.TweetID] && !slices.Contains(asked, r.Row) })
}

// ofKey returns those of rows that the calls' key looks up, who pay for it; all when there is none.
func (s *Store) ofKey(rows []AppliedRow, calls []Calls) []AppliedRow {
	own := s.keys()
	if len(own) == 0 || len(calls) == 0 {
		return rows
	}
	payers := slices.DeleteFunc(slices.Clone(rows), func(r AppliedRow) bool { return !own.MayPay(r.ZoneID, calls[0].Client) })
	if len(payers) == 0 {
		return rows
	}
	return payers
}

const (
	// selectAsked selects the rows that open requests for tweets name.
	selectAsked = `select distinct row_id from gorgone.refresh_requests where tweet_id = any($1::text[]) and closed_at is null`

	lockActive = `
		select ` + trackingRow + `
		from public.twitter_engagement_tracking k
		join public.twitter_tweets w on w.id = k.tweet_db_id
		join public.zones z on z.id = w.zone_id
		where w.tweet_id = any($1::text[]) and ` + postgres.ActiveZone + `
		order by k.tweet_db_id for update of k`

	lockTweetIDs = `
		select ` + tweetColumns + ` from public.twitter_tweets w
		where w.tweet_id = any($1::text[])
		order by w.id for no key update`
)

// decideRefreshes decides on every row of the refreshed tweets, and returns what
// is to be written.
func (s *Store) decideRefreshes(results []RefreshResult, held locked, now time.Time) (Applied, []write) {
	byTweet := make(map[string][]*row)
	for _, r := range held.rows {
		byTweet[r.tweetID] = append(byTweet[r.tweetID], r)
	}
	var (
		applied Applied
		seen    = make(map[string]bool, len(results))
	)
	changes := make(changedByCall)
	for _, result := range results {
		if rows := byTweet[result.TweetID]; result.Kind == Found && rows != nil {
			changes.add(result.Call, rows[0], result.Observation)
		}
	}
	zeroed := changes.zeroed()
	for _, result := range results {
		if seen[result.TweetID] {
			continue
		}
		if result.Kind == Found && zeroed[result.Call].Any() {
			applied.Zeroed++
		}
		seen[result.TweetID] = true
		rows := byTweet[result.TweetID]
		if rows == nil {
			applied.Untracked = append(applied.Untracked, result.TweetID)
		}
		for _, r := range rows {
			applied.Rows = append(applied.Rows, s.decideRefresh(r, result, zeroed[result.Call], now))
		}
	}
	var writes []write
	for i := range applied.Rows {
		switch out := &applied.Rows[i]; out.Outcome.Effect().Result {
		case engagement.ResultApplied:
			writes = append(writes, write{outcome: out, unclaim: true})
		case engagement.ResultMissing:
			writes = append(writes, write{outcome: out})
		default:
		}
	}
	return applied, writes
}

func (s *Store) decideRefresh(r *row, result RefreshResult, zeroed engagement.Zeroed, now time.Time) AppliedRow {
	asIs := AppliedRow{
		Row: r.id, ZoneID: r.zone, TweetID: r.tweetID, Reason: result.Reason,
		Before: r.tracking, After: r.tracking,
	}
	requested := result.RequestedAt.Truncate(time.Microsecond)
	if !r.tracking.ObservedAt.IsZero() && !r.tracking.ObservedAt.Before(requested) {
		asIs.Outcome = engagement.RowNewer
		return asIs
	}
	out := s.decide(r, result.Kind, result.Observation, result.Reason, zeroed, now)
	switch out.Outcome.Effect().Result {
	case engagement.ResultApplied, engagement.ResultMissing:
		return out
	default:
		// The schedule of the row is not a refresh's to move.
		asIs.Outcome, asIs.Reason = out.Outcome, out.Reason
		return asIs
	}
}

// queueRefreshed tells the batches in flight whose rows were refreshed that these
// need no answer any more.
func queueRefreshed(b *pgx.Batch, writes []write, held locked, now time.Time) {
	rows := make(map[uuid.UUID]int)
	for _, w := range writes {
		if claim := held.rows[w.outcome.Row].claim; w.unclaim && claim.Valid {
			rows[claim.UUID]++
		}
	}
	// In one order, as every writer.
	for _, claim := range slices.SortedFunc(maps.Keys(rows), compareIDs) {
		queueSettled(b, claim, settled{rows: rows[claim], skipped: rows[claim]}, now)
	}
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// lateness is when the look-ups of late results began, by tweet.
func lateness(results []RefreshResult) map[string]time.Time {
	began := make(map[string]time.Time)
	for _, r := range results {
		if r.Late {
			began[r.TweetID] = r.Observation.At
		}
	}
	return began
}
