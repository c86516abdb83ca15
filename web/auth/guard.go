package auth

import (
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// GuardConfig says whom a [Guard] knows. What is nil is not configured, and
// refuses.
type GuardConfig struct {
	QStash  *QStash
	Tokens  *Tokens
	Users   *Users
	Local   *Local
	Proxies Proxies
	Log     zerolog.Logger
	// OnRefused, if set, is told of every refusal, for a metric.
	OnRefused func(Reason)
	// Now tells real time. Defaults to time.Now.
	Now func() time.Time
}

// Guard finds out who sent a request. It is safe for concurrent use.
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

// Identify returns who sent a request. A request with a QStash signature is
// QStash's or nobody's, and needs its body, every byte as it came; for others body
// is not looked at. Errors are for [Guard.Refuse].
func (g *Guard) Identify(r *http.Request, body []byte) (Principal, error) {
	if Signed(r) {
		return g.qstash(r, body)
	}
	if g.config.Local != nil && len(r.Header.Values("Authorization")) == 0 && g.config.Local.holds(r) {
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

// Signed reports whether a request claims to be QStash's, so that its body must
// be read before [Guard.Identify].
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

// Refusal is what to answer to a caller who is not served.
type Refusal struct {
	Status     int
	Reason     Reason        // empty when the caller could not be judged
	RetryAfter time.Duration // 0: none
}

// Refuse counts and logs a request that is not served because of err, by the
// address it comes from, and returns what to answer. An address whose credentials
// were refused too often is answered 429 and not logged any more for a while. p is
// the caller, if known.
func (g *Guard) Refuse(r *http.Request, p Principal, err error) Refusal {
	addr := g.config.Proxies.ClientAddr(r)
	reason, refused := Refused(err)
	if !refused {
		g.config.Log.Error().Err(err).Stringer("remote", addr).Str("method", r.Method).Str("route", r.Pattern).
			Msg("caller can not be judged")
		return Refusal{Status: Status(err), RetryAfter: unavailableRetry}
	}
	g.config.OnRefused(reason)
	status := Status(err)
	// Only guesses at credentials are limited. A limit on zones would tell which
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

// unavailableRetry is when to ask again after what was needed to judge a caller
// could not be reached.
const unavailableRetry = 5 * time.Second
