package auth

import (
	"errors"
	"fmt"
	"net/http"
)

// Reason says in a word why a caller was refused. It is fit for a log, a metric's
// label and an answer.
type Reason string

// The reasons.
const (
	ReasonNone        Reason = "no_credentials" // none were sent, or of a kind that is not configured
	ReasonMalformed   Reason = "malformed"      // not of the form that the credential has
	ReasonTooLarge    Reason = "too_large"      // longer than any that is genuine
	ReasonAlgorithm   Reason = "algorithm"      // signed in a way that is not accepted, or not at all
	ReasonSignature   Reason = "bad_signature"  // not signed with any of the keys
	ReasonUnknownKey  Reason = "unknown_key"    // names a key the issuer does not publish, or none
	ReasonExpired     Reason = "expired"
	ReasonNotYet      Reason = "not_yet_valid"
	ReasonIssuer      Reason = "wrong_issuer"
	ReasonAudience    Reason = "wrong_audience"
	ReasonSubject     Reason = "wrong_subject"    // for another URL (QStash), or no user's id
	ReasonClaim       Reason = "missing_claim"    // something it must say is missing or out of range
	ReasonBody        Reason = "other_body"       // signed for another body
	ReasonReplayed    Reason = "replayed"         // a token that was used for another message
	ReasonAnonymous   Reason = "anonymous"        // an anonymous session
	ReasonRole        Reason = "wrong_role"       // a token that is not a signed-in user's
	ReasonToken       Reason = "unknown_token"    // no service has this token
	ReasonCode        Reason = "unknown_code"     // not a code of the local login, or one that was used
	ReasonSession     Reason = "unknown_session"  // a session of the local login that is over, or never was
	ReasonOrigin      Reason = "other_origin"     // a page of another site sent a session's cookie
	ReasonHost        Reason = "other_host"       // a session under another name than this machine's own
	ReasonScope       Reason = "not_permitted"    // known, but may not do this
	ReasonForeignZone Reason = "no_such_zone"     // no such zone, or not for this user
	ReasonTooMany     Reason = "too_many_refused" // refused too often from this address
)

// RefusedError says that a caller may not do what it asked for.
type RefusedError struct {
	Reason Reason
	// Detail says what was expected, for the log of whoever runs this. It holds
	// nothing of the credential; it may be empty.
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

// ErrUnavailable says that a caller could not be judged for now, such as before
// the first keys of an issuer were fetched.
var ErrUnavailable = errors.New("can not be checked right now")

// Refused returns the reason in err, and whether err is a refusal at all.
func Refused(err error) (Reason, bool) {
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok {
		return "", false
	}
	return refused.Reason, true
}

// Status returns the HTTP status for an error of this package. Anything but a
// refusal is 503: that a question could not be decided is never an answer to it.
// A zone that is not the caller's is 404, so that nobody learns that it exists.
func Status(err error) int {
	reason, refused := Refused(err)
	switch {
	case !refused:
		return http.StatusServiceUnavailable
	case reason == ReasonScope:
		return http.StatusForbidden
	case reason == ReasonForeignZone:
		return http.StatusNotFound
	case reason == ReasonTooMany:
		return http.StatusTooManyRequests
	}
	return http.StatusUnauthorized
}
