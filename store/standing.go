package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/fair"
)

// Held is a row that a claim holds.
type Held struct {
	Row      uuid.UUID
	Standing engagement.PriorState
	Owned    bool // a worker owns its batch, by [Store.AcquireBatch] or [Store.ExtendBatch]
}

// Held returns those of rows that the claim still holds; see [Store.HeldRows].
func (s *Store) Held(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) ([]uuid.UUID, error) {
	held, err := s.HeldRows(ctx, claimID, rows)
	ids := make([]uuid.UUID, len(held))
	for i, h := range held {
		ids[i] = h.Row
	}
	return ids, err
}

// HeldRows returns those of rows that the claim still holds. Rows that were claimed
// again after the lease ended, refreshed in between or deleted are not among
// them. It is a look without a lock, to save a paid call; [Store.Apply] checks
// again.
func (s *Store) HeldRows(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) ([]Held, error) {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	found, err := s.db.Query(ctx, selectHeld, rows, claimID)
	if err != nil {
		return nil, fmt.Errorf("look which rows are held: %w", err)
	}
	held, err := pgx.CollectRows(found, scanHeld)
	if err != nil {
		return nil, fmt.Errorf("look which rows are held: %w", err)
	}
	return held, nil
}

const selectHeld = `
	select k.tweet_db_id, ` + fair.PriorColumns + `,
		(select b.holder from gorgone.batches b where b.claim_id = $2::uuid) is not null
	from public.twitter_engagement_tracking k
	where k.tweet_db_id = any($1::uuid[]) and k.claim_id = $2::uuid
	order by k.tweet_db_id`

func scanHeld(r pgx.CollectableRow) (h Held, err error) {
	return h, r.Scan(&h.Row, &h.Standing.Observed, &h.Standing.InDoubt, &h.Owned)
}

const selectStandings = `
		select w.tweet_id, ` + fair.PriorColumns + `
		from public.twitter_tweets w join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
		where w.tweet_id = any($1::text[])`

// Standings returns what is known of tracked tweets, by their ids. A tweet of
// which a row is in doubt is in doubt.
func (s *Store) Standings(ctx context.Context, tweetIDs []string) (map[string]engagement.PriorState, error) {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	rows, err := s.db.Query(ctx, selectStandings, tweetIDs)
	if err != nil {
		return nil, fmt.Errorf("look how tweets stand: %w", err)
	}
	standings := make(map[string]engagement.PriorState, len(tweetIDs))
	var (
		id string
		of engagement.PriorState
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &of.Observed, &of.InDoubt}, func() error {
		standings[id] = standings[id].Merge(of)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look how tweets stand: %w", err)
	}
	return standings, nil
}

// canaryCandidates is the number of rows that are read in search of a canary.
const canaryCandidates = 200

const (
	canaryThere = `k.last_updated_at is not null and k.misses = 0 and k.doubts = 0 and k.gone_reason is null
			and w.tweet_id <> all($1::text[])
			order by k.last_updated_at desc limit $2::int4`
	canaryLive = `
			select w.tweet_id from (select id from public.zones order by id limit $3::int4 / 10) z
			cross join lateral (
				select * from public.twitter_engagement_tracking t
				where t.zone_id = z.id and t.next_update_at is not null
				order by greatest(t.next_update_at, t.retry_at) desc limit 10) k
			join public.twitter_tweets w on w.id = k.tweet_db_id
			where ` + canaryThere
	canaryCollected = `
			select w.tweet_id from (
				select id, tweet_id from public.twitter_tweets order by id desc limit $3::int4) w
			join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
			where ` + canaryThere
)

// Canaries returns up to limit tweets that are most likely there: observed lately,
// and not missed since. Those in except are not among them. They are sought among
// the live rows of some zones that are due last, since these were looked at last,
// and then among the rows that were collected last; at most a few hundred are read,
// by index.
func (s *Store) Canaries(ctx context.Context, except []string, limit int) ([]string, error) {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	if except == nil {
		except = []string{} // nil is null, which nothing is unlike
	}
	var controls []string
	seen := make(map[string]bool)
	for _, sql := range []string{canaryLive, canaryCollected} {
		rows, err := s.db.Query(ctx, sql, except, limit, canaryCandidates)
		if err != nil {
			return nil, fmt.Errorf("look for tweets that are there: %w", err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, fmt.Errorf("look for tweets that are there: %w", err)
		}
		for _, id := range ids {
			if !seen[id] && engagement.CheckTweetID(id) == nil && len(controls) < limit {
				seen[id] = true
				controls = append(controls, id)
			}
		}
		if len(controls) == limit {
			break
		}
	}
	return controls, nil
}
