package auth

import (
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// errHeader is returned by a key function for a header with critical extensions.
var errHeader = errors.New("header has critical extensions")

// checkHeader refuses critical extensions, none of which are understood here
// (RFC 7515, 4.1.11).
func checkHeader(token *jwt.Token) error {
	if _, critical := token.Header["crit"]; critical {
		return errHeader
	}
	return nil
}

// tokenRefusal turns an error of the parser into a refusal. The parser's text is dropped,
// since some of it quotes the token.
func tokenRefusal(token *jwt.Token, err error, methods ...string) error {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused // by a key function
	}
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	// A parsed header names an algorithm, perhaps one that does not exist.
	if token != nil && token.Header != nil {
		if alg, ok := token.Header["alg"].(string); ok && !slices.Contains(methods, alg) {
			return refuse(ReasonAlgorithm)
		}
	}
	for _, c := range []struct {
		err    error
		reason Reason
	}{
		{jwt.ErrTokenMalformed, ReasonMalformed},
		{jwt.ErrTokenUnverifiable, ReasonMalformed},
		{jwt.ErrTokenSignatureInvalid, ReasonSignature},
		{jwt.ErrTokenRequiredClaimMissing, ReasonClaim},
		{jwt.ErrTokenExpired, ReasonExpired},
		{jwt.ErrTokenNotValidYet, ReasonNotYet},
		{jwt.ErrTokenInvalidIssuer, ReasonIssuer},
		{jwt.ErrTokenInvalidAudience, ReasonAudience},
	} {
		if errors.Is(err, c.err) {
			return refuse(c.reason)
		}
	}
	return refuse(ReasonMalformed)
}
