package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

var (
	// ErrAlertRuleNotFound is returned for an alert rule that does not exist.
	ErrAlertRuleNotFound = errors.New("alert rule not found")
	// ErrWebhookNotFound is returned for a webhook that does not exist.
	ErrWebhookNotFound = errors.New("webhook not found")
)

// AlertRule says of what in a zone somebody wants to be told. Its durations are
// engine time.
type AlertRule struct {
	engagement.AlertRule

	ID   uuid.UUID
	Zone uuid.UUID // zero: all zones
	Name string
}

// AlertRules returns all rules, the oldest first.
func (s *Store) AlertRules(ctx context.Context) ([]AlertRule, error) {
	const sql = `
		select id, coalesce(zone_id, '00000000-0000-0000-0000-000000000000'), name, kind, threshold, metric, tier, window_s, cooldown_s
		from gorgone.alert_rules order by created_at, id`
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	rows, err := s.db.pool.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("read the alert rules: %w", err)
	}
	rules, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r AlertRule, err error) {
		var window, cooldown float64
		err = row.Scan(&r.ID, &r.Zone, &r.Name, (*string)(&r.Kind), &r.Threshold, &r.Metric, (*string)(&r.Tier), &window, &cooldown)
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

// AddAlertRule adds a rule and returns it with its id. It counts here at once, and
// for other processes within half a minute. An empty name is made from what the rule looks for.
func (s *Store) AddAlertRule(ctx context.Context, r AlertRule) (AlertRule, error) {
	if err := r.Validate(); err != nil {
		return AlertRule{}, fmt.Errorf("add an alert rule: %w", err)
	}
	if r.Zone != uuid.Nil {
		if _, err := s.Zone(ctx, r.Zone); err != nil {
			return AlertRule{}, fmt.Errorf("add an alert rule: %w", err)
		}
	}
	var err error
	if r.ID, err = uuid.NewV7(); err != nil {
		return AlertRule{}, fmt.Errorf("make an id: %w", err)
	}
	if r.Name == "" {
		r.Name = r.String()
	}
	const sql = `
		insert into gorgone.alert_rules (id, zone_id, name, kind, threshold, metric, tier, window_s, cooldown_s, created_at)
		values ($1::uuid, $2::uuid, $3::text, $4::text, $5::float8, $6::text, $7::text, $8::float8, $9::float8, $10::timestamptz)`
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	_, err = s.db.pool.Exec(ctx, sql, r.ID, nullID(r.Zone), r.Name, string(r.Kind), r.Threshold, r.Metric, string(r.Tier),
		r.Window.Seconds(), r.Cooldown.Seconds(), s.clock.Now())
	if err != nil {
		return AlertRule{}, fmt.Errorf("add an alert rule: %w", err)
	}
	return r, s.readPolicies(ctx, true) // here it counts at once
}

// RemoveAlertRule removes a rule. Its alerts stay on record, and are over.
func (s *Store) RemoveAlertRule(ctx context.Context, id uuid.UUID) error {
	removed := false
	err := s.db.transact(ctx, "remove an alert rule", func(ctx context.Context, t *tx) error {
		b := t.group()
		var ids []uuid.UUID
		b.Queue(`delete from gorgone.alert_rules where id = $1::uuid returning id`, id).Query(collect(&ids, pgx.RowTo[uuid.UUID]))
		b.Queue(`update gorgone.alerts set cleared_at = $2::timestamptz where rule_id = $1::uuid and cleared_at is null`, id, s.clock.Now())
		err := t.send(ctx, b)
		removed = len(ids) > 0
		return err
	})
	if err == nil && !removed {
		err = fmt.Errorf("%w: %s", ErrAlertRuleNotFound, id)
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

// alertRules are the rules as they were read last, half a minute ago at most.
func (s *Store) alertRules() []AlertRule {
	s.policies.mu.RLock()
	defer s.policies.mu.RUnlock()
	return s.policies.alerts
}

// in reports whether the rule is for a zone.
func (r AlertRule) in(zone uuid.UUID) bool { return r.Zone == uuid.Nil || r.Zone == zone }
