package auth

import (
	"errors"
	"fmt"
	"net/http"
)

// Reason says in one word why a caller was refused. It may be logged, used as a metric
// label and sent to the caller.
type Reason string

// The reasons.
const (
	ReasonNone        Reason = "no_credentials" // none were sent, or of a kind that is not configured
	ReasonMalformed   Reason = "malformed"      // not well-formed
	ReasonTooLarge    Reason = "too_large"      // longer than any genuine one
	ReasonAlgorithm   Reason = "algorithm"      // signed in a way that is not accepted, or not at all
	ReasonSignature   Reason = "bad_signature"  // not signed with any of the keys
	ReasonUnknownKey  Reason = "unknown_key"    // names a key the issuer does not publish, or none
	ReasonExpired     Reason = "expired"
	ReasonNotYet      Reason = "not_yet_valid"
	ReasonIssuer      Reason = "wrong_issuer"
	ReasonAudience    Reason = "wrong_audience"
	ReasonSubject     Reason = "wrong_subject"    // for another URL (QStash), or no user's id
	ReasonClaim       Reason = "missing_claim"    // a required claim is missing or out of range
	ReasonBody        Reason = "other_body"       // signed for another body
	ReasonReplayed    Reason = "replayed"         // a token that was used for another message
	ReasonAnonymous   Reason = "anonymous"        // an anonymous session
	ReasonRole        Reason = "wrong_role"       // a token that is not a signed-in user's
	ReasonToken       Reason = "unknown_token"    // no service has this token
	ReasonCode        Reason = "unknown_code"     // not a code of the local login, or one that was used
	ReasonSession     Reason = "unknown_session"  // not a session of the local login, or an expired one
	ReasonOrigin      Reason = "other_origin"     // a page of another site sent a session's cookie
	ReasonHost        Reason = "other_host"       // a session under a host name that is not this machine's
	ReasonScope       Reason = "not_permitted"    // authenticated, but without permission
	ReasonForeignZone Reason = "no_such_zone"     // no such zone, or not for this user
	ReasonTooMany     Reason = "too_many_refused" // refused too often from this address
)

// RefusedError is returned for a caller without valid credentials or permission.
type RefusedError struct {
	Reason Reason
	// Detail says what was expected, for the operator's log. It contains nothing of
	// the credential; it may be empty.
	Detail string
}

func (e *RefusedError) Error() string {
	if e.Detail == "" {
		return "refused: " + string(e.Reason)
	}
	return fmt.Sprintf("refused: %s: %s", e.Reason, e.Detail)
}

// Is makes errors.Is compare the reasons.
func (e *RefusedError) Is(target error) bool {
	other, ok := target.(*RefusedError)
	return ok && other.Reason == e.Reason
}

func refuse(reason Reason) error { return &RefusedError{Reason: reason} }

// ErrUnavailable is returned while a caller cannot be checked, such as before the first
// keys of an issuer have been fetched.
var ErrUnavailable = errors.New("cannot be checked right now")

// Refused returns the reason in err, and whether err is a refusal.
func Refused(err error) (Reason, bool) {
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok {
		return "", false
	}
	return refused.Reason, true
}

// Status returns the HTTP status for an error of this package. Anything but a
// refusal is 503, since a failure to decide is not a refusal. A foreign zone is 404, so
// that a caller does not learn that it exists.
func Status(err error) int {
	reason, refused := Refused(err)
	switch {
	case !refused:
		return http.StatusServiceUnavailable
	case reason == ReasonScope, reason == ReasonOrigin, reason == ReasonHost:
		return http.StatusForbidden
	case reason == ReasonForeignZone:
		return http.StatusNotFound
	case reason == ReasonTooMany:
		return http.StatusTooManyRequests
	}
	return http.StatusUnauthorized
}
