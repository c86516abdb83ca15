package access

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"gorgone/store"
)

// SetZone replaces what a zone's settings say of its schedule by the given keys, which are
// some of schedule and min_engagement. Other keys stay. It takes effect within half a minute.
func (s *Store) SetZone(ctx context.Context, zone uuid.UUID, keys json.RawMessage) error {
	const sql = `
		update public.zones set settings = (coalesce(settings, '{}'::jsonb) - array['schedule', 'min_engagement']) || $2::text::jsonb
		where id = $1::uuid`
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	tag, err := s.db.Exec(ctx, sql, zone, string(keys))
	if err != nil {
		return fmt.Errorf("change the settings of a zone: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%w: %s", store.ErrZoneNotFound, zone)
	}
	return nil
}
