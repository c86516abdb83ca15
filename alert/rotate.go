package alert

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// RotateWebhook gives a webhook a new secret. For the overlap (real time) the one it had
// signs beside it, so that a receiver changes over without losing a message; until that
// is over, another rotation fails with [ErrRotating]. Without an overlap only the new
// secret signs from now on.
func (m *Manager) RotateWebhook(ctx context.Context, id uuid.UUID, secret string, overlap time.Duration) error {
	const sql = `
		update gorgone.webhooks
		set previous_secret = case when $4::bool then secret else '' end,
			previous_until = case when $4::bool then $5::timestamptz end, secret = $2::text
		where id = $1::uuid and (not $4::bool or previous_until is null or previous_until <= $3::timestamptz)`
	now := m.clock.Now()
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	tag, err := m.db.Exec(ctx, sql, id, secret, now, overlap > 0, now.Add(m.clock.Engine(overlap)))
	if err != nil {
		return fmt.Errorf("rotate the secret of a webhook: %w", err)
	}
	if tag.RowsAffected() > 0 {
		return nil
	}
	var exists bool
	if err := m.db.QueryRow(ctx, `select exists (select from gorgone.webhooks where id = $1::uuid)`, id).Scan(&exists); err != nil {
		return fmt.Errorf("rotate the secret of a webhook: %w", err)
	}
	if !exists {
		return fmt.Errorf("%w: %s", ErrWebhookNotFound, id)
	}
	return ErrRotating
}

// dropPrevious sets aside what no longer signs.
func (w *Webhook) dropPrevious(now time.Time) {
	if !w.PreviousUntil.After(now) {
		w.Previous, w.PreviousUntil = "", time.Time{}
	}
}
