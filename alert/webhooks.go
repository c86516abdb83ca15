package alert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store"
	"gorgone/store/postgres"
)

// Webhook is an address that alerts are posted to. Its URL and what signs are secrets:
// none belongs in a log.
type Webhook struct {
	ID       uuid.UUID
	Zone     uuid.UUID // zero: alerts of all zones
	URL      string
	Secret   string // signs what is sent
	Format   string // json or slack
	Enabled  bool
	Disabled string // why it is not enabled

	Previous      string    // signs too, while the secret is rotated; empty: no other
	PreviousUntil time.Time // engine time; zero: no other
}

const selectWebhooks = `
	select id, coalesce(zone_id, '00000000-0000-0000-0000-000000000000'), url, secret, format, enabled, disabled,
		previous_secret, previous_until from gorgone.webhooks`

func (m *Manager) scanWebhook(row pgx.CollectableRow) (w Webhook, err error) {
	var until *time.Time
	err = row.Scan(&w.ID, &w.Zone, &w.URL, &w.Secret, &w.Format, &w.Enabled, &w.Disabled, &w.Previous, &until)
	w.PreviousUntil = postgres.TimeOf(until)
	w.dropPrevious(m.clock.Now())
	return w, err
}

// Webhooks returns all webhooks, the oldest first.
func (m *Manager) Webhooks(ctx context.Context) ([]Webhook, error) {
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	rows, err := m.db.Query(ctx, selectWebhooks+` order by created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("read webhooks: %w", err)
	}
	list, err := pgx.CollectRows(rows, m.scanWebhook)
	if err != nil {
		return nil, fmt.Errorf("read webhooks: %w", err)
	}
	return list, nil
}

// AddWebhook adds a webhook, which is told of alerts from now on.
func (m *Manager) AddWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	if w.Zone != uuid.Nil {
		if _, err := store.FindZone(ctx, m.db, w.Zone); err != nil {
			return Webhook{}, fmt.Errorf("add a webhook: %w", err)
		}
	}
	var err error
	if w.ID, err = uuid.NewV7(); err != nil {
		return Webhook{}, fmt.Errorf("make an id: %w", err)
	}
	w.Enabled = true
	const sql = `
		insert into gorgone.webhooks (id, zone_id, url, secret, format, created_at)
		values ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::timestamptz)`
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	if _, err := m.db.Exec(ctx, sql, w.ID, nullID(w.Zone), w.URL, w.Secret, w.Format, m.clock.Now()); err != nil {
		return Webhook{}, fmt.Errorf("add a webhook: %w", err)
	}
	return w, nil
}

// UpdateWebhook changes the zone, the format and whether it is enabled of the webhook with
// the same id, and its address where one is given. Messages that wait for one that is
// switched off are sent when it is on again.
func (m *Manager) UpdateWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	if w.Zone != uuid.Nil {
		if _, err := store.FindZone(ctx, m.db, w.Zone); err != nil {
			return Webhook{}, fmt.Errorf("change a webhook: %w", err)
		}
	}
	const sql = `
		update gorgone.webhooks set zone_id = $2::uuid, format = $3::text, enabled = $4::bool, url = coalesce(nullif($5::text, ''), url),
			disabled = case when $4::bool then '' when enabled then 'switched off' else disabled end
		where id = $1::uuid
		returning id, coalesce(zone_id, '00000000-0000-0000-0000-000000000000'), url, secret, format, enabled, disabled,
			previous_secret, previous_until`
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	rows, err := m.db.Query(ctx, sql, w.ID, nullID(w.Zone), w.Format, w.Enabled, w.URL)
	if err != nil {
		return Webhook{}, fmt.Errorf("change a webhook: %w", err)
	}
	changed, err := pgx.CollectExactlyOneRow(rows, m.scanWebhook)
	if errors.Is(err, pgx.ErrNoRows) {
		return Webhook{}, fmt.Errorf("%w: %s", ErrWebhookNotFound, w.ID)
	}
	if err != nil {
		return Webhook{}, fmt.Errorf("change a webhook: %w", err)
	}
	return changed, nil
}

// RemoveWebhook removes a webhook, and what was still to be sent to it.
func (m *Manager) RemoveWebhook(ctx context.Context, id uuid.UUID) error {
	removed := false
	err := m.db.Transact(ctx, "remove a webhook", func(ctx context.Context, t *postgres.Tx) error {
		var ids []uuid.UUID
		b := t.Group()
		b.Queue(`delete from gorgone.webhooks where id = $1::uuid returning id`, id).Query(postgres.Collect(&ids, pgx.RowTo[uuid.UUID]))
		if id != EventsWebhook {
			b.Queue(`delete from gorgone.alert_deliveries where webhook_id = $1::uuid`, id)
		}
		err := t.Send(ctx, b)
		removed = len(ids) > 0
		return err
	})
	if err == nil && !removed {
		err = fmt.Errorf("%w: %s", ErrWebhookNotFound, id)
	}
	return err
}

// StopWebhook has a webhook get nothing any more, and gives up what was still to
// be sent to it.
func (m *Manager) StopWebhook(ctx context.Context, id uuid.UUID, why string) error {
	return m.db.Transact(ctx, "stop a webhook", func(ctx context.Context, t *postgres.Tx) error {
		b := t.Group()
		b.Queue(`update gorgone.webhooks set enabled = false, disabled = $2::text where id = $1::uuid`, id, why)
		b.Queue(`
			update gorgone.alert_deliveries set dead_at = $3::timestamptz, last_error = $2::text, claim_id = null, claimed_until = null
			where webhook_id = $1::uuid and delivered_at is null and dead_at is null`, id, why, m.clock.Now())
		return t.Send(ctx, b)
	})
}

// EnableWebhook has a webhook that was stopped get alerts again.
func (m *Manager) EnableWebhook(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	tag, err := m.db.Exec(ctx, `update gorgone.webhooks set enabled = true, disabled = '' where id = $1::uuid`, id)
	if err != nil {
		return fmt.Errorf("enable a webhook: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%w: %s", ErrWebhookNotFound, id)
	}
	return nil
}

// Delivery is an alert to be sent to a webhook.
type Delivery struct {
	ID          uuid.UUID // the same however often it is sent
	Alert       Alert
	Webhook     Webhook // the zero value but for its id: those who watch live
	Attempts    int     // begun so far
	CreatedAt   time.Time
	DueAt       time.Time
	DeliveredAt time.Time // zero: not yet
	DeadAt      time.Time // zero: not given up
	Error       string    // of the last attempt
}

const deliveryColumns = `
	d.id, d.webhook_id, d.attempts, d.created_at, d.due_at, d.delivered_at, d.dead_at, d.last_error,
	coalesce(h.url, ''), coalesce(h.secret, ''), coalesce(h.format, ''), coalesce(h.previous_secret, ''), h.previous_until,
	a.id, a.rule_id, a.rule, a.kind, a.zone_id, coalesce(a.tweet_db_id, '00000000-0000-0000-0000-000000000000'), a.tweet_id,
	coalesce(w.text, ''), a.value, coalesce(a.threshold, 0), a.message, a.raised_at, a.cleared_at
	from d join gorgone.alerts a on a.id = d.alert_id
	left join gorgone.webhooks h on h.id = d.webhook_id
	left join public.twitter_tweets w on w.id = a.tweet_db_id`

func (m *Manager) scanDelivery(row pgx.CollectableRow) (d Delivery, err error) {
	var delivered, dead, cleared, previous *time.Time
	err = row.Scan(append([]any{
		&d.ID, &d.Webhook.ID, &d.Attempts, &d.CreatedAt, &d.DueAt, &delivered, &dead, &d.Error,
		&d.Webhook.URL, &d.Webhook.Secret, &d.Webhook.Format, &d.Webhook.Previous, &previous,
	}, d.Alert.dest(&cleared)...)...)
	d.DeliveredAt, d.DeadAt, d.Alert.ClearedAt = postgres.TimeOf(delivered), postgres.TimeOf(dead), postgres.TimeOf(cleared)
	d.Alert.RaisedAt = d.Alert.RaisedAt.UTC()
	d.Webhook.PreviousUntil = postgres.TimeOf(previous)
	d.Webhook.dropPrevious(m.clock.Now())
	return d, err
}
