package store

import (
	"context"
	"time"

	"gorgone/store/postgres"
)

// recheckShare is the share of look-ups that may go to tweets that count as deleted.
const recheckShare = 0.01

// RecheckGone makes tweets due that count as deleted and whose next check is due, the
// longest overdue first: as many as are a hundredth of the tweets that are looked up in
// the given real time, and at least one. It returns how many. While a budget is used
// up, there are none. Whatever such a tweet's next answer says is applied like any
// other.
func (s *Store) RecheckGone(ctx context.Context, within time.Duration) (int, error) {
	const sql = `
		update public.twitter_engagement_tracking k set next_update_at = $1::timestamptz, retry_at = null
		where k.tweet_db_id in (
			select g.tweet_db_id from public.twitter_engagement_tracking g
			where g.gone_reason is not null and g.retry_at <= $1::timestamptz and g.next_update_at is null
			order by g.retry_at limit $2::int4 for update skip locked)`
	spent, err := s.Spending(ctx)
	if err != nil {
		return 0, err
	}
	if which, _ := spent.Exhausted(); which != "" {
		return 0, nil
	}
	var made int
	err = s.db.Transact(ctx, "check tweets that are gone", func(ctx context.Context, t *postgres.Tx) error {
		var o Outstanding
		now := s.clock.Now()
		b := t.Group()
		QueueOutstanding(b, s.clock, now, &o)
		if err := t.Send(ctx, b); err != nil {
			return err
		}
		limit := max(int(o.DonePerSecond*within.Seconds()*recheckShare), 1)
		tag, err := t.Exec(ctx, sql, now, limit)
		made = int(tag.RowsAffected())
		return err
	})
	return made, err
}
