package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

// Schedule names a way to decide when to look at a tweet.
type Schedule string

// The schedules. A zone may have another than the rest, by the key "schedule" of
// its settings.
const (
	ScheduleTiers     Schedule = "tiers"      // by age alone, [engagement.TierPolicy]
	ScheduleAdaptive  Schedule = "adaptive"   // by worth, [engagement.Adaptive]
	ScheduleSmartStop Schedule = "smart_stop" // hourly until nothing happens, [engagement.SmartStop]
)

// Schedules lists the schedules.
func Schedules() []Schedule { return []Schedule{ScheduleTiers, ScheduleAdaptive, ScheduleSmartStop} }

// policiesLast is how long, in real time, settings, prices and models are gone by
// before they are read again.
const policiesLast = 30 * time.Second

// policies are what the rows of each zone are scheduled by. Zones are few, and
// read apart from the rows, which would cost every look a join.
type policies struct {
	reading sync.Mutex // one reads at a time

	mu       sync.RWMutex
	until    time.Time // engine time
	standard zonePolicy
	byZone   map[uuid.UUID]zonePolicy // those that differ
	spent    Spent
	alerts   []AlertRule
}

// zonePolicy is how the rows of a zone are scheduled and forecast.
type zonePolicy struct {
	engagement.Policy
	model    engagement.Model
	forecast bool
}

// Learn implements [engagement.Learner] where its policy does.
func (p zonePolicy) Learn(prev, next engagement.Tracking) engagement.Activity {
	return engagement.Learn(p.Policy, prev, next)
}

// zoneSettings is what a zone's own settings say.
type zoneSettings struct {
	minimum  int64    // least total engagement; 0: none
	schedule Schedule // "": as all
}

// readPolicies reads what schedules depend on, unless that was done a moment ago.
func (s *Store) readPolicies(ctx context.Context, anew bool) error {
	p := &s.policies
	p.mu.RLock()
	current := s.clock.Now().Before(p.until)
	p.mu.RUnlock()
	if current && !anew {
		return nil
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	p.mu.RLock()
	current = s.clock.Now().Before(p.until) // another has read them meanwhile
	p.mu.RUnlock()
	if current && !anew {
		return nil
	}
	now := s.clock.Now()
	spent, err := s.Spent(ctx)
	if err != nil {
		return err
	}
	zones, models, price, err := s.readScheduling(ctx)
	if err != nil {
		return err
	}
	alerts, err := s.AlertRules(ctx)
	if err != nil {
		return err
	}
	standard := s.policyFor(zoneSettings{}, modelOf(models, uuid.Nil), price, spent)
	byZone := make(map[uuid.UUID]zonePolicy, len(zones))
	for zone := range models {
		byZone[zone] = s.policyFor(zones[zone], modelOf(models, zone), price, spent)
	}
	for zone, settings := range zones {
		byZone[zone] = s.policyFor(settings, modelOf(models, zone), price, spent)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.standard, p.byZone, p.spent, p.alerts = standard, byZone, spent, alerts
	p.until = now.Add(s.clock.Engine(policiesLast))
	return nil
}

// readScheduling reads the zones with settings of their own, the models, and the
// price of a look.
func (s *Store) readScheduling(ctx context.Context) (zones map[uuid.UUID]zoneSettings, models map[uuid.UUID]zoneModel, price float64, err error) {
	const selectZones = `
		select id,
			coalesce(case when jsonb_typeof(settings->'min_engagement') = 'number' and (settings->>'min_engagement')::numeric >= 1
				then least(trunc((settings->>'min_engagement')::numeric), 2147483647)::int8 end, 0),
			coalesce(settings->>'schedule', '')
		from public.zones where settings ?| array['min_engagement', 'schedule']`
	zones, models = make(map[uuid.UUID]zoneSettings), make(map[uuid.UUID]zoneModel)
	price = s.options.Price
	var b pgx.Batch
	b.Queue(selectZones).Query(func(rows pgx.Rows) error {
		var zone uuid.UUID
		var own zoneSettings
		_, err := pgx.ForEachRow(rows, []any{&zone, &own.minimum, &own.schedule}, func() error {
			zones[zone] = own
			return nil
		})
		return err
	})
	b.Queue(selectModels).Query(scanModels(models))
	b.Queue(`select price from gorgone.look_price`).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&price}, func() error { return nil })
		return err
	})
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	if err := s.db.pool.SendBatch(ctx, &b).Close(); err != nil {
		return nil, nil, 0, fmt.Errorf("read the zones' settings: %w", err)
	}
	return zones, models, price, nil
}

// zoneModel is what was learnt of a zone.
type zoneModel struct {
	engagement.Model
	quartiles []float64 // see [engagement.SmartStop]
}

// modelOf returns the model of a zone, or that of all, or the one to begin with.
func modelOf(models map[uuid.UUID]zoneModel, zone uuid.UUID) zoneModel {
	for _, id := range []uuid.UUID{zone, uuid.Nil} {
		if m, ok := models[id]; ok {
			return m
		}
	}
	return zoneModel{Model: engagement.DefaultModel()}
}

// policyFor builds a policy.
func (s *Store) policyFor(own zoneSettings, m zoneModel, price float64, spent Spent) zonePolicy {
	schedule := own.schedule
	if schedule == "" {
		schedule = s.options.Schedule
	}
	p := zonePolicy{model: m.Model, forecast: s.options.Forecast}
	switch schedule {
	case ScheduleAdaptive:
		// Its price is what meets the budget; nothing more need be saved.
		p.Policy = engagement.DefaultAdaptive(m.Model, price)
	case ScheduleSmartStop:
		p.Policy = engagement.Thrift{Policy: engagement.DefaultSmartStop(m.Model, m.quartiles), Used: spent.Pressure()}
	default:
		// Also what a zone's settings misspell: the tweets are looked after.
		p.Policy = engagement.Thrift{Policy: s.options.Policy, Used: spent.Pressure()}
		if p.forecast {
			p.Policy = engagement.Learning{Policy: p.Policy, Model: m.Model}
		}
	}
	if own.minimum > 0 {
		p.Policy = engagement.Selective{Policy: p.Policy, Minimum: own.minimum}
	}
	return p
}

// policyOf returns the policy for the rows of a zone.
func (s *Store) policyOf(zone uuid.UUID) zonePolicy {
	s.policies.mu.RLock()
	defer s.policies.mu.RUnlock()
	if p, ok := s.policies.byZone[zone]; ok {
		return p
	}
	if s.policies.standard.Policy == nil { // nothing was read yet
		return zonePolicy{Policy: s.options.Policy, model: engagement.DefaultModel()}
	}
	return s.policies.standard
}

// predict makes the forecast of a tweet that was just looked at. A tweet that was
// at rest before and still is keeps the one it has: most looks are at such ones.
func (p zonePolicy) predict(out *RowOutcome) *engagement.Forecast {
	moved := out.After.Metrics != out.Before.Metrics || out.Before.Activity.Delta != 0
	if !p.forecast || out.Snapshot == nil || !moved {
		return nil
	}
	var last *engagement.Snapshot
	if t := out.Before; !t.SnapshotAt.IsZero() {
		last = &engagement.Snapshot{At: t.SnapshotAt, Metrics: t.Snapshot}
	}
	f, ok := p.model.Forecast(out.After, last)
	if !ok {
		return nil
	}
	return &f
}
