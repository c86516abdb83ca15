package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

// alertKey names a rule and what it is about: a tweet's row, or a zone.
type alertKey struct{ subject, rule uuid.UUID }

// alertState is the last alert of a rule on a subject.
type alertState struct {
	engagement.AlertState

	id uuid.UUID
}

type alertStates map[alertKey]alertState

// The last alerts of rows that are locked. They are in an index, and few.
const (
	alertColumns = `distinct on (a.subject, a.rule_id) a.subject, a.rule_id, a.id, a.raised_at, a.cleared_at is null`
	alertOrder   = ` order by a.subject, a.rule_id, a.raised_at desc, a.cleared_at desc nulls first`

	alertsOfRows = `
		select ` + alertColumns + ` from gorgone.alerts a
		where a.subject = any($1::uuid[])` + alertOrder

	alertsOfTweets = `
		select ` + alertColumns + ` from gorgone.alerts a
		where a.subject = any(array(select w.id from public.twitter_tweets w where w.tweet_id = any($1::text[])))` + alertOrder
)

func (a alertStates) scan(rows pgx.Rows) error {
	var (
		key   alertKey
		state alertState
	)
	_, err := pgx.ForEachRow(rows, []any{&key.subject, &key.rule, &state.id, &state.RaisedAt, &state.Active}, func() error {
		a[key] = state
		return nil
	})
	return err
}

// watchedBy returns the statement when there are rules at all.
func (s *Store) watchedBy(sql string) string {
	if len(s.alertRules()) == 0 {
		return ""
	}
	return sql
}

// alertMoves are the alerts that a transaction raises and clears.
type alertMoves struct {
	raised  []Alert
	cleared []uuid.UUID
}

// judgeAlerts decides, under the locks of the rows, of what somebody is to be
// told. It reads history only for rows whose velocity could be beyond a threshold
// and whose last snapshot is too young to tell.
func (s *Store) judgeAlerts(ctx context.Context, t *tx, rows []RowOutcome, held locked, now time.Time) (alertMoves, error) {
	var moves alertMoves
	rules := s.alertRules()
	if len(rules) == 0 {
		return moves, nil
	}
	var open []velocityCase
	for i := range rows {
		out := &rows[i]
		look := lookOf(out)
		if !look.Seen && !look.Deleted && !out.TierChanged() {
			continue
		}
		for j := range rules {
			rule := &rules[j]
			if !rule.in(out.ZoneID) {
				continue
			}
			state := held.alerts[alertKey{out.Row, rule.ID}]
			if rule.Kind != engagement.AlertVelocity {
				if reading, ok := rule.Read(look, state.RaisedAt.IsZero()); ok {
					moves.step(rule, state, reading, out, now)
				}
				continue
			}
			ref, found, older := rule.Reference(look)
			switch {
			case found:
				if reading, ok := rule.Velocity(look, ref); ok {
					moves.step(rule, state, reading, out, now)
				}
			case older, state.Active && look.Snapshot != nil:
				open = append(open, velocityCase{rule, state, out, look})
			}
		}
	}
	if len(open) == 0 {
		return moves, nil
	}
	refs, err := readReferences(ctx, t, open)
	if err != nil {
		return moves, err
	}
	for i, c := range open {
		if reading, ok := c.rule.Velocity(c.look, refs[i]); ok {
			moves.step(c.rule, c.state, reading, c.out, now)
		}
	}
	return moves, nil
}

// lookOf is what alerts judge of an outcome.
func lookOf(out *RowOutcome) engagement.Look {
	return engagement.Look{
		Before: out.Before, After: out.After, Seen: out.Outcome == OutcomeApplied,
		Deleted: out.Outcome == OutcomeDeleted && !out.Before.Gone(), // by this look

		Snapshot: out.Snapshot, Forecast: out.Forecast,
	}
}

// step moves an alert on a tweet on.
func (m *alertMoves) step(rule *AlertRule, state alertState, reading engagement.AlertReading, out *RowOutcome, now time.Time) {
	switch _, move := rule.Step(state.AlertState, reading, now); move {
	case engagement.AlertRaised:
		a := Alert{
			RuleID: rule.ID, Rule: rule.Name, Kind: rule.Kind, Zone: out.ZoneID, Row: out.Row, TweetID: out.TweetID,
			Value: reading.Value, Threshold: rule.Threshold, RaisedAt: now, Message: message(rule, reading.Value, out),
		}
		if reading.Brief {
			a.ClearedAt = now
		}
		m.raised = append(m.raised, a)
	case engagement.AlertCleared:
		m.cleared = append(m.cleared, state.id)
	case engagement.AlertStays:
	}
}

// message says for people what happened.
func message(rule *AlertRule, value float64, out *RowOutcome) string {
	tweet := "Tweet " + out.TweetID
	switch rule.Kind {
	case engagement.AlertVelocity:
		return fmt.Sprintf("%s gains %.0f engagements an hour (threshold %.0f)", tweet, value, rule.Threshold)
	case engagement.AlertCount:
		return fmt.Sprintf("%s has %.0f %s (threshold %.0f)", tweet, value, rule.Metric, rule.Threshold)
	case engagement.AlertForecast:
		return fmt.Sprintf("%s will have %.0f %s in %.0f h (threshold %.0f)", tweet, value, rule.Metric, rule.Window.Hours(), rule.Threshold)
	case engagement.AlertTier:
		return fmt.Sprintf("%s moved from %s to %s", tweet, out.Before.Tier, out.After.Tier)
	case engagement.AlertDeleted:
		return tweet + " is gone: it was deleted, or is not public any more"
	default:
		return tweet + ": " + rule.String()
	}
}

// velocityCase is a velocity that only an older snapshot can tell.
type velocityCase struct {
	rule  *AlertRule
	state alertState
	out   *RowOutcome
	look  engagement.Look
}

// referenceAge is how far back from its window a reference is sought. A tweet that
// was looked at a moment ago was looked at within that time.
const referenceAge = engagement.MaxAlertWindow

// readReferences reads for each case the last snapshot that is at least the window
// old, and whether the provider changed since; zero when there is none.
func readReferences(ctx context.Context, t *tx, cases []velocityCase) ([]engagement.Reference, error) {
	const sql = `
		select u.n, h.snapshot_at, coalesce(h.total_engagement, 0)::int8, exists (
			select from public.twitter_engagement_history c
			where c.tweet_id = u.id and c.snapshot_at > h.snapshot_at and c.provider_changed)
		from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) with ordinality u (id, low, high, n)
		cross join lateral (
			select h.snapshot_at, h.total_engagement from public.twitter_engagement_history h
			where h.tweet_id = u.id and h.snapshot_at <= u.high and h.snapshot_at >= u.low
			order by h.snapshot_at desc limit 1) h`
	ids := make([]uuid.UUID, len(cases))
	low, high := make([]time.Time, len(cases)), make([]time.Time, len(cases))
	for i, c := range cases {
		high[i] = c.look.Snapshot.At.Add(-c.rule.Window)
		ids[i], low[i] = c.out.Row, high[i].Add(-referenceAge)
	}
	refs := make([]engagement.Reference, len(cases))
	b := t.group()
	b.Queue(sql, ids, low, high).Query(func(rows pgx.Rows) error {
		var (
			n   int
			ref engagement.Reference
		)
		_, err := pgx.ForEachRow(rows, []any{&n, &ref.At, &ref.Total, &ref.Changed}, func() error {
			refs[n-1] = ref
			return nil
		})
		return err
	})
	if err := t.send(ctx, b); err != nil {
		return nil, fmt.Errorf("read older snapshots: %w", err)
	}
	return refs, nil
}
