package store

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"gorgone/engagement"
)

// Clock tells engine time, the time that rows are written in.
type Clock interface {
	// Now returns engine time.
	Now() time.Time
	// Engine converts a real duration (a lease, a back-off) to engine time.
	Engine(d time.Duration) time.Duration
	// Real converts an engine duration to a real one.
	Real(engine time.Duration) time.Duration
}

// Store reads and writes tracked tweets. It is safe for concurrent use.
type Store struct {
	db      *DB
	clock   Clock
	options Options
	shape   shape

	policies policies
}

// Options say how rows are scheduled and what looks cost. Zero fields take their
// defaults.
type Options struct {
	// Policy decides tier and next update of rows on [ScheduleTiers]. Defaults to
	// [engagement.DefaultTierPolicy].
	Policy engagement.Policy
	// Schedule is how rows are scheduled. Defaults to [ScheduleTiers].
	Schedule Schedule
	// Price is what a look must be worth on [ScheduleAdaptive], until a budget has
	// moved it. Defaults to [engagement.DefaultPrice].
	Price float64
	// GoneAfter is after how many misses a tweet is gone. Defaults to
	// [engagement.DefaultGoneAfter].
	GoneAfter engagement.GoneAfter
	// Forecast makes forecasts of all tweets.
	Forecast bool

	// TargetDelay, if set, moves the price of [ScheduleAdaptive] so that an
	// engagement is seen after this time on average, rather than by the budget.
	TargetDelay time.Duration

	Provider string // the main one
	Prices   Prices // what providers charge
	Budget   Budget // what may be spent

	// Random returns numbers in [0, 1) for the jitter of back-offs. It must be safe
	// for concurrent use. Defaults to math/rand/v2.
	Random func() float64
}

// New returns a store on db.
func New(db *DB, clock Clock, options Options) *Store {
	if options.Policy == nil {
		options.Policy = engagement.DefaultTierPolicy()
	}
	options.Schedule = cmp.Or(options.Schedule, ScheduleTiers)
	options.GoneAfter = cmp.Or(options.GoneAfter, engagement.DefaultGoneAfter)
	options.Price = cmp.Or(options.Price, engagement.DefaultPrice)
	if options.Random == nil {
		options.Random = rand.Float64
	}
	return &Store{db: db, clock: clock, options: options}
}

// Ping checks that the database answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	return s.db.Ping(ctx)
}
