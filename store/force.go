package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// forceChunk is how many rows ForceDue writes in one transaction.
const forceChunk = 5000

// DueFilter selects rows to be made due. The zero value is every live row.
type DueFilter struct {
	Zone        uuid.UUID // zero: all zones
	TweetIDs    []string  // empty: all tweets
	IncludeCold bool      // also tweets that are not looked at any more
	Failing     bool      // only rows with failures since their last answer
	GoneSince   time.Time // only tweets that were called gone then or later; zero: all
}

// ForceDue makes rows due now and lifts their back-off. It returns how many. A
// row that is claimed stays claimed: its batch answers it. Rows are written in
// chunks, each a transaction of its own.
func (s *Store) ForceDue(ctx context.Context, filter DueFilter) (int, error) {
	const force = `
		update public.twitter_engagement_tracking set next_update_at = $2::timestamptz, retry_at = null
		where tweet_db_id = any($1::uuid[])`
	lock, args := filter.lock()
	var (
		forced int
		after  uuid.UUID
	)
	for {
		var ids []uuid.UUID
		err := s.db.Transact(ctx, "force tweets due", func(ctx context.Context, t *postgres.Tx) error {
			ids = nil
			b := t.Group()
			b.Queue(lock, append([]any{after, forceChunk}, args...)...).Query(postgres.Collect(&ids, pgx.RowTo[uuid.UUID]))
			if err := t.Send(ctx, b); err != nil || len(ids) == 0 {
				return err
			}
			b = t.Group()
			b.Queue(force, ids, s.clock.Now()).Exec(postgres.Wrote(len(ids), "tracking rows"))
			return t.Send(ctx, b)
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

// lock returns the statement that locks the next chunk of the rows selected, after
// the row $1 and at most $2, and its further arguments. It names only what is
// asked for, so that a few tweets are found by their index.
func (f DueFilter) lock() (sql string, args []any) {
	from := `public.twitter_engagement_tracking k`
	where := `k.tweet_db_id > $1::uuid`
	if !f.IncludeCold && f.GoneSince.IsZero() {
		where += ` and k.next_update_at is not null`
	}
	if f.Failing {
		where += ` and k.attempts > 0`
	}
	if !f.GoneSince.IsZero() {
		args = append(args, f.GoneSince)
		where += fmt.Sprintf(` and k.gone_reason is not null and k.last_missed_at >= $%d::timestamptz`, len(args)+2)
	}
	if f.Zone != uuid.Nil || len(f.TweetIDs) > 0 {
		from += ` join public.twitter_tweets w on w.id = k.tweet_db_id`
	}
	if f.Zone != uuid.Nil {
		args = append(args, f.Zone)
		where += fmt.Sprintf(` and w.zone_id = $%d::uuid`, len(args)+2)
	}
	if len(f.TweetIDs) > 0 {
		args = append(args, f.TweetIDs)
		where += fmt.Sprintf(` and w.tweet_id = any($%d::text[])`, len(args)+2)
	}
	return `select k.tweet_db_id from ` + from + ` where ` + where +
		` order by k.tweet_db_id limit $2::int4 for update of k`, args
}
