package lookup

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/throttle"
	"gorgone/twitter"
)

// Failure is why tweets have no answer, for whoever asked for them.
type Failure struct {
	Cause   engagement.FailureCause
	Reason  string
	RetryAt time.Time // database time; zero: not known
}

// KeyError says that no call can be made for a client, because of its key.
type KeyError struct {
	Client uuid.UUID
	Reason string
}

func (e *KeyError) Error() string { return "the key of client " + e.Client.String() + " " + e.Reason }

// Explain says in a few words why a look-up failed.
func (c *Client) Explain(err error) Failure {
	var (
		limited  *twitter.RateLimitError
		paused   *throttle.PausedError
		operator *OperatorPauseError
		open     *throttle.OpenError
		limit    *store.LimitError
		key      *KeyError
	)
	switch {
	case errors.As(err, &limited):
		after := limited.After
		if after <= 0 {
			after = c.cfg.RatePause
		}
		return Failure{engagement.CauseRateLimited, "paused: " + cmp.Or(limited.Limit, throttle.PauseRateLimit), c.parts.Clock.Database().Add(after)}
	case errors.As(err, &paused):
		return Failure{engagement.CauseRateLimited, "paused: " + paused.Reason, paused.Until}
	case errors.As(err, &operator):
		return Failure{engagement.CausePaused, operator.Reason, operator.Until}
	case errors.As(err, &key):
		return Failure{engagement.CauseKeyRefused, key.Error(), time.Time{}}
	case errors.As(err, &limit):
		return Failure{engagement.CausePaused, limit.Reason, c.parts.Clock.Database().Add(limit.After)}
	case errors.As(err, &open):
		return Failure{open.Cause, open.Reason, open.Next}
	case errors.Is(err, twitter.ErrOutOfCredit):
		return Failure{engagement.CauseOutOfCredit, reasonNoCredit, time.Time{}}
	case errors.Is(err, twitter.ErrUnauthorized):
		return Failure{engagement.CauseKeyRefused, reasonKeyRefused, time.Time{}}
	case errors.Is(err, errTimeInDoubt):
		return Failure{engagement.CauseDatabase, err.Error(), time.Time{}}
	case errors.Is(err, context.DeadlineExceeded):
		return Failure{engagement.CauseLate, "no call was possible in time", time.Time{}}
	default:
		return Failure{engagement.CauseProvider, err.Error(), time.Time{}}
	}
}
