package clock_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gorgone/internal/clock"
)

// database is a source whose clock runs beside the local one and can be set off.
type database struct {
	mu     sync.Mutex
	offset time.Duration
	travel time.Duration // one way
	err    error
	reads  int
}

func (d *database) ReadClock(context.Context) (r clock.Reading, err error) {
	r.Asked = time.Now()
	time.Sleep(d.travel)
	d.mu.Lock()
	d.reads++
	r.Database, err = time.Now().Add(d.offset).Round(0), d.err
	d.mu.Unlock()
	time.Sleep(d.travel)
	r.Answered = time.Now()
	return r, err
}

func (d *database) set(offset time.Duration, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offset, d.err = offset, err
}

func TestClockFollowsTheDatabaseNotTheWall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &database{offset: 7 * time.Minute, travel: 30 * time.Millisecond}
		c, err := clock.New(t.Context(), db, clock.Setting{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := c.Database(), time.Now().Add(7*time.Minute); !got.Equal(want) {
			t.Errorf("database time %s, want %s: the middle of the round trip", got, want)
		}
		time.Sleep(time.Hour)
		if got, want := c.Now(), time.Now().Add(7*time.Minute); !got.Equal(want.Truncate(time.Microsecond)) {
			t.Errorf("an hour later %s, want %s", got, want)
		}
	})
}

func TestClockNeverRunsBackwards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &database{offset: time.Second}
		c, err := clock.New(t.Context(), db, clock.Setting{})
		if err != nil {
			t.Fatal(err)
		}
		before := c.Database()
		db.set(0, nil)
		if err := c.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.Database(); !got.Equal(before) {
			t.Errorf("%s after %s", got, before)
		}
		time.Sleep(2 * time.Second)
		if got := c.Database(); !got.Equal(time.Now()) {
			t.Errorf("did not settle: %s, want %s", got, time.Now())
		}
	})
}

func TestRunSyncsAndOutlivesFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &database{}
		c, err := clock.New(t.Context(), db, clock.Setting{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var faults int
		go func() {
			defer close(done)
			c.Run(ctx, func(error) { faults++ })
		}()
		db.set(0, errors.New("database away"))
		time.Sleep(clock.SyncEvery + time.Second)
		db.set(time.Minute, nil)
		time.Sleep(clock.SyncEvery)
		if got, want := c.Database(), time.Now().Add(time.Minute); !got.Equal(want) {
			t.Errorf("after a good reading %s, want %s", got, want)
		}
		cancel()
		<-done
		if faults != 1 || db.reads != 3 {
			t.Errorf("%d faults reported in %d readings, want 1 in 3", faults, db.reads)
		}
	})
}

func TestASlowReadingIsNotTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &database{offset: time.Minute}
		c, err := clock.New(t.Context(), db, clock.Setting{})
		if err != nil {
			t.Fatal(err)
		}
		db.travel = 5 * time.Second
		db.set(time.Hour, nil)
		if err := c.Sync(t.Context()); err == nil {
			t.Error("a reading that took 10 s was taken")
		}
		if got, want := c.Database(), time.Now().Add(time.Minute); !got.Equal(want) {
			t.Errorf("database time %s, want %s", got, want)
		}
	})
}

func TestNewFailsWithoutATime(t *testing.T) {
	t.Parallel()
	if _, err := clock.New(t.Context(), &database{err: errors.New("away")}, clock.Setting{}); err == nil {
		t.Error("a clock without a time")
	}
}

func TestSpeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		engine := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		c, err := clock.New(t.Context(), &database{}, clock.Setting{Database: start, Engine: engine, Speed: 60})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if got, want := c.Now(), engine.Add(2*time.Minute); !got.Equal(want) {
			t.Errorf("engine time %s, want %s", got, want)
		}
		if got := c.Engine(3 * time.Minute); got != 3*time.Hour {
			t.Errorf("a lease of 3 min is written as %s, want 3h", got)
		}
		if got := c.Real(time.Hour); got != time.Minute {
			t.Errorf("an interval of an hour takes %s, want 1m", got)
		}
		if !c.Database().Equal(time.Now()) {
			t.Error("database time was sped up")
		}
	})
}
