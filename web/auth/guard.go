package auth

import (
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// GuardConfig names the credentials that a [Guard] accepts. What is nil is not configured,
// and refused.
type GuardConfig struct {
	QStash  *QStash
	Tokens  *Tokens
	Users   *Users
	Local   *Local
	Proxies Proxies
	Log     zerolog.Logger
	// OnRefused, if set, is called for every refusal, to count it.
	OnRefused func(Reason)
	// Now tells real time. Defaults to time.Now.
	Now func() time.Time
}

// Guard authenticates requests. It is safe for concurrent use.
type Guard struct {
	config  GuardConfig
	limiter *Limiter
}

// NewGuard returns a Guard.
func NewGuard(config GuardConfig) *Guard {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.OnRefused == nil {
		config.OnRefused = func(Reason) {}
	}
	return &Guard{config: config, limiter: NewLimiter()}
}

// Identify returns the caller of a request. A request with a QStash signature is QStash's
// or refused, and needs its unmodified body; for others body is ignored. Errors are for
// [Guard.Refuse].
func (g *Guard) Identify(r *http.Request, body []byte) (Principal, error) {
	if Signed(r) {
		return g.qstash(r, body)
	}
	if g.config.Local != nil && len(r.Header.Values("Authorization")) == 0 && g.config.Local.hasCookie(r) {
		return g.config.Local.Verify(r)
	}
	token, err := Bearer(r.Header)
	if err != nil {
		return Principal{}, err
	}
	if g.config.Tokens != nil {
		if p, err := g.config.Tokens.Verify(token); err == nil {
			return p, nil
		}
	}
	// The three parts of a JSON Web Token are joined by dots.
	if g.config.Users == nil || strings.Count(token, ".") != 2 {
		return Principal{}, refuse(ReasonToken)
	}
	return g.config.Users.Verify(token)
}

// Signed reports whether a request has a QStash signature, so that its body must be read
// before [Guard.Identify].
func Signed(r *http.Request) bool { return len(r.Header.Values(HeaderSignature)) > 0 }

func (g *Guard) qstash(r *http.Request, body []byte) (Principal, error) {
	if g.config.QStash == nil {
		return Principal{}, refuse(ReasonNone)
	}
	target := r.URL.EscapedPath()
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		target += "?" + r.URL.RawQuery
	}
	message, err := g.config.QStash.Admit(r.Context(), r.Header, target, body)
	if err != nil {
		return Principal{}, err
	}
	return Principal{Kind: KindQStash, Name: string(KindQStash), Scopes: []Scope{ScopeDispatch}, Message: &message}, nil
}

// Refusal is the response to a refused caller.
type Refusal struct {
	Status     int
	Reason     Reason        // empty when the caller could not be checked
	RetryAfter time.Duration // 0: none
}

// Refuse counts and logs a request that is refused because of err, by its client address,
// and returns the response. An address whose credentials were refused too often gets a 429,
// without further log lines for a while. p is the caller, if known.
func (g *Guard) Refuse(r *http.Request, p Principal, err error) Refusal {
	addr := g.config.Proxies.ClientAddr(r)
	reason, refused := Refused(err)
	if !refused {
		g.config.Log.Error().Err(err).Stringer("remote", addr).Str("method", r.Method).Str("route", r.Pattern).
			Msg("caller cannot be checked")
		return Refusal{Status: Status(err), RetryAfter: unavailableRetry}
	}
	g.config.OnRefused(reason)
	status := Status(err)
	// Only guesses at credentials are limited. A limit on zones would reveal which
	// of them exist.
	if status == http.StatusUnauthorized {
		if wait, tooMany := g.limiter.Refused(addr, g.config.Now()); tooMany {
			g.config.OnRefused(ReasonTooMany)
			return Refusal{Status: http.StatusTooManyRequests, Reason: ReasonTooMany, RetryAfter: wait}
		}
	}
	g.config.Log.Warn().Stringer("remote", addr).Str("reason", string(reason)).Str("caller", p.Name).
		Str("method", r.Method).Str("route", r.Pattern).AnErr("detail", err).Msg("refused")
	return Refusal{Status: status, Reason: reason}
}

// unavailableRetry is the Retry-After when a caller could not be checked.
const unavailableRetry = 5 * time.Second
