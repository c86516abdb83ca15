package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"
)

// Balance is what is left of an account at a provider, as it was last read.
type Balance struct {
	Left int64     `json:"left"`        // what can be spent
	Unit string    `json:"unit"`        // of what
	At   time.Time `json:"at,omitzero"` // database time
}

// Account is the balance of one API key's account as all replicas know it. One of
// them reads it from time to time.
type Account struct {
	entry *sharedEntry
	clock Clock
	known atomic.Pointer[accountEntry]
}

type accountEntry struct {
	V       int     `json:"v"`
	Balance Balance `json:"balance"`
	Next    int64   `json:"next_ms,omitempty"` // when somebody reads it again
}

// NewAccount joins the account of the key, a hash of the API key.
func NewAccount(ctx context.Context, q *Queue, key string, clock Clock) (*Account, error) {
	a := &Account{clock: clock}
	a.known.Store(&accountEntry{})
	var err error
	if a.entry, err = q.sharedEntry(ctx, key+".balance", "the shared balance", a.tell); err != nil {
		return nil, fmt.Errorf("join the shared balance: %w", err)
	}
	return a, nil
}

func (a *Account) tell(value []byte) bool {
	var e accountEntry
	if decodeVersioned(value, &e.V, &e) == nil {
		a.known.Store(&e)
	}
	return true
}

// Balance returns what was last read; known is false when nothing was.
func (a *Account) Balance(ctx context.Context) (b Balance, known bool, err error) {
	if _, err := a.entry.read(ctx); err != nil {
		return Balance{}, false, err
	}
	b = a.known.Load().Balance
	return b, !b.At.IsZero(), nil
}

// Take makes this replica the one that reads the balance next, if it is time. Then
// nobody else does for the given time.
func (a *Account) Take(ctx context.Context, every time.Duration) (mine bool, err error) {
	now := a.clock.Database()
	err = a.update(ctx, func(e *accountEntry) bool {
		mine = !now.Before(time.UnixMilli(e.Next)) || time.UnixMilli(e.Next).Sub(now) > 2*every
		e.Next = ceilMilli(now.Add(every))
		return mine
	})
	return mine && err == nil, err
}

// Put stores a balance that was read now.
func (a *Account) Put(ctx context.Context, left int64, unit string) error {
	now := a.clock.Database()
	return a.update(ctx, func(e *accountEntry) bool {
		e.Balance = Balance{Left: left, Unit: oneLine(unit), At: now}
		return true
	})
}

func (a *Account) update(ctx context.Context, f func(*accountEntry) (changed bool)) error {
	return a.entry.change(ctx, func(value []byte) ([]byte, error) {
		var e accountEntry
		if value != nil && decodeVersioned(value, &e.V, &e) != nil {
			e = accountEntry{} // nothing is lost: it is read again
		}
		e.V = schemaVersion
		if !f(&e) {
			return nil, nil
		}
		return json.Marshal(e)
	})
}
