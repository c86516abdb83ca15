package report

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// walkRows is how many rows of an order are looked at, from its first on, to fill a page
// before this is sought among all that match.
const walkRows = 20_000

// walked returns the first rows of an order that an index has, as id, zone_id and key. The
// indexes have the rows of great velocity, or engagement, only: pages need no others, and most
// answers write none of them.
func (r *Reader) walked(key, which string) string {
	return `(select tweet_db_id as id, zone_id, ` + key + ` as key from public.twitter_engagement_tracking
		where ` + which + ` order by key desc, id limit ` + strconv.Itoa(r.walkRows) + `)`
}

// walkList returns the rows of a page of the list by velocity or by engagement: fewer when not
// as many of the first in that order match. $1 are the zones, $2 the tier.
func (r *Reader) walkList(ctx context.Context, q ListQuery) ([]uuid.UUID, error) {
	const matching = `join public.zones z on z.id = k.zone_id and ` + postgres.ActiveZone + `
		where ($1::uuid[] is null or k.zone_id = any($1::uuid[]))`
	of := ` and ($2::text = '' or tier = $2::text)`
	if q.By == ListByEngagement {
		return r.walkEngagement(ctx, of, matching, q.Limit, q.Offset, q.Zones, string(q.Tier))
	}
	if q.Tier == "" {
		of += ` and tier <> 'cold'` // those come last
	}
	return r.ids(ctx, `
		select k.id from `+r.walked(`snapshot_velocity`, postgres.GreatVelocity+of)+` k `+matching+`
		order by k.key desc, k.id limit $3::int4 offset $4::int4`, q.Zones, string(q.Tier), q.Limit, q.Offset)
}

// walkEngagement returns a page of tweets by engagement, or none. The index has the engagement
// of the last snapshots, which is the tweets' but for few, of which it has none: these are all
// looked at beside. of are conditions of tracking rows, matching joins and conditions of k (id,
// zone_id) and the tweet w.
func (r *Reader) walkEngagement(ctx context.Context, of, matching string, limit, offset int, args ...any) ([]uuid.UUID, error) {
	others, err := r.ids(ctx, `select tweet_db_id from public.twitter_engagement_tracking where `+postgres.SnapshotEngagement+` is null limit $1::int4`, r.walkRows)
	if err != nil || len(others) == r.walkRows {
		return nil, err
	}
	n := len(args)
	sql := fmt.Sprintf(`
		with settled as materialized (
			select k.id, w.total_engagement as total from %[1]s k
			join public.twitter_tweets w on w.id = k.id %[3]s
			order by k.key desc, k.id limit $%[4]d::int4 + $%[5]d::int4
		)
		select id from (
			table settled
			union
			select k.id, w.total_engagement
			from (select tweet_db_id as id, zone_id from public.twitter_engagement_tracking where tweet_db_id = any($%[6]d::uuid[])%[2]s) k
			join public.twitter_tweets w on w.id = k.id %[3]s
		) f
		where (select count(*) from settled) = $%[4]d::int4 + $%[5]d::int4
		order by total desc nulls last, id limit $%[4]d::int4 offset $%[5]d::int4`,
		r.walked(postgres.SnapshotEngagement, postgres.GreatEngagement+of), of, matching, n+1, n+2, n+3)
	return r.ids(ctx, sql, append(args, limit, offset, others)...)
}

// topMatching is what makes tweets w candidates for a top.
const topMatching = `join public.zones z on z.id = w.zone_id and ` + postgres.ActiveZone + `
	where w.twitter_created_at >= $2::timestamptz and ($1::uuid[] is null or w.zone_id = any($1::uuid[]))`

// walkTop returns the rows of a page of top tweets as walkList does, or nil.
func (r *Reader) walkTop(ctx context.Context, q TopQuery) ([]uuid.UUID, error) {
	if q.By == ByEngagement {
		return r.walkEngagement(ctx, ``, topMatching, q.Limit, q.Offset, q.Zones, q.Since)
	}
	type line struct {
		id  uuid.UUID
		key float64
	}
	var page []line
	from := r.walked(`snapshot_velocity`, postgres.GreatVelocity)
	err := r.db.ReadPlanned(ctx, postgres.Collect(&page, func(row pgx.CollectableRow) (l line, err error) { return l, row.Scan(&l.id, &l.key) }), `
		select k.id, k.key from `+from+` k join public.twitter_tweets w on w.id = k.id `+topMatching+`
		order by k.key desc, w.total_engagement desc, k.id limit $3::int4 offset $4::int4`, q.Zones, q.Since, q.Limit, q.Offset)
	if err != nil || len(page) < q.Limit {
		return nil, err
	}
	// Of those as fast as the last that was looked at, some may not have been.
	var last *float64
	bounded, cancel := r.db.Bounded(ctx)
	defer cancel()
	if err := r.db.QueryRow(bounded, `select min(key) from `+from+` k`).Scan(&last); err != nil {
		return nil, fmt.Errorf("find how far top tweets were looked at: %w", err)
	}
	if last == nil || page[len(page)-1].key <= *last {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(page))
	for i, l := range page {
		ids[i] = l.id
	}
	return ids, nil
}
