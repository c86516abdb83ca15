package models

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

const (
	// SelectAuthors reads what the authors of some rows got for the newest of their
	// other tweets in the zone that were looked at.
	SelectAuthors = `
		select a.rows, past.totals, past.ages
		from (
			select ` + postgres.AuthorID + ` author, array_agg(id) as rows from public.twitter_tweets
			where id = any($2::uuid[]) and ` + postgres.AuthorID + ` <> '' group by 1
		) a
		cross join lateral (
			select array_agg(p.total) totals, array_agg(p.age) ages
			from (
				select coalesce(w.retweet_count, 0)::int8 + coalesce(w.reply_count, 0) + coalesce(w.like_count, 0) + coalesce(w.quote_count, 0) total,
					extract(epoch from coalesce(k.last_updated_at, k.snapshot_at) - w.twitter_created_at)::float8 age
				from (
					select id, zone_id, twitter_created_at, retweet_count, reply_count, like_count, quote_count, ` + postgres.AuthorID + ` author
					from public.twitter_tweets
				) w
				join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
				where w.zone_id = $1::uuid and w.author = a.author and coalesce(k.last_updated_at, k.snapshot_at) > w.twitter_created_at
				order by w.twitter_created_at desc
				limit 20
			) p
		) past
		where past.totals is not null`
)

// Expectations returns the total engagement to expect of rows that are tracked from
// now on, as far as their authors have earlier tweets in the zone (see
// [engagement.Model.Expect]). The rows themselves are not tracked yet.
func Expectations(ctx context.Context, t *postgres.Tx, zone uuid.UUID, rows []uuid.UUID, m engagement.Model) (map[uuid.UUID]float64, error) {
	expected := make(map[uuid.UUID]float64)
	b := t.Group()
	b.Queue(SelectAuthors, zone, rows).Query(func(found pgx.Rows) error {
		var (
			theirs []uuid.UUID
			totals []int64
			ages   []float64
		)
		_, err := pgx.ForEachRow(found, []any{&theirs, &totals, &ages}, func() error {
			past := make([]engagement.PastTweet, len(totals))
			for i := range totals {
				past[i] = engagement.PastTweet{Total: totals[i], Age: time.Duration(ages[i] * float64(time.Second))}
			}
			for _, id := range theirs {
				expected[id] = m.Expect(past)
			}
			return nil
		})
		return err
	})
	if err := t.Send(ctx, b); err != nil {
		return nil, fmt.Errorf("read what the authors' other tweets got: %w", err)
	}
	return expected, nil
}
