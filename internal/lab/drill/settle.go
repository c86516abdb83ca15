package drill

import (
	"context"
	"fmt"
	"time"
)

// settle gives the system time to recover from the faults: until everything that
// was due when they ended is done, for an interval at least and [Options.Settle] at most. A tweet that is deleted and not
// known to be has the time in which it must be.
func (w *world) settle(ctx context.Context) {
	for {
		open, late, err := w.unsettled(ctx)
		now := time.Now()
		if err == nil {
			w.open, w.late = open, late
			if late < caughtUp && w.caughtUpAt.IsZero() && now.Before(w.faultsTo.Add(w.Settle)) {
				w.caughtUpAt = now
			}
		}
		if !now.Before(w.settleUntil(open, err)) {
			break
		}
		w.Log.Debug().Err(err).Stringer("open", open).Msg("settling")
		if !sleep(ctx, 500*time.Millisecond) {
			break
		}
	}
	w.settledAt = time.Now()
}

// settleUntil returns until when to wait for what is open.
func (w *world) settleUntil(open unsettled, err error) time.Time {
	end := w.faultsTo.Add(w.Settle)
	switch {
	case err != nil:
		return end
	case open == (unsettled{}):
		// What was ended last has started again by then, and each tweet is due once more.
		return w.faultsTo.Add(min(w.Every+caughtUp, w.Settle))
	case open.undead == 0 || open.due > 0 || open.refreshs > 0:
		return end
	}
	absences := w.provider.absences()
	within := w.goneWithin(w.goneSpans(len(absences), true))
	f := facts{Options: w.Options, to: w.faultsTo, caughtUp: w.caughtUpAt, events: w.events.all()}
	for _, list := range absences {
		last := list[len(list)-1]
		if known := f.goneSince(last).Add(within + goneSlack); last.to.IsZero() && known.After(end) {
			end = known
		}
	}
	return end
}

// goneSlack is how much longer than they may take deleted tweets are waited for.
const goneSlack = time.Second

// caughtUp is how late the most overdue look-up may be when the backlog of the faults
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

// unsettled also returns how late the most overdue look-up is that no process works on,
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
		return u, 0, fmt.Errorf("read what is open: %w", err)
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
		return u, 0, fmt.Errorf("read what is open: %w", err)
	}
	return u, max(time.Duration(float64(now.Sub(oldest))/speed), 0), nil
}

// engine returns the engine time at a real time. This machine's clock is the
// database's.
func (w *world) engine(at time.Time) time.Time { return w.setting.At(at) }

// sleep waits for d or until ctx ends, and reports whether it was d.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
