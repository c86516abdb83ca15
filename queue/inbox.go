package queue

import (
	"context"
	"errors"
)

// ErrStopped is returned by the inboxes after Stop.
var ErrStopped = errors.New("inbox was stopped")

// BatchInbox takes batches from the queue, one at a time. Nothing is fetched
// before it is asked for. Next must not be called by two goroutines at once.
type BatchInbox struct{}

// Batches opens the batch lane for taking.
func (q *Queue) Batches(ctx context.Context) (*BatchInbox, error) { return nil, errNotBuilt }

// Next waits for a batch. When ctx ends or the inbox is stopped, it gives back
// whatever was fetched and returns the cause of ctx, or [ErrStopped]. All other
// troubles (a lost connection, a restarted server, an unreadable message, which
// is dead-lettered) are logged and overcome.
func (in *BatchInbox) Next(ctx context.Context) (*BatchDelivery, error) { return nil, errNotBuilt }

// Stop ends a waiting Next, and lets all later ones fail. It does not wait.
func (in *BatchInbox) Stop() {}

// RefreshInbox takes refreshes from the queue, in groups. NextGroup must not be
// called by two goroutines at once.
type RefreshInbox struct{}

// Refreshes opens the refresh lane for taking.
func (q *Queue) Refreshes(ctx context.Context) (*RefreshInbox, error) { return nil, errNotBuilt }

// NextGroup waits for a refresh, and returns it together with those that wait
// already, at most limit in all (1 to 100). See [BatchInbox.Next] for how it ends.
func (in *RefreshInbox) NextGroup(ctx context.Context, limit int) ([]*RefreshDelivery, error) {
	return nil, errNotBuilt
}

// Stop ends a waiting NextGroup, and lets all later ones fail. It does not wait.
func (in *RefreshInbox) Stop() {}
