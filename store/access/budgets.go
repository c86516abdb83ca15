package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/store/budget"
)

// ErrClientNotFound is returned for a client that does not exist.
var ErrClientNotFound = errors.New("there is no such client")

// SetZoneBudget replaces the caps and the weight of a zone, which are in its settings; the
// zero value removes them. It takes effect within a minute. The error is
// [store.ErrZoneNotFound], or says what is wrong with the caps.
func (s *Store) SetZoneBudget(ctx context.Context, zone uuid.UUID, caps budget.Caps) error {
	const sql = `
		update public.zones set settings = (coalesce(settings, '{}'::jsonb) - 'budget') || $2::text::jsonb
		where id = $1::uuid`
	keys := make(map[string]budget.Caps)
	if caps != (budget.Caps{}) {
		keys["budget"] = caps
	}
	text, err := encode(caps, keys)
	if err != nil {
		return err
	}
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	tag, err := s.db.Exec(ctx, sql, zone, text)
	if err != nil {
		return fmt.Errorf("set the budget of a zone: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%w: %s", store.ErrZoneNotFound, zone)
	}
	return nil
}

// SetClientBudget replaces the caps and the weight of a client, as set by someone; the zero
// value removes them. It takes effect within a minute. The error is [ErrClientNotFound], or
// says what is wrong with the caps.
func (s *Store) SetClientBudget(ctx context.Context, client uuid.UUID, caps budget.Caps, by string) error {
	const (
		remove = `delete from gorgone.client_budgets where client_id = $1::uuid`
		set    = `
			insert into gorgone.client_budgets (client_id, budget, changed_at, changed_by)
			select c.id, $2::text::jsonb, $3::timestamptz, $4::text from public.clients c where c.id = $1::uuid
			on conflict (client_id) do update set budget = excluded.budget, changed_at = excluded.changed_at, changed_by = excluded.changed_by`
	)
	text, err := encode(caps, caps)
	if err != nil {
		return err
	}
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	if caps == (budget.Caps{}) {
		if _, err := s.db.Exec(ctx, remove, client); err != nil {
			return fmt.Errorf("remove the budget of a client: %w", err)
		}
		return nil
	}
	tag, err := s.db.Exec(ctx, set, client, text, s.clock.Now(), by)
	if err != nil {
		return fmt.Errorf("set the budget of a client: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%w: %s", ErrClientNotFound, client)
	}
	return nil
}

func encode(caps budget.Caps, v any) (string, error) {
	if err := caps.Check(); err != nil {
		return "", err
	}
	text, err := json.Marshal(v)
	return string(text), err
}
