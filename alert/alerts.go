package alert

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// Alert is something that a rule told of.
type Alert struct {
	ID        uuid.UUID
	RuleID    uuid.UUID
	Rule      string // its name then
	Kind      engagement.AlertKind
	Zone      uuid.UUID
	Row       uuid.UUID // of the tweet; zero: the alert is about the zone
	TweetID   string    // at the provider; empty likewise
	Text      string    // of the tweet
	About     uuid.UUID // of neither a tweet nor a zone; zero: it is about one
	Value     float64   // what was measured, in the rule's unit; of stalled, seconds
	Threshold float64   // 0: the rule has none
	Message   string    // for people
	RaisedAt  time.Time // engine time
	ClearedAt time.Time // zero: active
}

// subject is what the alert is about.
func (a Alert) subject() uuid.UUID {
	switch {
	case a.About != uuid.Nil:
		return a.About
	case a.Row == uuid.Nil:
		return a.Zone
	default:
		return a.Row
	}
}

// EventsWebhook stands for those who watch live, in deliveries.
var EventsWebhook = uuid.Nil

const (
	// insertAlerts also writes down who is to be told. An alert that is active
	// already is left: two dispatchers may look for stalled tweets at once.
	insertAlerts = `
		with raised as (
			insert into gorgone.alerts (id, rule_id, rule, kind, zone_id, subject, tweet_db_id, tweet_id, value, threshold, message, raised_at, cleared_at)
			select u.id, u.rule_id, u.rule, u.kind, u.zone_id, u.subject,
				nullif(u.row_id, '00000000-0000-0000-0000-000000000000'), u.tweet_id, u.value, u.threshold, u.message, $12::timestamptz, u.cleared
			from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[],
				$9::float8[], $10::float8[], $11::text[], $13::timestamptz[])
				u (id, rule_id, rule, kind, zone_id, subject, row_id, tweet_id, value, threshold, message, cleared)
			on conflict (rule_id, subject) where cleared_at is null do nothing
			returning id, zone_id
		)
		insert into gorgone.alert_deliveries (id, alert_id, webhook_id, created_at, due_at)
		select gen_random_uuid(), r.id, h.id, $12::timestamptz, $12::timestamptz
		from raised r
		join (
			select id, zone_id from gorgone.webhooks where enabled
			union all select '00000000-0000-0000-0000-000000000000', null
		) h on h.zone_id is null or h.zone_id = r.zone_id`

	clearAlerts = `update gorgone.alerts set cleared_at = $2::timestamptz where id = any($1::uuid[]) and cleared_at is null`
)

// queue adds the statements that record the moves to a group: none for none.
func (v changes) queue(b *pgx.Batch, now time.Time) {
	if len(v.cleared) > 0 {
		b.Queue(clearAlerts, slices.SortedFunc(slices.Values(v.cleared), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }), now)
	}
	n := len(v.raised)
	if n == 0 {
		return
	}
	var (
		ids, rules, zones, subjects, rows = make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n)
		names, kinds, tweets, messages    = make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		values, thresholds                = make([]*float64, n), make([]*float64, n)
		cleared                           = make([]*time.Time, n)
	)
	for i := range v.raised {
		a := &v.raised[i]
		ids[i], rules[i], zones[i], subjects[i], rows[i] = uuid.Must(uuid.NewV7()), a.RuleID, a.Zone, a.subject(), a.Row
		names[i], kinds[i], tweets[i], messages[i] = a.Rule, string(a.Kind), a.TweetID, a.Message
		values[i], cleared[i] = &a.Value, postgres.NullTime(a.ClearedAt)
		if a.Threshold != 0 {
			thresholds[i] = &a.Threshold
		}
	}
	b.Queue(insertAlerts, ids, rules, names, kinds, zones, subjects, rows, tweets, values, thresholds, messages, now, cleared)
}

