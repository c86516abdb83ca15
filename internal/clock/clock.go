// Package clock is the one clock of the engine: the database's time, read now
// and then, carried on between readings by this machine's monotonic clock. No
// replica's wall clock decides anything, so replicas agree to within a round trip.
//
// There are two times. Database time is real. Engine time is what tweets age in
// and what is stored in rows; it is the same, unless a demonstration runs faster
// ([Setting]).
package clock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// SyncEvery is how often a running clock reads the database's time again. For as
// long replicas may differ when the database's clock is set.
const SyncEvery = 5 * time.Second

// maxStandstill is how long the clock stands still to let the database catch up.
// A step back by more is followed at once: nothing would ever be due, and no lease
// end, while time stands still.
const maxStandstill = 5 * time.Second

// maxRoundTrip is the longest a reading may take to be of use. Where in that
// time the database read its clock is not known.
const maxRoundTrip = 500 * time.Millisecond

// MaxDisagreement is how far the database's clock and this machine's may differ before
// nothing is done that cannot be taken back. It is wide: either may lack a time service, and
// a database that is minutes off serves as well as one that is right. It is there for clocks
// that are a day, a month or a year off, as after a failover to a machine whose clock was
// never set.
const MaxDisagreement = time.Hour

// ErrDisagreement is returned by [Clock.Agrees].
var ErrDisagreement = errors.New("the clocks of the database and of this machine disagree")

// errSlowReading is reported for a reading that took too long; the clock goes on
// by the one before.
var errSlowReading = errors.New("reading of the database's time is of no use")

// Source tells the database's time.
type Source interface {
	// ReadClock returns the database's time, and when it was asked and had answered by this
	// machine's clock: without what it took to get a connection, of which nothing can be said.
	ReadClock(ctx context.Context) (Reading, error)
}

// Reading is a reading of the database's clock.
type Reading struct {
	Database        time.Time
	Asked, Answered time.Time // by this machine's clock, with its monotonic reading
}

// Setting maps database time to engine time: engine = Engine + (database -
// Database) * Speed. The zero value is real time.
type Setting struct {
	Database time.Time // a moment in database time
	Engine   time.Time // the same moment in engine time
	Speed    float64   // engine seconds a second; 0 means 1
}

// Real reports whether engine time is database time.
func (s Setting) Real() bool {
	return (s.Speed == 0 || s.Speed == 1) && s.Database.Equal(s.Engine)
}

// At returns the engine time at the given database time.
func (s Setting) At(database time.Time) time.Time {
	if s.Real() {
		return database
	}
	return s.Engine.Add(s.scale(database.Sub(s.Database)))
}

func (s Setting) scale(d time.Duration) time.Duration {
	if s.Speed == 0 || s.Speed == 1 {
		return d
	}
	return time.Duration(float64(d) * s.Speed)
}

// Clock tells database and engine time. It is safe for concurrent use. After a
// correction of up to 5 s neither time runs backwards: it stands still until the
// database has caught up. A step back by more is followed, like any step forward.
type Clock struct {
	setting Setting
	source  Source

	mu     sync.Mutex
	anchor time.Time // local time with its monotonic reading at the last sync
	offset time.Duration
	last   time.Time // latest database time told
}

// New reads the source once and returns a clock set by it.
func New(ctx context.Context, source Source, setting Setting) (*Clock, error) {
	c := &Clock{setting: setting, source: source}
	if err := c.Sync(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Sync reads the database's time again. The reading is taken to be that of the
// middle of the round trip.
func (c *Clock) Sync(ctx context.Context) error {
	r, err := c.source.ReadClock(ctx)
	if err != nil {
		return fmt.Errorf("read the database's time: %w", err)
	}
	took := r.Answered.Sub(r.Asked)
	middle := r.Asked.Add(took / 2)
	c.mu.Lock()
	defer c.mu.Unlock()
	if took > maxRoundTrip && !c.anchor.IsZero() {
		return fmt.Errorf("%w: it took %s", errSlowReading, took.Round(time.Millisecond))
	}
	c.anchor = middle
	c.offset = r.Database.Sub(middle)
	if back := c.last.Sub(c.running()); back > maxStandstill {
		c.last = time.Time{}
		return &SteppedBackError{By: back}
	}
	return nil
}

// Agrees returns nil while the database's clock and this machine's agree to within
// [MaxDisagreement], and an [ErrDisagreement] otherwise. One of the two is then wrong, and
// it is not known which.
func (c *Clock) Agrees() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offset.Abs() <= MaxDisagreement {
		return nil
	}
	return fmt.Errorf("%w by %s: nothing is claimed, written or deleted until one of them is set right",
		ErrDisagreement, c.offset.Abs().Round(time.Second))
}

// SteppedBackError tells that the database's clock was set back, and that this one
// has followed.
type SteppedBackError struct{ By time.Duration }

func (e *SteppedBackError) Error() string {
	return fmt.Sprintf("the database's clock was set back by %s: what was planned is so much later", e.By.Round(time.Millisecond))
}

// Run syncs the clock every [SyncEvery] until ctx ends. The first of failed
// readings is given to report, every step back, and the first reading that disagrees with
// this machine's clock; the clock runs on by the last good reading.
func (c *Clock) Run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(SyncEvery)
	defer tick.Stop()
	failing, apart := false, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err := c.Sync(ctx)
			var stepped *SteppedBackError
			set := errors.As(err, &stepped)
			if err != nil && (set || !failing) && ctx.Err() == nil {
				report(err)
			}
			failing = err != nil && !set
			off := c.Agrees()
			if off != nil && !apart {
				report(off)
			}
			apart = off != nil
		}
	}
}

// Database returns the database's time, in UTC.
func (c *Clock) Database() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.running()
	if now.Before(c.last) {
		return c.last
	}
	c.last = now
	return now
}

// running is the database's time by the last reading.
func (c *Clock) running() time.Time {
	// anchor holds a monotonic reading, so a step of the wall clock is not seen.
	return c.anchor.Add(time.Since(c.anchor)).Add(c.offset).Round(0).UTC()
}

// Now returns engine time, in UTC, cut to the microsecond that Postgres stores.
func (c *Clock) Now() time.Time {
	return c.setting.At(c.Database()).UTC().Truncate(time.Microsecond)
}

// Engine converts a real duration (a lease, a back-off) to engine time.
func (c *Clock) Engine(d time.Duration) time.Duration { return c.setting.scale(d) }

// Real converts a duration of engine time (an interval, what is left of a stored
// lease) to real time.
func (c *Clock) Real(d time.Duration) time.Duration {
	if c.setting.Speed == 0 || c.setting.Speed == 1 {
		return d
	}
	return time.Duration(float64(d) / c.setting.Speed)
}

// Speed returns how many engine seconds pass in a second.
func (c *Clock) Speed() float64 {
	if c.setting.Speed == 0 {
		return 1
	}
	return c.setting.Speed
}
