package alert

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
)

const (
	// lookEvery is how often it is looked for what is to be sent.
	lookEvery = time.Second

	// perClaim is how many messages to one webhook are taken at once; they are sent
	// one after the other.
	perClaim = 8

	// Attempts is how often a message is sent before it is given up: with the waits
	// between, over about five hours on average.
	Attempts = 15

	backoffBase    = 5 * time.Second
	backoffCeiling = time.Hour
	maxReason      = 300
)

// EventKind is the kind of live events that tell of alerts.
const EventKind = "alert"

// Results of an attempt to deliver.
const (
	ResultDelivered = "delivered"
	ResultFailed    = "failed" // it is tried again
	ResultDead      = "dead"   // it was given up
)

// Outbox is what is to be sent. [Manager] is one.
type Outbox interface {
	ClaimDeliveries(ctx context.Context, claim uuid.UUID, perWebhook int, lease time.Duration, except []uuid.UUID) ([]Delivery, error)
	Delivered(ctx context.Context, claim, id uuid.UUID) error
	DeliveryFailed(ctx context.Context, claim, id uuid.UUID, why string, wait time.Duration, giveUp bool) error
	StopWebhook(ctx context.Context, id uuid.UUID, why string) error
}

var _ Outbox = (*Manager)(nil)

// Announcer tells those who watch live.
type Announcer interface {
	PublishEvent(ctx context.Context, kind string, data any) error
}

// Observer is told what happened.
type Observer interface {
	Alerted(kind engagement.AlertKind)
	AlertDelivered(result string)
}

// Parts are what a sender works with. All of them are required.
type Parts struct {
	Outbox    Outbox
	Poster    *Poster
	Timeout   time.Duration // of the poster, for the lease of what is taken
	Announcer Announcer
	Observer  Observer
	Random    func() float64 // in [0, 1)
	Log       zerolog.Logger
}

// Sender sends what is in the outbox. Any number may run at once, in one process
// or many: each message is held by one of them.
type Sender struct {
	Parts

	mu   sync.Mutex
	busy map[uuid.UUID]bool // webhooks that are being sent to
}

// NewSender returns a sender.
func NewSender(p Parts) *Sender { return &Sender{Parts: p, busy: make(map[uuid.UUID]bool)} }

// Run sends until ctx ends; what is under way then is cut off, and sent again by
// another. A webhook that is slow or away keeps no other waiting.
func (s *Sender) Run(ctx context.Context) {
	var sending conc.WaitGroup
	defer sending.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.look(ctx, &sending); err != nil && ctx.Err() == nil {
			s.Log.Error().Err(err).Msg("look for alerts to send")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look takes what is due and begins to send it.
func (s *Sender) look(ctx context.Context, sending *conc.WaitGroup) error {
	claim, err := uuid.NewV7()
	if err != nil {
		return err //nolint:wrapcheck // the caller says what for
	}
	// All of a claim are sent within the lease, also when each takes all its time.
	lease := (perClaim + 1) * (s.Timeout + 5*time.Second)
	list, err := s.Outbox.ClaimDeliveries(ctx, claim, perClaim, lease, s.occupied())
	if err != nil {
		return err //nolint:wrapcheck // it says what was done
	}
	byHook := make(map[uuid.UUID][]Delivery)
	for _, d := range list {
		byHook[d.Webhook.ID] = append(byHook[d.Webhook.ID], d)
	}
	for hook, list := range byHook {
		s.occupy(hook, true)
		sending.Go(func() {
			defer s.occupy(hook, false)
			s.send(ctx, claim, list)
		})
	}
	return nil
}

func (s *Sender) occupied() []uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]uuid.UUID, 0, len(s.busy))
	for id := range s.busy {
		ids = append(ids, id)
	}
	return ids
}

func (s *Sender) occupy(hook uuid.UUID, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if busy {
		s.busy[hook] = true
	} else {
		delete(s.busy, hook)
	}
}

// send sends messages to one webhook, one after the other.
func (s *Sender) send(ctx context.Context, claim uuid.UUID, list []Delivery) {
	slices.SortFunc(list, func(a, b Delivery) int { return a.Alert.RaisedAt.Compare(b.Alert.RaisedAt) })
	for i := range list {
		d := &list[i]
		err := s.deliver(ctx, d)
		if ctx.Err() != nil {
			return // cut off: the lease ends, and another sends it
		}
		if errors.Is(err, errStop) {
			s.Observer.AlertDelivered(ResultDead)
			s.Log.Warn().Stringer("webhook", d.Webhook.ID).Str("to", Host(d.Webhook.URL)).Msg("a webhook wants no alerts any more, and gets none")
			if err := s.Outbox.StopWebhook(ctx, d.Webhook.ID, err.Error()); err != nil {
				s.Log.Error().Err(err).Msg("stop a webhook")
			}
			return
		}
		if err := s.settle(ctx, claim, d, err); err != nil {
			s.Log.Error().Err(err).Stringer("delivery", d.ID).Msg("an alert may be sent once more")
		}
	}
}

// deliver makes one attempt.
func (s *Sender) deliver(ctx context.Context, d *Delivery) error {
	message := MessageOf(d.Alert)
	if d.Webhook.ID == EventsWebhook {
		return s.Announcer.PublishEvent(ctx, EventKind, message) //nolint:wrapcheck // it says what was done
	}
	return s.Poster.Post(ctx, d.Webhook, d.ID.String(), message)
}

// settle records how an attempt ended.
func (s *Sender) settle(ctx context.Context, claim uuid.UUID, d *Delivery, failure error) error {
	live := d.Webhook.ID == EventsWebhook
	if failure == nil {
		if live {
			s.Observer.Alerted(d.Alert.Kind)
		} else {
			s.Observer.AlertDelivered(ResultDelivered)
		}
		return s.Outbox.Delivered(ctx, claim, d.ID) //nolint:wrapcheck // it says what was done
	}
	dead := d.Attempts >= Attempts
	if !live {
		result := ResultFailed
		if dead {
			result = ResultDead
		}
		s.Observer.AlertDelivered(result)
	}
	wait := engagement.Backoff(d.Attempts, backoffBase, backoffCeiling, s.Random())
	s.Log.Warn().Err(failure).Stringer("delivery", d.ID).Str("to", Host(d.Webhook.URL)).Int("attempt", d.Attempts).Bool("dead", dead).Msg("an alert was not delivered")
	why := failure.Error()
	return s.Outbox.DeliveryFailed(ctx, claim, d.ID, why[:min(len(why), maxReason)], wait, dead) //nolint:wrapcheck // it says what was done
}
