package lookup

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/twitter"
)

// Provider can be asked for tweets, with what all replicas share about it.
type Provider struct {
	Name    string
	KeyID   string    // names the API key without giving it away
	Client  uuid.UUID // whose own key it is; zero: the shared one
	Lookup  CallFunc
	Balance BalanceFunc
	Price   PriceFunc      // set in all: the one that charges least for a look-up is asked first
	MaxIDs  func() int     // ids a call takes now
	Larger  func(int) bool // whether a call of so many more ids may be tried now; nil: never
	Rate    float64        // calls per second over all replicas; 0: unknown
	Batch   twitter.Gate   // slots of the shared rate for batches
	Refresh twitter.Gate   // and for refreshes
	Limiter Limiter
	Breaker Breaker
	Account Account
}

// CallFunc asks the provider for tweets in one call, of at most MaxIDs, or as many
// as Larger allowed. It calls gate
// just before, and makes no call that the gate refuses. When the provider takes fewer
// ids now, the error is [twitter.ErrTooManyIDs].
type CallFunc func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error)

// PriceFunc returns the dollars that the provider would charge for looking tweets up now,
// canaries aside.
type PriceFunc func(ctx context.Context, tweets []string) (dollars float64, err error)

// BalanceFunc asks the provider what is left of the account. It costs nothing, and
// asks gate like a [CallFunc].
type BalanceFunc func(ctx context.Context, gate twitter.Gate) (twitter.Balance, error)

// Limiter holds calls to the rate that all replicas share.
type Limiter interface {
	// RateLimited records that a call which began at the given database time was refused
	// by the rate limit; calls pause for the given time.
	RateLimited(ctx context.Context, began time.Time, after time.Duration) error
	// Pause stops calls until the given database time.
	Pause(ctx context.Context, until time.Time, reason string) error
	// Answered records that such a call was not.
	Answered(ctx context.Context, began time.Time)
	// Abandoned records that such a call was not made after all, or was given up.
	Abandoned(ctx context.Context, began time.Time)
	// ProbeNext lets the next call go alone.
	ProbeNext(ctx context.Context)
	// Paused reports whether calls pause, until what database time, and why.
	Paused() (until time.Time, reason string, paused bool)
}

// Breaker stops the calls of all replicas while none can succeed.
type Breaker interface {
	Allow() error // a [throttle.OpenError] while it is open
	Open(ctx context.Context, began time.Time, cause engagement.FailureCause, reason string)
	// Failed records a call that failed, or whose answer cannot be right. It reports
	// whether there is reason to find out if the provider is at fault.
	Failed(ctx context.Context, began time.Time, answered bool) (suspected bool)
	// Succeeded records a call that the provider answered.
	Succeeded(ctx context.Context, began time.Time)
	Run(ctx context.Context, check func(context.Context) (cause engagement.FailureCause, reason string))
}

// Account shares what is left of the account among replicas.
type Account interface {
	Acquire(ctx context.Context, every time.Duration) (mine bool, err error)
	Record(ctx context.Context, left int64, unit string) error
}

// Why a breaker is open, for people.
const (
	reasonNoCredit   = "the provider account is out of credit"
	reasonKeyRefused = "the provider refuses the API key"
	reasonOutage     = "the provider fails again and again"
	reasonRefusesAll = "the provider refuses every call"
	reasonUnusable   = "the provider's answers cannot be used: their counters or ids are not what was asked for"
)

// shareTimeout bounds telling the other replicas when the time for the work itself is
// over.
const shareTimeout = 3 * time.Second

// shareResult tells other replicas about rate limits, failures and recoveries. began is
// the database time at which the call began; zero when none was made. Whether a failure
// is the provider's is not decided by one call: suspected reports that it is time to
// find out.
func (c *Client) shareResult(ctx context.Context, p *Provider, began time.Time, err error) (suspected bool) {
	if began.IsZero() {
		return false
	}
	// What was learnt about the provider is shared even when the work is over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shareTimeout)
	defer cancel()
	switch kind := twitter.Kind(err); kind {
	case twitter.KindRateLimited:
		after, limit := c.cfg.RatePause, ""
		if limited, ok := errors.AsType[*twitter.RateLimitError](err); ok && limited.After > 0 {
			after, limit = limited.After, limited.Limit
		}
		c.parts.Log.Warn().Err(err).Str("provider", p.Name).Dur("for_ms", after).Msg("Rate limit exceeded: pausing all workers")
		if err := c.pause(ctx, p, began, after, limit); err != nil {
			c.parts.Log.Error().Err(err).Msg("sharing the pause failed")
		}
		return false
	case twitter.KindOK:
		p.Breaker.Succeeded(ctx, began)
	case twitter.KindFault, twitter.KindMalformed, twitter.KindOutOfCredit, twitter.KindUnauthorized, twitter.KindBadRequest:
		if errors.Is(err, ErrUnusable) {
			c.parts.Log.Warn().Err(err).Str("provider", p.Name).Msg("paid for tweets that cannot be used")
		}
		suspected = p.Breaker.Failed(ctx, began, errors.Is(err, ErrImplausible))
	default:
		p.Limiter.Abandoned(ctx, began)
		return false
	}
	p.Limiter.Answered(ctx, began)
	return suspected
}

// pause pauses calls because of a rate limit. A limit that has a name is not one of pace: it
// is the reason that people are told.
func (c *Client) pause(ctx context.Context, p *Provider, began time.Time, after time.Duration, limit string) error {
	if limit == "" {
		return p.Limiter.RateLimited(ctx, began, after)
	}
	until := c.parts.Clock.Database().Add(after)
	return errors.Join(p.Limiter.RateLimited(ctx, began, min(after, c.cfg.RatePause)), p.Limiter.Pause(ctx, until, limit))
}
