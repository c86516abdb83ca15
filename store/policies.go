package store

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/budget"
	"gorgone/store/keys"
	"gorgone/store/models"
)

// Schedule names a way to decide when to look at a tweet.
type Schedule string

// The schedules. A zone may have another than the rest, by the key "schedule" of
// its settings.
const (
	ScheduleTiers    Schedule = "tiers"    // by age alone, [engagement.TierPolicy]
	ScheduleAdaptive Schedule = "adaptive" // by worth, [engagement.Adaptive]
)

// Schedules lists the schedules.
func Schedules() []Schedule { return []Schedule{ScheduleTiers, ScheduleAdaptive} }

// policiesMaxAge is how long, in real time, settings, prices and models are gone by
// before they are read again.
const policiesMaxAge = 30 * time.Second

// PoliciesKnown is how long it takes, in real time, until all processes go by what was
// changed of a zone's policy.
const PoliciesKnown = 2 * policiesMaxAge

// TrialClosing is the age of the last look-up of tweets that take part in a trial of the
// adaptive schedule: when that is done with all of them.
const TrialClosing = 48 * time.Hour

// policies are what the rows of each zone are scheduled by. Zones are few, and
// read apart from the rows, which would cost every look a join.
type policies struct {
	reading sync.Mutex // one reads at a time

	mu       sync.RWMutex
	readAt   time.Time       // engine time
	standard *zonePolicy     // nil: nothing was read yet
	tenants  *budget.Tenants // nil: likewise
	keys     keys.Zones
	byZone   map[uuid.UUID]*zonePolicy // those that differ
}

// zonePolicy is how the rows of a zone are scheduled and forecast. It is not changed
// once made.
type zonePolicy struct {
	engagement.Policy
	schedule Schedule
	model    engagement.Model
	forecast bool
	dayPass  bool // it goes by which days are paid for
}

// Learn implements [engagement.Learner] where its policy does.
func (p *zonePolicy) Learn(prev, next engagement.Tracking) engagement.Activity {
	return engagement.Learn(p.Policy, prev, next)
}

// recent reports whether an engine time is less than d of real time ago. A time that lies
// in the future was read before the clock was set back, and is not: what goes by it would
// stand still until the clock has caught up.
func (s *Store) recent(at time.Time, d time.Duration) bool {
	age := s.clock.Now().Sub(at)
	return !at.IsZero() && age >= 0 && age < s.clock.Engine(d)
}

// readPolicies reads what schedules depend on, unless that was done a moment ago.
func (s *Store) readPolicies(ctx context.Context, force bool) error {
	p := &s.policies
	p.mu.RLock()
	current := s.recent(p.readAt, policiesMaxAge)
	p.mu.RUnlock()
	if current && !force {
		return nil
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	p.mu.RLock()
	current = s.recent(p.readAt, policiesMaxAge) // another has read them meanwhile
	p.mu.RUnlock()
	if current && !force {
		return nil
	}
	now := s.clock.Now()
	spent, err := s.Spending(ctx)
	if err != nil {
		return err
	}
	zones, fitted, tenants, own, price, err := s.readScheduling(ctx)
	if err != nil {
		return err
	}
	if err := s.options.Watcher.Load(ctx); err != nil {
		return err
	}
	standard := s.policyFor(models.Settings{}, models.Of(fitted, uuid.Nil), price, spent)
	byZone := make(map[uuid.UUID]*zonePolicy, len(zones))
	for zone := range fitted {
		byZone[zone] = s.policyFor(zones[zone], models.Of(fitted, zone), price, spent)
	}
	for zone, settings := range zones {
		byZone[zone] = s.policyFor(settings, models.Of(fitted, zone), price, spent)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.standard, p.byZone, p.tenants, p.keys = standard, byZone, tenants, own
	p.readAt = now
	return nil
}

// readScheduling reads the zones with settings of their own, the models, the caps, whose
// keys look zones up, and the price of a look.
func (s *Store) readScheduling(ctx context.Context) (zones map[uuid.UUID]models.Settings, fitted map[uuid.UUID]engagement.Model, tenants *budget.Tenants, own keys.Zones, price float64, err error) {
	zones, fitted, tenants = make(map[uuid.UUID]models.Settings), make(map[uuid.UUID]engagement.Model), new(budget.Tenants)
	price = s.options.Price
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	err = s.db.Send(ctx, func(b *pgx.Batch) {
		models.QueueSettings(b, s.clock.Now(), zones)
		b.Queue(models.Select).Query(models.Scan(fitted))
		budget.QueueRead(b, tenants)
		keys.QueueRead(b, &own)
		b.Queue(`select price from gorgone.look_price`).Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&price}, func() error { return nil })
			return err
		})
	})
	if err != nil {
		return nil, nil, nil, nil, 0, fmt.Errorf("read the zones' settings: %w", err)
	}
	return zones, fitted, tenants, own, price, nil
}

