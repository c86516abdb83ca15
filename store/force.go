package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// forceChunk is how many rows ForceDue writes in one transaction.
const forceChunk = 5000

// DueFilter selects rows to be made due. The zero value is every live row.
type DueFilter struct {
	Zone        uuid.UUID // zero: all zones
	TweetIDs    []string  // empty: all tweets
	IncludeCold bool      // also tweets that are not looked at any more
}

// ForceDue makes rows due now and lifts their back-off. It returns how many. A
// row that is claimed stays claimed: its batch answers it. Rows are written in
// chunks, each a transaction of its own.
func (s *Store) ForceDue(ctx context.Context, filter DueFilter) (int, error) {
	const (
		lock = `
			select k.tweet_db_id
			from public.twitter_engagement_tracking k
			where k.tweet_db_id > $1::uuid
			and ($2::bool or k.next_update_at is not null)
			and (($3::uuid is null and $4::text[] is null) or exists (
				select from public.twitter_tweets w
				where w.id = k.tweet_db_id
				and ($3::uuid is null or w.zone_id = $3::uuid)
				and ($4::text[] is null or w.tweet_id = any($4::text[]))))
			order by k.tweet_db_id limit $5::int4
			for update of k`
		force = `
			update public.twitter_engagement_tracking set next_update_at = $2::timestamptz, retry_at = null
			where tweet_db_id = any($1::uuid[])`
	)
	var (
		zone   *uuid.UUID
		forced int
		after  uuid.UUID
	)
	if filter.Zone != uuid.Nil {
		zone = &filter.Zone
	}
	for {
		var ids []uuid.UUID
		err := s.db.transact(ctx, "force tweets due", func(ctx context.Context, t *tx) error {
			ids = nil
			b := t.group()
			b.Queue(lock, after, filter.IncludeCold, zone, filter.TweetIDs, forceChunk).Query(collect(&ids, pgx.RowTo[uuid.UUID]))
			if err := t.send(ctx, b); err != nil || len(ids) == 0 {
				return err
			}
			b = t.group()
			b.Queue(force, ids, s.clock.Now()).Exec(wrote(len(ids), "tracking rows"))
			return t.send(ctx, b)
		})
		if err != nil {
			return forced, fmt.Errorf("after %d tweets: %w", forced, err)
		}
		forced += len(ids)
		if len(ids) < forceChunk {
			return forced, nil
		}
		after = ids[len(ids)-1]
	}
}
