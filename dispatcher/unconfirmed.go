package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/store"
)

// unconfirmed keeps the batches of which it is not known whether the queue holds them. If
// they were left alone, those that it does not hold would be looked up only after their
// lease.
type unconfirmed struct {
	mu      sync.Mutex
	batches []store.Batch
}

func (u *unconfirmed) add(b store.Batch) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.batches = append(u.batches, b)
}

func (u *unconfirmed) take() []store.Batch {
	u.mu.Lock()
	defer u.mu.Unlock()
	batches := u.batches
	u.batches = nil
	return batches
}

// confirm publishes unconfirmed batches again, which stores each once: the queue knows
// those that it holds by their id. A batch that was finished meanwhile holds no rows any
// more, and is not published again, since the queue may have forgotten it; nor is one
// whose lease has ended. What is refused now may have been stored before, so it stays
// unconfirmed rather than being released. It returns how many tweets are left so.
func (d *Dispatcher) confirm(ctx context.Context) (unsure int, err error) {
	waiting := map[uuid.UUID]store.Batch{}
	var again []store.Batch
	for _, b := range d.unconfirmed.take() {
		if !d.clock.Now().Before(b.Until) {
			continue
		}
		held, e := d.source.Held(ctx, b.ClaimID, b.Rows())
		switch {
		case e != nil:
			err = e
			waiting[b.ClaimID] = b
		case len(held) > 0:
			again = append(again, b)
		}
	}
	if len(again) > 0 {
		publishing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
		refused, e := d.publisher.PublishBatches(publishing, messages(again, ""))
		err = errors.Join(err, e)
		if lost, ok := errors.AsType[*queue.UnconfirmedError](e); ok {
			refused = append(refused, lost.Batches...)
		}
		for _, b := range again {
			if slices.Contains(refused, b.ClaimID) {
				waiting[b.ClaimID] = b
			}
		}
	}
	for _, b := range waiting {
		d.unconfirmed.add(b)
		unsure += len(b.Tweets)
	}
	if err != nil {
		return unsure, fmt.Errorf("confirm batches: %w", err)
	}
	return 0, nil
}
