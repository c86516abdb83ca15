package store_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/store"
)

// A batch that came to two workers has one holder: the last who took it over, and
// no worker acquires it from one that has extended its ownership.
func TestAcquireBatch(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 3)
		batch := e.claim(t)
		first, second, third := uuid.New(), uuid.New(), uuid.New()
		hold := func(holder uuid.UUID, rest time.Duration) store.OwnershipRequest {
			return store.OwnershipRequest{ClaimID: batch.ClaimID, Owner: holder, Rows: batch.Rows(), For: rest}
		}
		step := func(what string, got store.Ownership, err error, mine bool, until time.Time, rows int) {
			t.Helper()
			if err != nil || got.Owned != mine || !got.Until.Equal(until) || len(got.Rows) != rows {
				t.Errorf("%s: %+v, %v; want %t until %v with %d rows", what, got, err, mine, until, rows)
			}
		}
		keep := func(holder uuid.UUID, rest time.Duration) (store.Ownership, error) {
			return e.ExtendBatch(t.Context(), hold(holder, rest))
		}
		take := func(holder uuid.UUID) (store.Ownership, error) { return e.AcquireBatch(t.Context(), hold(holder, 0)) }

		got, err := keep(first, 10*time.Second)
		step("the first says that it lives", got, err, true, epoch.Add(10*time.Second), 3)
		got, err = take(second)
		step("the second has to wait", got, err, false, epoch.Add(10*time.Second), 3)
		e.clock.advance(10 * time.Second)
		now := e.clock.Now()
		got, err = take(second)
		step("the second takes over", got, err, true, now, 3)
		got, err = keep(first, 10*time.Second)
		step("the first has lost it, although the second's time is up", got, err, false, now, 3)
		got, err = keep(second, 0)
		step("the second goes on", got, err, true, now, 3)
		got, err = take(second)
		step("taking over again changes nothing", got, err, true, now, 3)
		got, err = take(third)
		step("who died is not waited for", got, err, true, now, 3)

		// What the first has paid for is applied all the same, once.
		wantOutcomes(t, e.apply(t, e.found(batch, 1)), map[engagement.RowOutcome]int{engagement.RowApplied: 3})
		got, err = keep(third, 0)
		step("nothing is left to look up", got, err, true, now, 0)
		e.exec(t, `delete from gorgone.batches`)
		got, err = take(first)
		step("there is no record", got, err, true, time.Time{}, 0)
	})
}

// Of many who take a batch over at once, or say that they live, one does.
func TestAcquireAtOnce(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 1)
		batch := e.claim(t)
		var mine atomic.Int32
		var all conc.WaitGroup
		for i := range 8 {
			all.Go(func() {
				take := e.AcquireBatch
				if i%2 == 0 {
					take = e.ExtendBatch
				}
				got, err := take(t.Context(), store.OwnershipRequest{ClaimID: batch.ClaimID, Owner: uuid.New(), Rows: batch.Rows(), For: time.Minute})
				if err != nil {
					t.Error(err)
				}
				if got.Owned {
					mine.Add(1)
				}
			})
		}
		all.Wait()
		if n := mine.Load(); n != 1 {
			t.Errorf("%d hold the batch", n)
		}
	})
}
