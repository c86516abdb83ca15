package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
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
	Value     float64   // what was measured, in the rule's unit; of stalled, seconds
	Threshold float64   // 0: the rule has none
	Message   string    // for people
	RaisedAt  time.Time // engine time
	ClearedAt time.Time // zero: active
}

// subject is what the alert is about.
func (a Alert) subject() uuid.UUID {
	if a.Row == uuid.Nil {
		return a.Zone
	}
	return a.Row
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
func (m alertMoves) queue(b *pgx.Batch, now time.Time) {
	if len(m.cleared) > 0 {
		b.Queue(clearAlerts, slices.SortedFunc(slices.Values(m.cleared), compareIDs), now)
	}
	n := len(m.raised)
	if n == 0 {
		return
	}
	var (
		ids, rules, zones, subjects, rows = make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n)
		names, kinds, tweets, messages    = make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		values, thresholds                = make([]*float64, n), make([]*float64, n)
		cleared                           = make([]*time.Time, n)
	)
	for i := range m.raised {
		a := &m.raised[i]
		ids[i], rules[i], zones[i], subjects[i], rows[i] = uuid.Must(uuid.NewV7()), a.RuleID, a.Zone, a.subject(), a.Row
		names[i], kinds[i], tweets[i], messages[i] = a.Rule, string(a.Kind), a.TweetID, a.Message
		values[i], cleared[i] = &a.Value, nullTime(a.ClearedAt)
		if a.Threshold != 0 {
			thresholds[i] = &a.Threshold
		}
	}
	b.Queue(insertAlerts, ids, rules, names, kinds, zones, subjects, rows, tweets, values, thresholds, messages, now, cleared)
}

// AlertQuery selects alerts.
type AlertQuery struct {
	Zones  []uuid.UUID // nil: all
	Active bool        // only those that are not over
	Since  time.Time   // raised then or later
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

// Alerts returns alerts, the latest first.
func (s *Store) Alerts(ctx context.Context, q AlertQuery) ([]Alert, error) {
	const sql = selectAlerts + `
		where ($1::uuid[] is null or a.zone_id = any($1::uuid[]))
		and (not $2::bool or a.cleared_at is null) and a.raised_at >= $3::timestamptz
		order by a.raised_at desc, a.id desc limit $4::int4 offset $5::int4`
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	rows, err := s.db.pool.Query(ctx, sql, q.Zones, q.Active, q.Since, q.Limit, q.Offset)
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Alert, err error) {
		var cleared *time.Time
		err = row.Scan(a.dest(&cleared)...)
		a.RaisedAt, a.ClearedAt = a.RaisedAt.UTC(), timeOf(cleared)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	return list, nil
}

// PruneAlerts forgets alerts that were over before the given engine time, and
// their deliveries but for those that are still to be made.
func (s *Store) PruneAlerts(ctx context.Context, before time.Time) (int, error) {
	const sql = `
		delete from gorgone.alerts a where a.id in (
			select a.id from gorgone.alerts a where a.cleared_at < $1::timestamptz
			and not exists (select from gorgone.alert_deliveries d where d.alert_id = a.id and d.delivered_at is null and d.dead_at is null)
			limit 5000)`
	const deliveries = `delete from gorgone.alert_deliveries where created_at < $1::timestamptz and (delivered_at is not null or dead_at is not null)`
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	tag, err := s.db.pool.Exec(ctx, sql, before)
	if err == nil {
		_, err = s.db.pool.Exec(ctx, deliveries, before)
	}
	if err != nil {
		return 0, fmt.Errorf("prune alerts: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
