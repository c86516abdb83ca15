package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gorgone/internal/clock"
)

// TestStepsOfTheDatabase sets the database's clock, and looks how far the clock of a
// replica is off after its next reading, and a while later.
func TestStepsOfTheDatabase(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name       string
		step       time.Duration
		soon, late time.Duration // how far ahead of the database the clock is at once, and ten seconds later
		told       bool
	}{
		{"a little back", -4 * time.Second, 4 * time.Second, 0, false},
		{"minutes back", -7 * time.Minute, 0, 0, true},
		{"a little forward", 4 * time.Second, 0, 0, false},
		{"minutes forward", 7 * time.Minute, 0, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// The machine's own clock is minutes off all the time.
				const skew = -3 * time.Minute
				db := &database{offset: skew}
				c, err := clock.New(t.Context(), db, clock.Setting{})
				if err != nil {
					t.Fatal(err)
				}
				last := c.Now()
				db.set(skew+tc.step, nil)
				err = c.Sync(t.Context())
				var stepped *clock.SteppedBackError
				if told := errors.As(err, &stepped); told != tc.told || err != nil && !told {
					t.Errorf("sync says %v", err)
				}
				if tc.told && stepped.By != -tc.step {
					t.Errorf("a step back of %s, want %s", stepped.By, -tc.step)
				}
				if ahead := c.Database().Sub(time.Now().Add(skew + tc.step)); ahead != tc.soon {
					t.Errorf("%s ahead of the database, want %s", ahead, tc.soon)
				}
				if !tc.told && c.Now().Before(last) {
					t.Error("time ran backwards")
				}
				time.Sleep(10 * time.Second)
				if ahead := c.Database().Sub(time.Now().Add(skew + tc.step)); ahead != tc.late {
					t.Errorf("later %s ahead of the database, want %s", ahead, tc.late)
				}
			})
		})
	}
}

// TestAStepIsSeenByARunningClock: within one interval, and it is reported.
func TestAStepIsSeenByARunningClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &database{}
		c, err := clock.New(t.Context(), db, clock.Setting{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var reports []error
		go func() {
			defer close(done)
			c.Run(ctx, func(err error) { reports = append(reports, err) })
		}()
		away := errors.New("database away")
		db.set(0, away)
		time.Sleep(3*clock.SyncEvery + time.Second) // told once
		db.set(-time.Hour, nil)
		c.Database()
		time.Sleep(clock.SyncEvery)
		if got, want := c.Database(), time.Now().Add(-time.Hour); !got.Equal(want) {
			t.Errorf("%s, want %s", got, want)
		}
		db.set(-time.Hour, away)
		time.Sleep(clock.SyncEvery)
		cancel()
		<-done
		var stepped *clock.SteppedBackError
		if len(reports) != 3 || !errors.Is(reports[0], away) || !errors.As(reports[1], &stepped) || !errors.Is(reports[2], away) {
			t.Errorf("reported %v", reports)
		}
	})
}
