package throttle

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"gorgone/queue"
)

// Balance is what is left of an account at a provider, as last read.
type Balance struct {
	Left int64     `json:"left"`        // what can still be spent
	Unit string    `json:"unit"`        // of Left
	At   time.Time `json:"at,omitzero"` // database time of the reading
}

// Account is the balance of one API key's account as all replicas know it. They take
// turns reading it from the provider. It is safe for concurrent use.
type Account struct {
	cell  *queue.Cell
	clock Clock
	known atomic.Pointer[accountEntry]
}

// accountEntry is how a balance is stored.
type accountEntry struct {
	V       int     `json:"v"`
	Balance Balance `json:"balance"`
	Next    int64   `json:"next_ms,omitempty"` // when a replica reads it again
}

// NewAccount joins the account of the key, which is a hash of the API key.
func NewAccount(ctx context.Context, q *queue.Queue, key string, clock Clock) (*Account, error) {
	a := &Account{clock: clock}
	a.known.Store(&accountEntry{})
	var err error
	if a.cell, err = q.DurableCell(ctx, key+".balance", "the shared balance"); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Account) observe(value []byte, _ queue.Version) bool {
	var e accountEntry
	if decodeVersioned(value, &e.V, &e) == nil {
		a.known.Store(&e)
	}
	return true
}

// Balance returns the last reading; known is false when there was none.
func (a *Account) Balance(ctx context.Context) (b Balance, known bool, err error) {
	if err := a.cell.Observe(ctx, a.observe); err != nil {
		return Balance{}, false, err
	}
	b = a.known.Load().Balance
	return b, !b.At.IsZero(), nil
}

// Acquire reports whether the balance is due to be read and this replica is the one to
// read it. Then no other replica acquires it for the given time.
func (a *Account) Acquire(ctx context.Context, every time.Duration) (acquired bool, err error) {
	now := a.clock.Database()
	err = a.update(ctx, func(e *accountEntry) bool {
		next := time.UnixMilli(e.Next)
		acquired = !now.Before(next) || next.Sub(now) > 2*every // the latter: the clock has been set back
		e.Next = ceilMilli(now.Add(every))
		return acquired
	})
	return acquired && err == nil, err
}

// Record stores a balance that was read now.
func (a *Account) Record(ctx context.Context, left int64, unit string) error {
	now := a.clock.Database()
	return a.update(ctx, func(e *accountEntry) bool {
		e.Balance = Balance{Left: left, Unit: oneLine(unit), At: now}
		return true
	})
}

func (a *Account) update(ctx context.Context, f func(*accountEntry) (changed bool)) error {
	_, err := a.cell.Update(ctx, func(value []byte) ([]byte, error) {
		var e accountEntry
		if value != nil && decodeVersioned(value, &e.V, &e) != nil {
			e = accountEntry{} // nothing is lost: the balance is read again
		}
		e.V = stateVersion
		if !f(&e) {
			return nil, nil
		}
		body, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("encode the balance: %w", err)
		}
		return body, nil
	})
	return err
}
