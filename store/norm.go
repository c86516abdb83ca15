package store

import (
	"context"
	"fmt"
	"time"

	"gorgone/engagement"
)

// normHalfLife is after what engine time a look weighs half in the norm.
const normHalfLife = 6 * time.Hour

// ShareNorm adds what a replica learnt about how often tweets go, and returns what
// all of them know.
func (s *Store) ShareNorm(ctx context.Context, learnt engagement.Sample) (engagement.Norm, error) {
	const decay = `power(0.5, greatest(extract(epoch from $3::timestamptz - n.at), 0)::float8 / $4::float8)`
	const sql = `
		insert into gorgone.norm as n (looks, misses, at)
		values ($1::float8, greatest($2::float8, 0), $3::timestamptz)
		on conflict (only_row) do update set
			looks  = n.looks * ` + decay + ` + $1::float8,
			misses = greatest(n.misses * ` + decay + ` + $2::float8, 0),
			at     = greatest(n.at, $3::timestamptz)
		returning looks, misses`
	var n engagement.Norm
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	err := s.db.pool.QueryRow(ctx, sql, float64(learnt.Looks), float64(learnt.Misses), s.clock.Now(), normHalfLife.Seconds()).Scan(&n.Looks, &n.Misses)
	if err != nil {
		return engagement.Norm{}, fmt.Errorf("share how often tweets go: %w", err)
	}
	return n, nil
}
