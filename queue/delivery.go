package queue

import (
	"context"
	"time"
)

// Delivery is one delivery of a message. It must end with Ack, Nak or DeadLetter;
// if it does not, the message is delivered again after the lane's AckWait.
type Delivery struct{}

// Ack removes the message from the queue, and waits until the server has done so.
// An error means that the message may be delivered again.
func (d *Delivery) Ack(ctx context.Context) error { return errNotBuilt }

// Nak gives the message back, to be delivered again after delay.
func (d *Delivery) Nak(delay time.Duration) error { return errNotBuilt }

// InProgress says that the message is being worked on, which restarts its AckWait.
func (d *Delivery) InProgress() error { return errNotBuilt }

// KeepAlive calls InProgress every third of the AckWait until ctx ends or stop is
// called. stop waits for the last call to end; it must be called.
func (d *Delivery) KeepAlive(ctx context.Context) (stop func()) { return func() {} }

// Deliveries is how often the message was delivered, this time included. It
// counts every delivery, also those that ended by a pause or a shutdown, so it
// is no count of failures.
func (d *Delivery) Deliveries() int { return 0 }

// PublishedAt is when the message was stored, by the NATS server's clock.
func (d *Delivery) PublishedAt() time.Time { return time.Time{} }

// DeadLetter moves the message to the dead-letter stream with the reason: it is
// removed from its lane only once the copy is stored.
func (d *Delivery) DeadLetter(ctx context.Context, reason string) error { return errNotBuilt }

// BatchDelivery is a delivered [Batch].
type BatchDelivery struct {
	Delivery
	batch Batch
}

// Batch returns the delivered batch.
func (d *BatchDelivery) Batch() Batch { return d.batch }

// RefreshDelivery is a delivered [Refresh].
type RefreshDelivery struct {
	Delivery
	refresh Refresh
}

// Refresh returns the delivered request.
func (d *RefreshDelivery) Refresh() Refresh { return d.refresh }
