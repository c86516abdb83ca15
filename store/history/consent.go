package history

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// Cut is what a retention would remove now.
type Cut struct {
	Adopted bool      // the history was there before the engine, in one table
	Before  time.Time // points older than this go
	Oldest  time.Time // time of the oldest point; zero: there is none
	Points  int64     // how many go: counted on an adopted history, else estimated from the days' statistics

	ConsentBy string    // who agreed to it; empty: it was not asked
	ConsentAt time.Time // engine time
}

// Waiting reports whether points are old enough to be removed, and r may not remove them:
// it is a default, to which consent was not given, or may not be.
func (c Cut) Waiting(r Retention) bool { return c.due(r) && !c.Allowed(r) }

func (c Cut) due(r Retention) bool {
	return r.Full > 0 && !c.Oldest.IsZero() && c.Oldest.Before(c.Before)
}

// Allowed reports whether r may remove anything: the operator chose it, or agreed to the
// default on a history that is all the engine's own.
func (c Cut) Allowed(r Retention) bool { return r.Chosen || !c.Adopted && c.ConsentBy != "" }

// Preview returns what r removes, now or once it may. It counts at most 100,000 points of
// an adopted history.
func (a *Archive) Preview(ctx context.Context, r Retention) (Cut, error) {
	cut, err := a.cut(ctx, r)
	if err != nil || cut.Oldest.IsZero() {
		return cut, err
	}
	ctx, cancel := a.db.Bounded(ctx)
	defer cancel()
	if err := a.db.QueryRow(ctx, countBefore(!cut.Adopted), cut.Before).Scan(&cut.Points); err != nil {
		return Cut{}, fmt.Errorf("count the old points of the history: %w", err)
	}
	return cut, nil
}

// cut is Preview without the number of points.
func (a *Archive) cut(ctx context.Context, r Retention) (Cut, error) {
	partitioned, err := a.partitioned(ctx)
	if err != nil {
		return Cut{}, fmt.Errorf("look how history is kept: %w", err)
	}
	cut := Cut{Adopted: !partitioned, Before: a.clock.Now().Add(-r.total()).Truncate(day)}
	if r.Hourly > 0 || r.Daily > 0 { // what is older than Full is thinned
		cut.Before = a.clock.Now().Add(-r.Full).Truncate(day)
	}
	ctx, cancel := a.db.Bounded(ctx)
	defer cancel()
	if cut.ConsentBy, cut.ConsentAt, err = a.consent(ctx); err != nil {
		return Cut{}, fmt.Errorf("read who agreed to the retention: %w", err)
	}
	var oldest *time.Time
	if err := a.db.QueryRow(ctx, `select min(at) from (`+firstPoint(partitioned)+`) f (at)`).Scan(&oldest); err != nil {
		return Cut{}, fmt.Errorf("look for the oldest point of the history: %w", err)
	}
	if oldest != nil {
		cut.Oldest = oldest.UTC()
	}
	return cut, nil
}

// firstPoint finds the time of the oldest point; of a partition, its first day.
func firstPoint(partitioned bool) string {
	if partitioned {
		return firstDay(true) + ` union all select min(snapshot_at) from gorgone.history_default`
	}
	return firstDay(false)
}

// countBefore counts the points before $1; of partitions by statistics.
func countBefore(partitioned bool) string {
	if partitioned {
		return `
			select coalesce(sum(greatest(c.reltuples, 0) * least(1, extract(epoch from $1::timestamptz - p.first) / extract(epoch from p.past - p.first))), 0)::int8
				+ (select count(*) from gorgone.history_default where snapshot_at < $1::timestamptz)
			from (` + postgres.HistoryPartitions + `) p
			join pg_class c on c.relnamespace = to_regnamespace('gorgone') and c.relname = p.name
			where p.first < $1::timestamptz`
	}
	return `
		select count(*)::int8 from (
			select from public.twitter_engagement_history where snapshot_at < $1::timestamptz limit 100000) p`
}

// Consent stores that a person agrees to the default retention. It holds for this database
// until the history is adopted from elsewhere, which no default may touch.
func (a *Archive) Consent(ctx context.Context, by string) error {
	ctx, cancel := a.db.Bounded(ctx)
	defer cancel()
	_, err := a.db.Exec(ctx, `
		insert into gorgone.history_consent (given_by, given_at) values ($1::text, $2::timestamptz)
		on conflict (id) do update set given_by = excluded.given_by, given_at = excluded.given_at`, by, a.clock.Now())
	if err != nil {
		return fmt.Errorf("store who agrees to the retention: %w", err)
	}
	return nil
}

// consent returns who agreed to the default retention, if anybody did.
func (a *Archive) consent(ctx context.Context) (by string, at time.Time, err error) {
	rows, err := a.db.Query(ctx, `select given_by, given_at from gorgone.history_consent`)
	if err != nil {
		return "", time.Time{}, err
	}
	type row struct {
		By string
		At time.Time
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil || len(all) == 0 {
		return "", time.Time{}, err
	}
	return all[0].By, all[0].At.UTC(), nil
}
