package alert

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ClaimDeliveries leases deliveries that are due, up to perWebhook of each webhook
// that is not in except, to the claim; an attempt of each counts as begun. When the
// lease (real time) ends before [Manager.Delivered] or [Manager.DeliveryFailed] is
// called, another sender takes them: whoever is told may hear of an alert twice,
// under the same id.
func (m *Manager) ClaimDeliveries(ctx context.Context, claim uuid.UUID, perWebhook int, lease time.Duration, except []uuid.UUID) ([]Delivery, error) {
	const sql = `
		with d as (
			update gorgone.alert_deliveries d
			set claim_id = $1::uuid, claimed_until = $3::timestamptz, attempts = attempts + 1
			from (
				select due.id from (
					select id from gorgone.webhooks where enabled
					union all select '00000000-0000-0000-0000-000000000000'
				) h
				cross join lateral (
					select id from gorgone.alert_deliveries
					where webhook_id = h.id and delivered_at is null and dead_at is null and due_at <= $2::timestamptz
					and (claimed_until is null or claimed_until <= $2::timestamptz)
					order by due_at limit $4::int4 for update skip locked) due
				where h.id <> all($5::uuid[])
			) due
			where d.id = due.id
			returning d.*
		)
		select ` + deliveryColumns + ` order by d.due_at, d.id`
	if except == nil {
		except = []uuid.UUID{} // nil is null, which nothing is unlike
	}
	now := m.clock.Now()
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	rows, err := m.db.Query(ctx, sql, claim, now, now.Add(m.clock.Engine(lease)), perWebhook, except)
	if err != nil {
		return nil, fmt.Errorf("claim deliveries of alerts: %w", err)
	}
	list, err := pgx.CollectRows(rows, m.scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("claim deliveries of alerts: %w", err)
	}
	return list, nil
}

// Delivered records that a delivery was made, unless the claim has lost it.
func (m *Manager) Delivered(ctx context.Context, claim, id uuid.UUID) error {
	return m.settle(ctx, `update gorgone.alert_deliveries
		set delivered_at = $3::timestamptz, claim_id = null, claimed_until = null, last_error = ''
		where id = $1::uuid and claim_id = $2::uuid and delivered_at is null`, id, claim, m.clock.Now())
}

// DeliveryFailed records that an attempt failed, unless the claim has lost the
// delivery: it is tried again after wait (real time), or given up.
func (m *Manager) DeliveryFailed(ctx context.Context, claim, id uuid.UUID, why string, wait time.Duration, giveUp bool) error {
	now := m.clock.Now()
	return m.settle(ctx, `update gorgone.alert_deliveries
		set due_at = $3::timestamptz, claim_id = null, claimed_until = null, last_error = $4::text,
			dead_at = case when $5::bool then $6::timestamptz end
		where id = $1::uuid and claim_id = $2::uuid and delivered_at is null and dead_at is null`,
		id, claim, now.Add(m.clock.Engine(wait)), why, giveUp, now)
}

func (m *Manager) settle(ctx context.Context, sql string, args ...any) error {
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	if _, err := m.db.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("record a delivery: %w", err)
	}
	return nil
}

// Deliveries returns deliveries to webhooks, the latest first; dead ones only, or
// all.
func (m *Manager) Deliveries(ctx context.Context, dead bool, limit int) ([]Delivery, error) {
	const sql = `
		with d as (
			select * from gorgone.alert_deliveries
			where webhook_id <> '00000000-0000-0000-0000-000000000000' and (not $1::bool or dead_at is not null)
			order by created_at desc, id limit $2::int4
		)
		select ` + deliveryColumns + ` order by d.created_at desc, d.id`
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	rows, err := m.db.Query(ctx, sql, dead, limit)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	list, err := pgx.CollectRows(rows, m.scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return list, nil
}

// RetryDeliveries makes dead deliveries due again, with all their attempts: those
// named, or all for nil. It returns how many there were.
func (m *Manager) RetryDeliveries(ctx context.Context, ids []uuid.UUID) (int, error) {
	const sql = `
		update gorgone.alert_deliveries set dead_at = null, attempts = 0, due_at = $2::timestamptz
		where dead_at is not null and ($1::uuid[] is null or id = any($1::uuid[]))`
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	tag, err := m.db.Exec(ctx, sql, ids, m.clock.Now())
	if err != nil {
		return 0, fmt.Errorf("retry deliveries: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
