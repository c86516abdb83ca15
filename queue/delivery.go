package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/sourcegraph/conc"
)

const (
	// keepAlivePerAckWait is how often a delivery that is being worked on says so
	// within its AckWait: one that gets lost does no harm.
	keepAlivePerAckWait = 3

	// hearPerAckWait is which part of the AckWait the server has to answer that: who
	// works learns that he was not heard well before the message goes to another.
	hearPerAckWait = 4
)

// inProgress is what JetStream is told of a message that is being worked on.
var inProgress = []byte("+WPI")

// Delivery is one delivery of a message. It should end with Ack, Nak or
// DeadLetter, once; otherwise the message is delivered again after the lane's
// AckWait. A late answer, after the message went to somebody else, is honoured by
// the server all the same: what is done twice must do no harm.
type Delivery struct {
	q       *Queue
	lane    Lane
	ackWait time.Duration
	msg     jetstream.Msg
	meta    *jetstream.MsgMetadata
	heard   *heard
}

// AckWait is after which time without a sign of life the server delivers the
// message to another.
func (d *Delivery) AckWait() time.Duration { return d.ackWait }

// Ours reports whether nobody else can have been given the message since: the
// server is known to have heard of it within half an AckWait, and was never out of
// hearing for a whole one.
func (d *Delivery) Ours() bool { return d.heard.lately(time.Now(), d.ackWait) }

// Ack removes the message from the queue, and waits until the server has done so.
// After an error the message may be delivered again.
func (d *Delivery) Ack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := d.msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("ack %s: %w", d.name(), plain(err))
	}
	return nil
}

// Nak gives the message back, to be delivered again after delay, which may be 0.
func (d *Delivery) Nak(delay time.Duration) error {
	err := d.msg.NakWithDelay(max(delay, 0))
	if err != nil {
		return fmt.Errorf("give back %s: %w", d.name(), plain(err))
	}
	return nil
}

// InProgress says that the message is being worked on, which restarts its AckWait,
// and waits until the server has heard it.
func (d *Delivery) InProgress(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.ackWait/hearPerAckWait)
	defer cancel()
	said := time.Now()
	if _, err := d.q.conn.nc.RequestWithContext(ctx, d.msg.Reply(), inProgress); err != nil {
		return fmt.Errorf("keep %s: %w", d.name(), plain(err))
	}
	d.heard.now(said, time.Now(), d.ackWait)
	return nil
}

// KeepAlive calls InProgress every third of the AckWait until ctx ends or stop is
// called. When the server did not hear it unheard is called, which may be nil: unless
// it hears the next, it delivers the message to another. stop must be called; it
// waits until the last call is over.
func (d *Delivery) KeepAlive(ctx context.Context, unheard func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg conc.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(d.ackWait / keepAlivePerAckWait)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := d.InProgress(ctx); err != nil && ctx.Err() == nil {
				d.q.log.Warn().Err(err).Msg("could not say that a message is being worked on")
				if unheard != nil {
					unheard(ctx)
				}
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// heard is when the server heard last that a message is in hand.
type heard struct {
	mu   sync.Mutex
	at   time.Time
	late bool // it was out of hearing for an AckWait
}

// now notes that the server heard what was said then, and answered at the given time.
func (h *heard) now(said, answered time.Time, ackWait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.late = h.late || answered.Sub(h.at) >= ackWait
	h.at = said
}

func (h *heard) lately(now time.Time, ackWait time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.late && now.Sub(h.at) < ackWait/2
}

// Deliveries is how often the message was delivered, this time included. It
// counts every delivery, also those that a pause or a shutdown ended, so it is no
// count of failures.
func (d *Delivery) Deliveries() int { return int(d.meta.NumDelivered) }

// PublishedAt is when the message was stored, by the NATS server's clock.
func (d *Delivery) PublishedAt() time.Time { return d.meta.Timestamp }

func (d *Delivery) name() string {
	return fmt.Sprintf("message %d of %s", d.meta.Sequence.Stream, d.meta.Stream)
}

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
