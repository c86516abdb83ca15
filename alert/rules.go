package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

var (
	// ErrRuleNotFound is returned for an alert rule that does not exist.
	ErrRuleNotFound = errors.New("alert rule not found")
	// ErrWebhookNotFound is returned for a webhook that does not exist.
	ErrWebhookNotFound = errors.New("webhook not found")

	// ErrRotating is returned when a secret is to be rotated that was rotated a while ago.
	ErrRotating = errors.New("the secret before this one still signs")
)

// Rule is a condition on the tweets of a zone that raises an alert. Its durations are
// engine time.
type Rule struct {
	engagement.AlertRule

	ID       uuid.UUID
	Zone     uuid.UUID // zero: all zones
	Name     string
	Disabled bool
}

// Rules returns all rules, the oldest first.
func (m *Manager) Rules(ctx context.Context) ([]Rule, error) {
	const sql = `
		select id, coalesce(zone_id, '00000000-0000-0000-0000-000000000000'), name, kind, threshold, metric, tier, window_s, cooldown_s, not enabled
		from gorgone.alert_rules order by created_at, id`
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	rows, err := m.db.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("read the alert rules: %w", err)
	}
	rules, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Rule, err error) {
		var window, cooldown float64
		err = row.Scan(&r.ID, &r.Zone, &r.Name, (*string)(&r.Kind), &r.Threshold, &r.Metric, (*string)(&r.Tier), &window, &cooldown, &r.Disabled)
		r.Window, r.Cooldown = spanOf(window), spanOf(cooldown)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the alert rules: %w", err)
	}
	return rules, nil
}

// spanOf makes a duration of seconds.
func spanOf(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// AddRule adds a rule and returns it with its id. It is in force here at once, and
// for other processes within half a minute. An empty name is made from what the rule looks for.
func (m *Manager) AddRule(ctx context.Context, r Rule) (Rule, error) {
	var err error
	if r.ID, err = uuid.NewV7(); err != nil {
		return Rule{}, fmt.Errorf("make an id: %w", err)
	}
	const sql = `
		insert into gorgone.alert_rules (id, zone_id, name, kind, threshold, metric, tier, window_s, cooldown_s, enabled, created_at)
		values ($1::uuid, $2::uuid, $3::text, $4::text, $5::float8, $6::text, $7::text, $8::float8, $9::float8, $10::bool, $11::timestamptz)`
	if _, err := m.writeRule(ctx, sql, &r, m.clock.Now()); err != nil {
		return Rule{}, fmt.Errorf("add an alert rule: %w", err)
	}
	return r, m.Load(ctx) // here it counts at once
}

// UpdateRule replaces the rule with the same id. What it was alerting on is over when it
// is switched off.
func (m *Manager) UpdateRule(ctx context.Context, r Rule) (Rule, error) {
	const sql = `
		with changed as (
			update gorgone.alert_rules set zone_id = $2::uuid, name = $3::text, kind = $4::text, threshold = $5::float8, metric = $6::text,
				tier = $7::text, window_s = $8::float8, cooldown_s = $9::float8, enabled = $10::bool
			where id = $1::uuid returning id, enabled
		), over as (
			update gorgone.alerts a set cleared_at = $11::timestamptz from changed c
			where a.rule_id = c.id and not c.enabled and a.cleared_at is null
		)
		select id from changed`
	n, err := m.writeRule(ctx, sql, &r, m.clock.Now())
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: %s", ErrRuleNotFound, r.ID)
	}
	if err != nil {
		return Rule{}, fmt.Errorf("change an alert rule: %w", err)
	}
	return r, m.Load(ctx)
}

// writeRule checks and writes a rule; one without a name is named for what it looks for.
func (m *Manager) writeRule(ctx context.Context, sql string, r *Rule, now time.Time) (rows int64, err error) {
	if err := r.Validate(); err != nil {
		return 0, err
	}
	if r.Zone != uuid.Nil {
		if _, err := store.FindZone(ctx, m.db, r.Zone); err != nil {
			return 0, err
		}
	}
	if r.Name == "" {
		r.Name = r.String()
	}
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	tag, err := m.db.Exec(ctx, sql, r.ID, nullID(r.Zone), r.Name, string(r.Kind), r.Threshold, r.Metric, string(r.Tier),
		r.Window.Seconds(), r.Cooldown.Seconds(), !r.Disabled, now)
	return tag.RowsAffected(), err
}

// enabled returns the rules of a kind that are not switched off.
func (m *Manager) enabled(ctx context.Context, kind engagement.AlertKind) ([]Rule, error) {
	rules, err := m.Rules(ctx)
	return slices.DeleteFunc(rules, func(r Rule) bool { return r.Kind != kind || r.Disabled }), err
}

// RemoveRule removes a rule. Its alerts stay on record, and are over.
func (m *Manager) RemoveRule(ctx context.Context, id uuid.UUID) error {
	removed := false
	err := m.db.Transact(ctx, "remove an alert rule", func(ctx context.Context, t *postgres.Tx) error {
		b := t.Group()
		var ids []uuid.UUID
		b.Queue(`delete from gorgone.alert_rules where id = $1::uuid returning id`, id).Query(postgres.Collect(&ids, pgx.RowTo[uuid.UUID]))
		b.Queue(`update gorgone.alerts set cleared_at = $2::timestamptz where rule_id = $1::uuid and cleared_at is null`, id, m.clock.Now())
		err := t.Send(ctx, b)
		removed = len(ids) > 0
		return err
	})
	if err == nil && !removed {
		err = fmt.Errorf("%w: %s", ErrRuleNotFound, id)
	}
	return err
}

// nullID makes null of the zero id.
func nullID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// in reports whether the rule is for a zone.
func (r Rule) covers(zone uuid.UUID) bool { return r.Zone == uuid.Nil || r.Zone == zone }