// policyFor builds a policy.
func (s *Store) policyFor(own models.Settings, m engagement.Model, price float64, spent Spending) *zonePolicy {
	schedule := cmp.Or(Schedule(own.Schedule), s.options.Schedule)
	p := &zonePolicy{model: m, forecast: s.options.Forecast}
	p.schedule = ScheduleTiers
	switch schedule {
	case ScheduleAdaptive:
		p.schedule = ScheduleAdaptive
		// Its price is what meets the budget; nothing more need be saved.
		p.Policy, p.dayPass = s.adaptive(m, price), s.dayPass()
	default:
		// A value that is not known, in a zone's settings, means the tiers too.
		p.dayPass = s.dayPass() && (spent.Budget.Day > 0 || spent.Budget.Month > 0)
		p.Policy = engagement.BudgetControl{Policy: s.options.Policy, Used: spent.Pressure(), DayPass: p.dayPass}
		if p.forecast {
			p.Policy = engagement.Learning{Policy: p.Policy, Model: m}
		}
		if own.Trial != nil {
			p.Policy = own.Trial.Split(p.Policy, m, TrialClosing)
		}
	}
	if own.Minimum > 0 {
		p.Policy = engagement.Selective{Policy: p.Policy, Minimum: own.Minimum}
	}
	return p
}

// dayPass reports whether the main provider charges for a tweet once a UTC day, so that
// schedules go by which days are paid for.
func (s *Store) dayPass() bool { return s.options.Prices[s.options.Provider].DayPass }

// adaptive returns the adaptive policy at a price.
func (s *Store) adaptive(m engagement.Model, price float64) engagement.Adaptive {
	a := engagement.DefaultAdaptive(m, price)
	if s.dayPass() {
		a.Again = engagement.RepeatShare
	}
	return a
}

// policyOf returns the policy for the rows of a zone.
func (s *Store) policyOf(zone uuid.UUID) *zonePolicy {
	s.policies.mu.RLock()
	defer s.policies.mu.RUnlock()
	if p, ok := s.policies.byZone[zone]; ok {
		return p
	}
	if s.policies.standard == nil {
		return &zonePolicy{Policy: s.options.Policy, model: engagement.DefaultModel()}
	}
	return s.policies.standard
}

// Scheduled returns what says by which schedule the tweets of a zone go, trials left out: a
// trial is of half of a zone that goes by the tiers. What it says is at most [PoliciesKnown] old.
func (s *Store) Scheduled(ctx context.Context) (of func(zone uuid.UUID) Schedule, err error) {
	if err := s.readPolicies(ctx, false); err != nil {
		return nil, err
	}
	return func(zone uuid.UUID) Schedule { return cmp.Or(s.policyOf(zone).schedule, ScheduleTiers) }, nil
}

// forecastOf says where the counts of a tweet will be, from its state after a look-up
// and the snapshot before that look-up; nil: none. It returns nil when forecasts are
// off, and for a tweet without an estimate.
func (p *zonePolicy) forecastOf(t engagement.Tracking, last *engagement.Snapshot) *engagement.Forecast {
	if !p.forecast {
		return nil
	}
	f, ok := p.model.Forecast(t, last)
	if !ok {
		return nil
	}
	return &f
}

// queuePredictions adds the statement that stores the forecasts of applied rows for those
// who read them in SQL, if [Options.WriteForecasts] asks for it.
func (s *Store) queuePredictions(b *pgx.Batch, rows []AppliedRow) error {
	if s.options.WriteForecasts <= 0 {
		return nil
	}
	forecasts := make(map[uuid.UUID]*engagement.Forecast)
	for i := range rows {
		if f := rows[i].Forecast(); f != nil {
			forecasts[rows[i].Row] = f
		}
	}
	return models.QueuePredictions(b, forecasts, s.options.WriteForecasts)
}

// FitModels learns how the tweets of each zone, and of all together, grow. It returns
// how many models it learnt: none while another process does the same, or when that
// was done less than a day ago.
func (s *Store) FitModels(ctx context.Context) (int, error) {
	return models.Fit(ctx, s.db, s.clock.Now())
}

// SaveModel stores a model that was fitted elsewhere, of a zone or with [uuid.Nil] of
// all, and from how many tweets. [Store.FitModels] fits it again a day later.
func (s *Store) SaveModel(ctx context.Context, zone uuid.UUID, m engagement.Model, tweets int) error {
	if err := models.Save(ctx, s.db, zone, m, tweets, s.clock.Now()); err != nil {
		return err
	}
	return s.readPolicies(ctx, true)
}
