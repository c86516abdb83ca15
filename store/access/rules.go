package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// ErrRuleNotFound is returned for a filter rule that is not known, not active, or
// of a zone that is not active.
var ErrRuleNotFound = errors.New("no active zone has this filter rule")

// ZoneOfRule returns the zone that tweets pushed by one of the provider's filter
// rules are collected for.
func (s *Store) ZoneOfRule(ctx context.Context, externalID string) (uuid.UUID, error) {
	const sql = `
		select r.zone_id from public.twitter_rules r join public.zones z on z.id = r.zone_id
		where r.external_rule_id = $1::text and coalesce(r.is_active, true) and ` + postgres.ActiveZone + `
		order by r.id limit 1`
	if !utf8.ValidString(externalID) || strings.ContainsRune(externalID, 0) { // no text of Postgres
		return uuid.Nil, fmt.Errorf("%w: %.80q", ErrRuleNotFound, externalID)
	}
	var zone uuid.UUID
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	err := s.db.QueryRow(ctx, sql, externalID).Scan(&zone)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return uuid.Nil, fmt.Errorf("%w: %.80q", ErrRuleNotFound, externalID)
	case err != nil:
		return uuid.Nil, fmt.Errorf("look up filter rule: %w", err)
	}
	return zone, nil
}
