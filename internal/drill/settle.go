package drill

import (
	"context"
	"fmt"
	"time"
)

// settle gives the system time to recover from the faults: until everything that
// was due when they ended is done, at most [Options.Settle].
func (w *world) settle(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, w.Settle)
	defer cancel()
	for {
		open, err := w.unsettled(limit)
		if err == nil {
			w.open = open
		}
		if err == nil && open == (unsettled{}) {
			break
		}
		w.Log.Debug().Err(err).Stringer("open", open).Msg("settling")
		if !sleep(limit, 500*time.Millisecond) {
			break
		}
	}
	w.settledAt = time.Now()
}

// unsettled is what is still open after the faults.
type unsettled struct {
	due      int // rows that were due when they ended
	backing  int // rows that back off after a failure
	undead   int // deleted tweets that are not known to be
	refreshs int // refreshes without a final answer
}

func (u unsettled) String() string {
	return fmt.Sprintf("%d due, %d backing off, %d deleted and not found so, %d refreshes", u.due, u.backing, u.undead, u.refreshs)
}

func (w *world) unsettled(ctx context.Context) (u unsettled, err error) {
	const sql = `
		select
			count(*) filter (where greatest(next_update_at, retry_at) <= $1),
			count(*) filter (where attempts > 0)
		from public.twitter_engagement_tracking where next_update_at is not null`
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := w.sql.QueryRow(ctx, sql, w.engine(w.faultsTo)).Scan(&u.due, &u.backing); err != nil {
		return u, fmt.Errorf("look what is open: %w", err)
	}
	u.refreshs = w.refresher.waiting()
	var deleted []string
	for _, id := range w.tweets {
		if w.provider.isDeleted(id) {
			deleted = append(deleted, id)
		}
	}
	const gone = `
		select count(*) from public.twitter_engagement_tracking k join public.twitter_tweets w on w.id = k.tweet_db_id
		where w.tweet_id = any($1) and k.gone_reason is null`
	if err := w.sql.QueryRow(ctx, gone, deleted).Scan(&u.undead); err != nil {
		return u, fmt.Errorf("look what is open: %w", err)
	}
	return u, nil
}

// engine returns the engine time at a real time. This machine's clock is the
// database's.
func (w *world) engine(at time.Time) time.Time { return w.setting.At(at) }
