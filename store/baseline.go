package store

import (
	"context"
	"fmt"
	"time"

	"gorgone/engagement"
)

// baselineHalfLife is the engine time after which a look-up counts half in the baseline.
const baselineHalfLife = 6 * time.Hour

// ShareBaseline adds a replica's sample of how often tweets are missing to the baseline
// miss rate that all replicas share, and returns that.
func (s *Store) ShareBaseline(ctx context.Context, sample engagement.Sample) (engagement.Baseline, error) {
	const decay = `power(0.5, greatest(extract(epoch from $3::timestamptz - n.at), 0)::float8 / $4::float8)`
	const sql = `
		insert into gorgone.norm as n (looks, misses, at)
		values ($1::float8, greatest($2::float8, 0), $3::timestamptz)
		on conflict (only_row) do update set
			looks  = n.looks * ` + decay + ` + $1::float8,
			misses = greatest(n.misses * ` + decay + ` + $2::float8, 0),
			at     = case when n.at > $3::timestamptz + $5::interval then $3::timestamptz else greatest(n.at, $3::timestamptz) end
		returning looks, misses`
	var n engagement.Baseline
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	err := s.db.QueryRow(ctx, sql, float64(sample.Lookups), float64(sample.Misses), s.clock.Now(), baselineHalfLife.Seconds(), aheadBy).Scan(&n.Lookups, &n.Misses)
	if err != nil {
		return engagement.Baseline{}, fmt.Errorf("share the baseline miss rate: %w", err)
	}
	return n, nil
}
