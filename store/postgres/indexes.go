package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// index is an index that the engine needs on a product table.
type index struct {
	name  string
	table string
	on    string // what follows the table's name in its definition

	flat bool // only where the table is not partitioned

	// leads is the column that another index must lead with to make this one
	// superfluous; "" when no other will do.
	leads string
}

// AuthorID is the id of the author of a row of twitter_tweets at the provider, or
// null: in the object that was pushed or given, as twitterapi.io writes it or as
// the X API does. Ids have 20 digits at most; the cut keeps whatever else may
// stand there from being too long for an index.
const AuthorID = `left(coalesce(raw_data->'author'->>'id', raw_data->>'author_id'), 32)`

// SnapshotEngagement is the engagement at the last snapshot of a tracking row. It is null when
// its tweet may have another one: there is no snapshot, there was a look-up since then, or a
// count was absent from it.
const SnapshotEngagement = `(case when snapshot_at = last_updated_at then ` +
	`snapshot_retweets::int8 + snapshot_replies + snapshot_likes + snapshot_quotes end)`

// GreatVelocity and GreatEngagement are the conditions that a tracking row is among those that
// an index has by velocity, or by engagement. Of a large table these are more than the pages
// that anyone turns, and a few in a hundred.
const (
	GreatVelocity   = `snapshot_velocity >= 10`
	GreatEngagement = SnapshotEngagement + ` >= 1000`
)

// neededIndexes lists the indexes beyond those of the constraints. Each is
// justified in docs/data-model.md. They are looked after at every migration, not
// once in a numbered step, because which ones are missing depends on what was
// adopted, and because a concurrent build that was cut short leaves a broken one.
func neededIndexes() []index {
	return []index{
		{
			name:  "gorgone_tracking_zone_due",
			table: "public.twitter_engagement_tracking",
			on:    "(zone_id, (GREATEST(next_update_at, retry_at))) WHERE next_update_at IS NOT NULL",
		},
		{
			name:  "gorgone_tracking_retry",
			table: "public.twitter_engagement_tracking",
			on:    "(zone_id, next_update_at) WHERE retry_at IS NOT NULL",
		},
		{
			name:  "gorgone_tracking_recheck",
			table: "public.twitter_engagement_tracking",
			on:    "(retry_at) WHERE gone_reason IS NOT NULL",
		},
		// An answer writes all indexes that have the row, whatever else it changes, since it changes
		// next_update_at. So these have the few rows that lists begin with. A claim changes nothing
		// that they have.
		{
			name:  "gorgone_tracking_velocity",
			table: "public.twitter_engagement_tracking",
			on:    "(snapshot_velocity DESC, tweet_db_id) WHERE " + GreatVelocity,
		},
		{
			name:  "gorgone_tracking_engagement",
			table: "public.twitter_engagement_tracking",
			on:    "(" + SnapshotEngagement + " DESC, tweet_db_id) WHERE " + GreatEngagement + " OR " + SnapshotEngagement + " IS NULL",
		},
		{
			name:  "gorgone_tweets_tweet_id",
			table: "public.twitter_tweets",
			on:    "(tweet_id)",
			leads: "tweet_id",
		},
		{
			name:  "gorgone_history_tweet",
			table: "public.twitter_engagement_history",
			on:    "(tweet_id, snapshot_at)",
			leads: "tweet_id",
		},
		{
			// Old points are deleted by it; partitions are dropped whole.
			name:  "gorgone_history_at",
			table: "public.twitter_engagement_history",
			on:    "(snapshot_at)",
			flat:  true,
			leads: "snapshot_at",
		},
		{
			name:  "gorgone_tweets_zone_posted",
			table: "public.twitter_tweets",
			on:    "(zone_id, twitter_created_at)",
		},
		{
			name:  "gorgone_tweets_author",
			table: "public.twitter_tweets",
			on:    "(zone_id, (" + AuthorID + "), twitter_created_at) WHERE " + AuthorID + " IS NOT NULL",
		},
	}
}

// ensureIndexes builds what is missing or broken, without blocking writers.
func ensureIndexes(ctx context.Context, conn *pgx.Conn) ([]Migration, error) {
	var built []Migration
	for _, ix := range neededIndexes() {
		state, err := ix.state(ctx, conn)
		if err != nil {
			return built, fmt.Errorf("look at the indexes of %s: %w", ix.table, err)
		}
		if state == indexGood {
			continue
		}
		if state == indexBroken {
			if _, err := conn.Exec(ctx, `drop index concurrently if exists public.`+ix.name); err != nil {
				return built, fmt.Errorf("drop the broken index %s: %w", ix.name, err)
			}
		}
		if _, err := conn.Exec(ctx, `create index concurrently if not exists `+ix.name+` on `+ix.table+` `+ix.on); err != nil {
			return built, fmt.Errorf("build the index %s: %w", ix.name, err)
		}
		built = append(built, Migration{Name: ix.name})
	}
	// Of earlier versions: what is due, without the zones, and what is gone, by its row.
	for _, name := range []string{"gorgone_tracking_due", "gorgone_tracking_gone"} {
		if _, err := conn.Exec(ctx, `drop index concurrently if exists public.`+name); err != nil {
			return built, fmt.Errorf("drop the index %s: %w", name, err)
		}
	}
	return built, nil
}

type indexState int

const (
	indexMissing indexState = iota
	indexBroken
	indexGood
)

// state tells whether the index, or one as good, is there.
func (ix index) state(ctx context.Context, q querier) (indexState, error) {
	const sql = `
		select
			coalesce(bool_or(c.relname = $2 and not i.indisvalid), false),
			coalesce(bool_or(i.indisvalid and (c.relname = $2 or
				(i.indpred is null and $3 <> '' and a.attname = $3))), false)
				or ($4 and exists (select from pg_partitioned_table where partrelid = to_regclass($1)))
		from pg_index i
		join pg_class c on c.oid = i.indexrelid
		left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
		where i.indrelid = to_regclass($1)`
	var broken, good bool
	if err := q.QueryRow(ctx, sql, ix.table, ix.name, ix.leads, ix.flat).Scan(&broken, &good); err != nil {
		return indexMissing, err
	}
	switch {
	case good:
		return indexGood, nil
	case broken:
		return indexBroken, nil
	default:
		return indexMissing, nil
	}
}

// querier is a connection, a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
