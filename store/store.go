package store

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"gorgone/engagement"
	"gorgone/store/population"
	"gorgone/store/postgres"
	"gorgone/store/sweep"
)

// Clock tells engine time, the time that rows are written in.
type Clock interface {
	// Now returns engine time.
	Now() time.Time
	// Engine converts a real duration (a lease, a back-off) to engine time.
	Engine(d time.Duration) time.Duration
	// Real converts an engine duration to a real one.
	Real(engine time.Duration) time.Duration
	// Agrees returns an error while it is doubtful whether the time is right. Then nothing
	// is done that cannot be taken back.
	Agrees() error
}

// Store reads and writes tracked tweets. It is safe for concurrent use.
type Store struct {
	db      *postgres.DB
	clock   Clock
	options Options

	policies   policies
	population *population.Counter
	sweeper    sweep.Sweeper
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
	// GoneAfter is after how many misses at least a tweet is gone. Defaults to
	// [engagement.DefaultGoneAfter].
	GoneAfter engagement.GoneAfter
	// GoneSpan is the least time that they span. Defaults to
	// [engagement.DefaultGoneSpan].
	GoneSpan engagement.GoneSpan
	// Forecast makes forecasts of all tweets.
	Forecast bool
	// WriteForecasts, above 0, stores them too, in the column predictions of
	// twitter_tweets, whenever one has moved by more than this share. It costs more than
	// all else that a look-up writes.
	WriteForecasts float64

	// TargetDelay, if set, moves the price of [ScheduleAdaptive] so that an
	// engagement is seen after this time on average, rather than by the budget.
	TargetDelay time.Duration

	Provider string // the main one; empty: any of those in Prices may be asked
	Fallback string // the one that is asked while the main one fails; empty: none
	Prices   Prices // what providers charge, of the past too
	Budget   Budget // what may be spent

	// Watcher follows what answers do to rows. Defaults to none.
	Watcher Watcher

	// Random returns numbers in [0, 1) for the jitter of back-offs. It must be safe
	// for concurrent use. Defaults to math/rand/v2.
	Random func() float64
}

// New returns a store on db.
func New(db *postgres.DB, clock Clock, options Options) *Store {
	if options.Policy == nil {
		options.Policy = engagement.DefaultTierPolicy()
	}
	options.Schedule = cmp.Or(options.Schedule, ScheduleTiers)
	options.GoneAfter = cmp.Or(options.GoneAfter, engagement.DefaultGoneAfter)
	options.GoneSpan = cmp.Or(options.GoneSpan, engagement.DefaultGoneSpan)
	options.Price = cmp.Or(options.Price, engagement.DefaultPrice)
	if options.Watcher == nil {
		options.Watcher = noWatcher{}
	}
	if options.Random == nil {
		options.Random = rand.Float64
	}
	return &Store{db: db, clock: clock, options: options, population: population.New(db, clock)}
}

// Ping checks that the database answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	return s.db.Ping(ctx)
}

// Population returns how the tweets stand, by a count that all replicas share and that
// is at most a few minutes old.
func (s *Store) Population(ctx context.Context) (population.State, error) {
	return s.population.Read(ctx)
}
