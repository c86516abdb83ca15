package alert

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// alertKey names a rule and what it is about: a tweet's row, or a zone.
type stateKey struct{ subject, rule uuid.UUID }

// alertState is the last alert of a rule on a subject.
type lastAlert struct {
	engagement.AlertState

	id uuid.UUID
}

type lastAlerts map[stateKey]lastAlert

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

func (a lastAlerts) scan(rows pgx.Rows) error {
	var (
		key   stateKey
		state lastAlert
	)
	_, err := pgx.ForEachRow(rows, []any{&key.subject, &key.rule, &state.id, &state.RaisedAt, &state.Active}, func() error {
		a[key] = state
		return nil
	})
	return err
}

// alertMoves are the alerts that a transaction raises and clears.
type changes struct {
	raised  []Alert
	cleared []uuid.UUID
}

// watch evaluates the rules in one try of a transaction.
type watch struct {
	rules  []Rule
	states lastAlerts // the last alerts on the rows
	moves  changes
}

// QueueRead reads the last alerts on the rows, when there are rules at all.
func (w *watch) QueueRead(b *pgx.Batch, of store.Locked) {
	switch {
	case len(w.rules) == 0:
	case of.Rows != nil:
		b.Queue(alertsOfRows, of.Rows).Query(w.states.scan)
	default:
		b.Queue(alertsOfTweets, of.Tweets).Query(w.states.scan)
	}
}

// QueueWrites records which alerts were raised and cleared.
func (w *watch) QueueWrites(b *pgx.Batch, now time.Time) { w.moves.queue(b, now) }

