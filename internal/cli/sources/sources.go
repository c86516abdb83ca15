// Package sources says in lines how providers and the keys of clients do.
package sources

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorgone/throttle"
	"gorgone/web/answers"
)

// ClientKey is how a client's own key does.
type ClientKey struct {
	answers.ClientKey

	State *throttle.ProviderStatus `json:"state"` // null: the key was removed
}

// String says in a line how the key is doing.
func (k ClientKey) String() string {
	name := cmp.Or(k.Name, k.Client.String())
	switch {
	case k.State != nil:
		return fmt.Sprintf("%s (ends …%s): %s", name, k.Ends, Line(*k.State))
	case k.Shared:
		return name + ": removed; the shared key is used"
	default:
		return name + ": removed, and the shared key is not allowed: its tweets wait"
	}
}

// Fault says why nothing is looked up by the key, and what to do.
func (k ClientKey) Fault() (fix string, err error) {
	name := cmp.Or(k.Name, k.Client.String())
	switch {
	case k.State == nil && k.Shared:
		return "", nil
	case k.State == nil:
		return "gorgone key set, or gorgone key share", errors.New(k.String())
	case k.State.Breaker.State != throttle.BreakerClosed:
		return "see the client's account, or gorgone key set; only its tweets wait", fmt.Errorf("%s: %s is not called: %s", name, k.Provider, k.State.Breaker.Reason)
	case k.State.PausedUntil != nil:
		return "set the rate of its plan with gorgone key set --rate", fmt.Errorf("%s: %s is not called until %s: %s", name, k.Provider, k.State.PausedUntil.Format(time.DateTime), k.State.PauseReason)
	}
	return "", nil
}

// Line says in a line how a provider is doing.
func Line(p throttle.ProviderStatus) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, breaker %s", p.Provider, p.Breaker.State)
	if p.Breaker.State != throttle.BreakerClosed {
		fmt.Fprintf(&b, " since %s: %s", p.Breaker.Since.Format(time.DateTime), p.Breaker.Reason)
	}
	if p.Breaker.NextCheck != nil {
		fmt.Fprintf(&b, ", next check %s", p.Breaker.NextCheck.Format(time.TimeOnly))
	}
	fmt.Fprintf(&b, ", %.3g of %g calls/s", p.Rate*p.Factor, p.Rate)
	if p.PausedUntil != nil {
		fmt.Fprintf(&b, " after %s", p.PausedUntil.Format(time.TimeOnly))
	}
	if p.Recovering {
		b.WriteString(", one call goes first")
	}
	if p.RateLimits > 0 {
		fmt.Fprintf(&b, ", rate limited %d times", p.RateLimits)
	}
	if p.Balance != nil && !answers.Endless(float64(p.Balance.Left)) {
		fmt.Fprintf(&b, ", %d %s left (%s)", p.Balance.Left, p.Balance.Unit, p.Balance.At.Format(time.DateTime))
	}
	return b.String()
}
