package alert

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// manyStalled is how many tweets of a zone are told of one by one. More are the
// zone's trouble, of which is told once.
const manyStalled = 20

// stalledRow is a tweet whose look has been due for too long.
type stalledRow struct {
	rule    int // place among the rules
	zone    uuid.UUID
	row     uuid.UUID
	tweetID string
	due     time.Time
}

// CheckStalled raises and clears the alerts on tweets that should have been looked
// at long ago, and clears those that nothing can clear any more: of tweets that are
// not tracked, and velocities and forecasts of those that are not looked at. Any
// number of processes may do so at once.
func (m *Manager) CheckStalled(ctx context.Context) error {
	rules, err := m.enabled(ctx, engagement.AlertStalled)
	if err != nil {
		return err
	}
	return m.db.Transact(ctx, "check for stalled tweets", func(ctx context.Context, t *postgres.Tx) error {
		now := m.clock.Now()
		stalled, states, err := readStalled(ctx, t, rules, now)
		if err != nil {
			return err
		}
		b := t.Group()
		decideStalled(rules, stalled, states, now).queue(b, now)
		b.Queue(clearOrphans, now)
		return t.Send(ctx, b)
	})
}

const clearOrphans = `
	update gorgone.alerts a set cleared_at = $1::timestamptz
	where a.cleared_at is null and a.tweet_db_id is not null and not exists (
		select from public.twitter_engagement_tracking k
		where k.tweet_db_id = a.tweet_db_id and (a.kind not in ('velocity', 'forecast', 'burst') or k.next_update_at is not null))`

// selectStalled finds, for each rule and zone, rows that have been due since before
// some time: by the index of what is due those that wait
// for nothing else, and by that of what waits for another try those that do.
const selectStalled = `
	select r.n, z.id, l.id, w.tweet_id, l.due
	from unnest($1::uuid[], $2::timestamptz[]) with ordinality r (zone_id, before, n)
	join public.zones z on ` + postgres.ActiveZone + `
		and (r.zone_id = z.id or r.zone_id = '00000000-0000-0000-0000-000000000000')
	cross join lateral (
		select k.tweet_db_id as id, k.next_update_at as due from public.twitter_engagement_tracking k
		where k.zone_id = z.id and k.next_update_at is not null and greatest(k.next_update_at, k.retry_at) < r.before
		union all
		select k.tweet_db_id, k.next_update_at from public.twitter_engagement_tracking k
		where k.zone_id = z.id and k.retry_at is not null and k.next_update_at < r.before and k.retry_at >= r.before
		limit $3::int4) l
	join public.twitter_tweets w on w.id = l.id`

func readStalled(ctx context.Context, t *postgres.Tx, rules []Rule, now time.Time) ([]stalledRow, lastAlerts, error) {
	const last = `select ` + alertColumns + ` from gorgone.alerts a where a.kind = 'stalled'` + alertOrder
	zones, before := make([]uuid.UUID, len(rules)), make([]time.Time, len(rules))
	for i, r := range rules {
		zones[i], before[i] = r.Zone, now.Add(-r.Window)
	}
	var stalled []stalledRow
	states := make(lastAlerts)
	b := t.Group()
	b.Queue(selectStalled, zones, before, manyStalled+1).Query(postgres.Collect(&stalled, func(row pgx.CollectableRow) (r stalledRow, err error) {
		err = row.Scan(&r.rule, &r.zone, &r.row, &r.tweetID, &r.due)
		r.rule--
		return r, err
	}))
	b.Queue(last).Query(states.scan)
	if err := t.Send(ctx, b); err != nil {
		return nil, nil, fmt.Errorf("look for stalled tweets: %w", err)
	}
	return stalled, states, nil
}

func decideStalled(rules []Rule, stalled []stalledRow, states lastAlerts, now time.Time) changes {
	type place struct {
		rule int
		zone uuid.UUID
	}
	var (
		moves  changes
		byZone = make(map[place][]stalledRow)
		met    = make(map[stateKey]bool)
	)
	for _, r := range stalled {
		byZone[place{r.rule, r.zone}] = append(byZone[place{r.rule, r.zone}], r)
	}
	raise := func(rule *Rule, a Alert) {
		key := stateKey{a.subject(), rule.ID}
		met[key] = true
		state := states[key]
		if _, move := rule.Step(state.AlertState, engagement.AlertReading{Value: a.Value, Over: true}, now); move == engagement.AlertRaised {
			a.RuleID, a.Rule, a.Kind, a.RaisedAt = rule.ID, rule.Name, rule.Kind, now
			a.Threshold = rule.Window.Seconds()
			moves.raised = append(moves.raised, a)
		}
	}
	crowded := make(map[uuid.UUID]bool) // rules with a zone of which not all tweets were read
	for p, rows := range byZone {
		rule := &rules[p.rule]
		oldest := slices.MinFunc(rows, func(a, b stalledRow) int { return a.due.Compare(b.due) }).due
		if len(rows) > manyStalled {
			crowded[rule.ID] = true
			raise(rule, Alert{
				Zone: p.zone, Value: now.Sub(oldest).Seconds(),
				Message: fmt.Sprintf("Tracking of a zone stands still: more than %d tweets have been due for more than %s", manyStalled, rule.Window),
			})
			continue
		}
		for _, r := range rows {
			raise(rule, Alert{
				Zone: r.zone, Row: r.row, TweetID: r.tweetID, Value: now.Sub(r.due).Seconds(),
				Message: fmt.Sprintf("Tweet %s should have been looked at %s ago", r.tweetID, now.Sub(r.due).Round(time.Minute)),
			})
		}
	}
	for key, state := range states {
		if state.Active && !met[key] && !crowded[key.rule] {
			moves.cleared = append(moves.cleared, state.id)
		}
	}
	return moves
}
