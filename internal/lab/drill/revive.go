package drill

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	// mostRevived is how many tweets come back at the end.
	mostRevived = 20

	// reviveTime is how long that may take: a few tries of [finalAnswer] at most.
	reviveTime = time.Minute
)

// revive has half of the tweets that are known to be gone come back, and has someone
// ask for each of them, which is what brings a tweet to life again. It does so
// after the faults, because a tweet takes its time to be known gone.
func (w *world) revive(ctx context.Context) error {
	const sql = `
		select distinct on (w.tweet_id) w.tweet_id, k.tweet_db_id
		from public.twitter_engagement_tracking k join public.twitter_tweets w on w.id = k.tweet_db_id
		where k.gone_reason is not null order by w.tweet_id, k.tweet_db_id`
	rows, err := w.sql.Query(ctx, sql)
	if err != nil {
		return fmt.Errorf("read which tweets are gone: %w", err)
	}
	type gone struct {
		Tweet string
		Row   uuid.UUID
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[gone])
	if err != nil {
		return fmt.Errorf("read which tweets are gone: %w", err)
	}
	list = list[:min((len(list)+1)/2, mostRevived)]
	var ids []string
	for _, g := range list {
		ids = append(ids, g.Tweet)
	}
	if len(ids) == 0 {
		return nil
	}
	if err := w.provider.restore(ids); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reviveTime)
	defer cancel()
	for _, g := range list {
		for w.refresher.ask(ctx, g.Row).status != http.StatusOK && sleep(ctx, time.Second) {
		}
	}
	w.revived = ids
	return nil
}
