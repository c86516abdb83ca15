package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/sourcegraph/conc"
)

// keepAlivePerAckWait is how often a delivery that is being worked on says so
// within its AckWait: one that gets lost does no harm.
const keepAlivePerAckWait = 3

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
}

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

// InProgress says that the message is being worked on, which restarts its AckWait.
func (d *Delivery) InProgress() error {
	if err := d.msg.InProgress(); err != nil {
		return fmt.Errorf("keep %s: %w", d.name(), plain(err))
	}
	return nil
}

// KeepAlive calls InProgress every third of the AckWait until ctx ends or stop is
// called. stop must be called; it waits until the last call is over.
func (d *Delivery) KeepAlive(ctx context.Context) (stop func()) {
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
				if err := d.InProgress(); err != nil {
					d.q.log.Warn().Err(err).Msg("could not say that a message is being worked on")
				}
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
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
