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
		open, late, err := w.unsettled(limit)
		if err == nil {
			w.open, w.late = open, late
			if late < caughtUp && w.caughtUpAt.IsZero() {
				w.caughtUpAt = time.Now()
			}
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

// caughtUp is how late the most overdue look may be when the backlog of the faults
// counts as worked off: real time, of which dispatches a second apart take most.
const caughtUp = 3 * time.Second

// recovery tells how fast the backlog was worked off.
func (w *world) recovery() string {
	if w.caughtUpAt.IsZero() {
		return fmt.Sprintf("still %s late", w.late.Round(100*time.Millisecond))
	}
	return fmt.Sprintf("backlog worked off in %s", w.caughtUpAt.Sub(w.faultsTo).Round(100*time.Millisecond))
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

// unsettled also returns how late the most overdue look is that nobody works on,
// in real time.
func (w *world) unsettled(ctx context.Context) (u unsettled, late time.Duration, err error) {
	const sql = `
		select
			count(*) filter (where greatest(next_update_at, retry_at) <= $1),
			count(*) filter (where attempts > 0),
			coalesce(min(greatest(next_update_at, retry_at)) filter (where claimed_until is null or claimed_until <= $2), $2)
		from public.twitter_engagement_tracking where next_update_at is not null`
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var oldest time.Time
	now := w.engine(time.Now())
	if err := w.sql.QueryRow(ctx, sql, w.engine(w.faultsTo), now).Scan(&u.due, &u.backing, &oldest); err != nil {
		return u, 0, fmt.Errorf("look what is open: %w", err)
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
		return u, 0, fmt.Errorf("look what is open: %w", err)
	}
	return u, max(time.Duration(float64(now.Sub(oldest))/speed), 0), nil
}

// engine returns the engine time at a real time. This machine's clock is the
// database's.
func (w *world) engine(at time.Time) time.Time { return w.setting.At(at) }
