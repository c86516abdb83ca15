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
	// keepAlivePerAckWait is the number of keep-alives per AckWait: losing one does no
	// harm.
	keepAlivePerAckWait = 3

	// keepAliveTimeouts is the number of keep-alive time-outs per AckWait: a worker learns
	// that the server did not answer well before the message is redelivered.
	keepAliveTimeouts = 4
)

// inProgress is the acknowledgement that extends the AckWait of a message.
var inProgress = []byte("+WPI")

// Delivery is one delivery of a message. End it once, with Ack, Nak or DeadLetter;
// otherwise the message is redelivered after its AckWait. The server honours a late
// acknowledgement even after it redelivered the message, so handling a message twice
// must do no harm.
type Delivery struct {
	q       *Queue
	class   Class
	ackWait time.Duration
	msg     jetstream.Msg
	meta    *jetstream.MsgMetadata
	prompt  bool
	acks    *ackDeadline
}

// AckWait returns how long after the last acknowledgement or [Delivery.InProgress] the
// server redelivers the message.
func (d *Delivery) AckWait() time.Duration { return d.ackWait }

// Prompt reports whether the message arrived within half an AckWait of being asked for. Then
// it was sent in that time, and cannot have been redelivered before it arrived. One that was
// waited for longer may have been on its way for that long.
func (d *Delivery) Prompt() bool { return d.prompt }

// StillOwned reports whether the message cannot have been redelivered: the server
// confirmed an InProgress within the last half AckWait, and never missed a whole one.
func (d *Delivery) StillOwned() bool { return d.acks.stillOwned(time.Now(), d.ackWait) }

// Ack removes the message from the queue and waits for the server's confirmation. After
// an error the message may be redelivered.
func (d *Delivery) Ack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := d.msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("ack %s: %w", d.name(), plain(err))
	}
	return nil
}

// Nak returns the message to the queue, which redelivers it after delay. The delay may be 0.
func (d *Delivery) Nak(delay time.Duration) error {
	err := d.msg.NakWithDelay(max(delay, 0))
	if err != nil {
		return fmt.Errorf("return %s: %w", d.name(), plain(err))
	}
	return nil
}

// InProgress restarts the message's AckWait and waits for the server's confirmation.
func (d *Delivery) InProgress(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.ackWait/keepAliveTimeouts)
	defer cancel()
	sent := time.Now()
	if _, err := d.q.conn.nc.RequestWithContext(ctx, d.msg.Reply(), inProgress); err != nil {
		return fmt.Errorf("extend the ack deadline of %s: %w", d.name(), plain(err))
	}
	d.acks.extended(sent, time.Now(), d.ackWait)
	return nil
}

// KeepAlive calls InProgress every third of the AckWait until ctx ends or stop is called.
// When the server does not confirm one, KeepAlive calls missed, which may be nil: unless
// the next one succeeds, the server redelivers the message. The caller must call stop,
// which waits for the last call to return.
func (d *Delivery) KeepAlive(ctx context.Context, missed func(context.Context)) (stop func()) {
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
				d.q.log.Warn().Err(err).Msg("extending the ack deadline of a message failed")
				if missed != nil {
					missed(ctx)
				}
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// ackDeadline tracks when the server last restarted the AckWait of a message.
type ackDeadline struct {
	mu     sync.Mutex
	last   time.Time
	missed bool // an AckWait passed without an extension
}

// extended records an extension that was sent and confirmed at the given times. The
// server restarted the AckWait somewhere in between.
func (a *ackDeadline) extended(sent, confirmed time.Time, ackWait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.missed = a.missed || confirmed.Sub(a.last) >= ackWait
	a.last = sent
}

func (a *ackDeadline) stillOwned(now time.Time, ackWait time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.missed && now.Sub(a.last) < ackWait/2
}

// Deliveries returns how often the message was delivered, including this time. It counts
// deliveries that a pause or a shutdown ended too, so it is not a count of failures.
func (d *Delivery) Deliveries() int { return int(d.meta.NumDelivered) }

// PublishedAt returns when the message was stored, by the NATS server's clock.
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