// Decide decides which alerts to raise and to clear. It reads history only for rows
// whose velocity could be beyond a threshold and whose last snapshot is too young to
// tell.
func (w *watch) Decide(ctx context.Context, t *postgres.Tx, rows []store.AppliedRow, now time.Time) error {
	if len(w.rules) == 0 {
		return nil
	}
	var open []undecided
	for i := range rows {
		out := &rows[i]
		look := inputOf(out)
		if !look.Observed && !look.Deleted && !out.TierChanged() {
			continue
		}
		for j := range w.rules {
			rule := &w.rules[j]
			if !rule.covers(out.ZoneID) {
				continue
			}
			if rule.Kind == engagement.AlertForecast && look.Forecast == nil {
				look.Forecast = out.Forecast() // only where a rule reads it
			}
			if rule.Kind == engagement.AlertBurst && look.Surprise == nil {
				look.Surprise = out.Surprise()
			}
			state := w.states[stateKey{out.Row, rule.ID}]
			if rule.Kind != engagement.AlertVelocity {
				if reading, ok := rule.Read(look, state.RaisedAt.IsZero()); ok {
					w.moves.step(rule, state, reading, out, look, now)
				}
				continue
			}
			ref, found, older := rule.Reference(look)
			switch {
			case found:
				if reading, ok := rule.Velocity(look, ref); ok {
					w.moves.step(rule, state, reading, out, look, now)
				}
			case older, state.Active && look.Snapshot != nil:
				open = append(open, undecided{rule, state, out, look})
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	refs, err := readReferences(ctx, t, open)
	if err != nil {
		return err
	}
	for i, c := range open {
		if reading, ok := c.rule.Velocity(c.look, refs[i]); ok {
			w.moves.step(c.rule, c.state, reading, c.out, c.look, now)
		}
	}
	return nil
}

// inputOf is what rules read of an outcome.
func inputOf(out *store.AppliedRow) engagement.AlertInput {
	return engagement.AlertInput{
		Before: out.Before, After: out.After, Observed: out.Outcome == engagement.RowApplied,
		Deleted: out.Outcome == engagement.RowDeleted && !out.Before.Gone(), // by this look

		Snapshot: out.Snapshot,
	}
}

// step moves an alert on a tweet on.
func (m *changes) step(rule *Rule, state lastAlert, reading engagement.AlertReading, out *store.AppliedRow, look engagement.AlertInput, now time.Time) {
	switch _, move := rule.Step(state.AlertState, reading, now); move {
	case engagement.AlertRaised:
		a := Alert{
			RuleID: rule.ID, Rule: rule.Name, Kind: rule.Kind, Zone: out.ZoneID, Row: out.Row, TweetID: out.TweetID,
			Value: reading.Value, Threshold: rule.Threshold, RaisedAt: now, Message: sentence(rule, reading.Value, out, look),
		}
		if reading.Momentary {
			a.ClearedAt = now
		}
		m.raised = append(m.raised, a)
	case engagement.AlertCleared:
		m.cleared = append(m.cleared, state.id)
	case engagement.AlertUnchanged:
	}
}

// sentence says for people what happened.
func sentence(rule *Rule, value float64, out *store.AppliedRow, look engagement.AlertInput) string {
	tweet := "Tweet " + out.TweetID
	en := message.NewPrinter(language.English) // groups digits
	switch rule.Kind {
	case engagement.AlertVelocity:
		return en.Sprintf("%s passed %.0f engagements an hour: %.0f", tweet, rule.Threshold, value)
	case engagement.AlertCount:
		return en.Sprintf("%s passed %.0f %s: %.0f", tweet, rule.Threshold, metricWords(rule.Metric), value)
	case engagement.AlertForecast:
		return en.Sprintf("%s is expected to pass %.0f %s within %.0f h: %.0f", tweet, rule.Threshold, metricWords(rule.Metric), rule.Window.Hours(), value)
	case engagement.AlertBurst:
		s := look.Surprise
		return en.Sprintf("%s gained %d engagements in %s, where %.1f were expected (a chance of 1 in 10^%.0f)", tweet, s.Gained, s.Over.Round(time.Minute), s.Expected, s.Digits)
	case engagement.AlertTier:
		return fmt.Sprintf("%s moved from %s to %s", tweet, out.Before.Tier, out.After.Tier)
	case engagement.AlertDeleted:
		return tweet + " is gone: it was deleted, or is not public any more"
	default:
		return tweet + ": " + rule.String()
	}
}

// metricWords names a count for people.
func metricWords(metric string) string {
	if metric == engagement.AlertTotal {
		return "engagements"
	}
	return metric
}

// velocityCase is a velocity that only an older snapshot can tell.
type undecided struct {
	rule  *Rule
	state lastAlert
	out   *store.AppliedRow
	look  engagement.AlertInput
}

// referenceAge is how far back from its window a reference is sought. A tweet that
// was looked at a moment ago was looked at within a day, and each day has a point.
const referenceAge = engagement.MaxAlertWindow + 24*time.Hour

// readReferences reads for each case the last snapshot that is at least the window
// old, and whether the provider changed since; zero when there is none. Where the total
// is the same before and after, it was that at the window's beginning: look-ups that find
// nothing new are not recorded one by one.
func readReferences(ctx context.Context, t *postgres.Tx, cases []undecided) ([]engagement.Reference, error) {
	const sql = `
		select u.n, case when later.total = h.total_engagement then u.high else h.snapshot_at end, coalesce(h.total_engagement, 0)::int8, exists (
			select from public.twitter_engagement_history c
			where c.tweet_id = u.id and c.snapshot_at > h.snapshot_at and c.provider_changed
			and c.snapshot_at >= $4::timestamptz and c.snapshot_at <= $5::timestamptz)
		from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) with ordinality u (id, low, high, n)
		cross join lateral (
			select h.snapshot_at, h.total_engagement from public.twitter_engagement_history h
			where h.tweet_id = u.id and h.snapshot_at <= u.high and h.snapshot_at >= u.low
			and h.snapshot_at >= $4::timestamptz and h.snapshot_at <= $5::timestamptz
			order by h.snapshot_at desc limit 1) h
		left join lateral (
			select s.total from ` + postgres.Curve + ` s
			where s.tweet_id = u.id and s.snapshot_at > u.high
			and s.snapshot_at >= $4::timestamptz and s.snapshot_at <= $5::timestamptz
			order by s.snapshot_at limit 1) later on true`
	ids := make([]uuid.UUID, len(cases))
	low, high := make([]time.Time, len(cases)), make([]time.Time, len(cases))
	first, last := cases[0].look.Snapshot.At, cases[0].look.Snapshot.At
	for i, c := range cases {
		high[i] = c.look.Snapshot.At.Add(-c.rule.Window)
		ids[i], low[i] = c.out.Row, high[i].Add(-referenceAge)
		if low[i].Before(first) {
			first = low[i]
		}
		if c.look.Snapshot.At.After(last) {
			last = c.look.Snapshot.At
		}
	}
	refs := make([]engagement.Reference, len(cases))
	err := t.ReadPlanned(ctx, func(rows pgx.Rows) error {
		var (
			n   int
			ref engagement.Reference
		)
		_, err := pgx.ForEachRow(rows, []any{&n, &ref.At, &ref.Total, &ref.Changed}, func() error {
			refs[n-1] = ref
			return nil
		})
		return err
	}, sql, ids, low, high, first, last)
	if err != nil {
		return nil, fmt.Errorf("read older snapshots: %w", err)
	}
	return refs, nil
}
