package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ErrRuleNotFound is returned for a filter rule that is not known, not active, or
// of a zone that is not active.
var ErrRuleNotFound = errors.New("filter rule not found")

// ZoneOfRule returns the zone that tweets pushed by one of the provider's filter
// rules are collected for.
func (s *Store) ZoneOfRule(ctx context.Context, externalID string) (uuid.UUID, error) {
	const sql = `
		select r.zone_id from public.twitter_rules r join public.zones z on z.id = r.zone_id
		where r.external_rule_id = $1::text and coalesce(r.is_active, true) and coalesce(z.is_active, true)
		order by r.id limit 1`
	var zone uuid.UUID
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	err := s.db.pool.QueryRow(ctx, sql, externalID).Scan(&zone)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return uuid.Nil, fmt.Errorf("%w: %.80q", ErrRuleNotFound, externalID)
	case err != nil:
		return uuid.Nil, fmt.Errorf("look up filter rule: %w", err)
	}
	return zone, nil
}