// Query selects alerts.
type Query struct {
	Zones  []uuid.UUID          // nil: all
	Active bool                 // only those that are not over
	Kind   engagement.AlertKind // "": all
	Rule   uuid.UUID            // zero: of all
	Since  time.Time            // raised then or later
	Offset int
	Limit  int
}

// selectAlerts are the columns of scanAlert.
const selectAlerts = `
	select a.id, a.rule_id, a.rule, a.kind, a.zone_id, coalesce(a.tweet_db_id, '00000000-0000-0000-0000-000000000000'), a.tweet_id,
		coalesce(w.text, ''), a.value, coalesce(a.threshold, 0), a.message, a.raised_at, a.cleared_at
	from gorgone.alerts a left join public.twitter_tweets w on w.id = a.tweet_db_id`

func (a *Alert) dest(cleared **time.Time) []any {
	return []any{
		&a.ID, &a.RuleID, &a.Rule, (*string)(&a.Kind), &a.Zone, &a.Row, &a.TweetID,
		&a.Text, &a.Value, &a.Threshold, &a.Message, &a.RaisedAt, cleared,
	}
}

// matchingAlerts are those that a [Query] selects.
const matchingAlerts = `
	where ($1::uuid[] is null or a.zone_id = any($1::uuid[]))
	and (not $2::bool or a.cleared_at is null) and a.raised_at >= $3::timestamptz
	and ($4::text = '' or a.kind = $4::text) and ($5::uuid = '00000000-0000-0000-0000-000000000000' or a.rule_id = $5::uuid)`

// CountAlerts returns how many alerts there are on all pages of a query.
func (m *Manager) CountAlerts(ctx context.Context, q Query) (n int, err error) {
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	const sql = `select count(*) from gorgone.alerts a` + matchingAlerts
	if err := m.db.QueryRow(ctx, sql, q.Zones, q.Active, q.Since, string(q.Kind), q.Rule).Scan(&n); err != nil {
		return 0, fmt.Errorf("count alerts: %w", err)
	}
	return n, nil
}

// Alerts returns alerts, the latest first.
func (m *Manager) Alerts(ctx context.Context, q Query) ([]Alert, error) {
	const sql = selectAlerts + matchingAlerts + `
		order by a.raised_at desc, a.id desc limit $6::int4 offset $7::int4`
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	rows, err := m.db.Query(ctx, sql, q.Zones, q.Active, q.Since, string(q.Kind), q.Rule, q.Limit, q.Offset)
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Alert, err error) {
		var cleared *time.Time
		err = row.Scan(a.dest(&cleared)...)
		a.RaisedAt, a.ClearedAt = a.RaisedAt.UTC(), postgres.TimeOf(cleared)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	return list, nil
}

// Prune deletes alerts that were over before the given engine time, and
// their deliveries but for those that are still to be made; and secrets of webhooks that
// no longer sign.
func (m *Manager) Prune(ctx context.Context, before time.Time) (int, error) {
	const sql = `
		delete from gorgone.alerts a where a.id in (
			select a.id from gorgone.alerts a where a.cleared_at < $1::timestamptz
			and not exists (select from gorgone.alert_deliveries d where d.alert_id = a.id and d.delivered_at is null and d.dead_at is null)
			limit 5000)`
	const deliveries = `delete from gorgone.alert_deliveries where created_at < $1::timestamptz and (delivered_at is not null or dead_at is not null)`
	const secrets = `update gorgone.webhooks set previous_secret = '', previous_until = null where previous_until <= $1::timestamptz`
	ctx, cancel := m.db.Bounded(ctx)
	defer cancel()
	tag, err := m.db.Exec(ctx, sql, before)
	if err == nil {
		_, err = m.db.Exec(ctx, deliveries, before)
	}
	if err == nil {
		_, err = m.db.Exec(ctx, secrets, m.clock.Now())
	}
	if err != nil {
		return 0, fmt.Errorf("prune alerts: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
