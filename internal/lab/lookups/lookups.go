// Package lookups keeps every look-up of a private database. The history does not have
// those that found nothing new, and what measures a schedule, or what was paid for, needs
// the time of each.
package lookups

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// Keep has the database keep the look-ups from now on. It costs every look-up a row.
func Keep(ctx context.Context, db *postgres.DB) error {
	for _, sql := range []string{
		`create schema lab`,
		`create table lab.lookups (
			tweet_id uuid not null, at timestamptz not null, provider text,
			retweets int, replies int, likes int, quotes int, views int, bookmarks int)`,
		`create function lab.keep() returns trigger language plpgsql as $$ begin
			insert into lab.lookups values (new.tweet_db_id, new.snapshot_at, new.snapshot_provider, new.snapshot_retweets, new.snapshot_replies,
				new.snapshot_likes, new.snapshot_quotes, new.snapshot_views, new.snapshot_bookmarks);
			return null;
		end $$`,
		`create trigger keep after update on public.twitter_engagement_tracking for each row
			when (new.update_count > old.update_count and new.snapshot_at is distinct from old.snapshot_at)
			execute function lab.keep()`,
	} {
		if _, err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("keep all look-ups: %w", err)
		}
	}
	return nil
}

// Read returns the look-ups of each row that made a snapshot, in order of time: time,
// counts and provider.
func Read(ctx context.Context, db *postgres.DB) (map[uuid.UUID][]engagement.Snapshot, error) {
	rows, err := db.Query(ctx, `
		select tweet_id, at, coalesce(provider, ''), retweets, replies, likes, quotes, views, bookmarks
		from lab.lookups order by tweet_id, at`)
	if err != nil {
		return nil, fmt.Errorf("read the look-ups: %w", err)
	}
	defer rows.Close()
	all := make(map[uuid.UUID][]engagement.Snapshot)
	for rows.Next() {
		var (
			id uuid.UUID
			at time.Time
			c  postgres.Counts
			s  engagement.Snapshot
		)
		if err := rows.Scan(append([]any{&id, &at, &s.Provider}, c.Dest()...)...); err != nil {
			return nil, fmt.Errorf("read the look-ups: %w", err)
		}
		s.At, s.Metrics = at.UTC(), c.Metrics()
		all[id] = append(all[id], s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the look-ups: %w", err)
	}
	return all, nil
}
