package web

import (
	"fmt"
	"net/http"

	"gorgone/web/auth"
)

// refusalWords say for each reason what is wrong and what to do about it.
var refusalWords = map[auth.Reason]string{
	auth.ReasonNone: "credentials are required: send a service's token, or the access token of a session, " +
		"as Authorization: Bearer TOKEN",
	auth.ReasonMalformed: "the credentials are not well-formed: send one header, Authorization: Bearer TOKEN",
	auth.ReasonTooLarge:  "the token is longer than any genuine one: send the access token itself",
	auth.ReasonAlgorithm: "the token is signed in a way that is not accepted here: " +
		"send the access token of a session, or have HS256 tokens accepted with SUPABASE_JWT_SECRET",
	auth.ReasonSignature:  "the signature does not fit: the token is another project's, or the signing key was changed",
	auth.ReasonUnknownKey: "the token names a key that its issuer does not publish: sign in again, or try again in a minute",
	auth.ReasonExpired:    "the token has expired: refresh the session, or sign in again",
	auth.ReasonNotYet:     "the token is not valid yet: compare the clocks of its issuer and of this server",
	auth.ReasonIssuer: "the token is another issuer's: sign in to the project that this server is configured with; " +
		"its log says which one",
	auth.ReasonAudience:  "the token is for another audience: send the access token of a signed-in user",
	auth.ReasonSubject:   "the token is not about a user, or the delivery is signed for another URL",
	auth.ReasonClaim:     "the token lacks a claim, or has one that is out of range: send an access token as it was issued",
	auth.ReasonBody:      "the delivery is signed for another body: send it unchanged",
	auth.ReasonReplayed:  "the signature was used for another message: sign each one",
	auth.ReasonAnonymous: "anonymous sessions may not call: sign in",
	auth.ReasonRole: "the token is not a signed-in user's: send the access token of the session, " +
		"not a key of the project",
	auth.ReasonToken:   "no service has this token, and it is no session's: make one with gorgone token new",
	auth.ReasonCode:    "the code is unknown, or was used before: make another with gorgone dashboard",
	auth.ReasonSession: "the session is unknown or has expired: log in again with gorgone dashboard",
	auth.ReasonOrigin:  "pages of another site may not call with a session's cookie: open the dashboard itself",
	auth.ReasonHost:    "the session is only for a page that is opened under localhost or a loopback address",
	auth.ReasonScope: "you do not have permission to do this: a service needs the scope, a user the role, " +
		"that the route asks for",
	auth.ReasonTooMany: "too many refused requests from your address: mend the credentials and try again later",
}

// refusal is the response to a caller without valid credentials or permission. A foreign
// zone is answered like one that does not exist.
func refusal(reason auth.Reason, status int) *failure {
	if status == http.StatusNotFound {
		return &failure{status: status, code: "not_found", message: "there is no such zone"}
	}
	return &failure{status: status, code: string(reason), message: refusalWords[reason]}
}

// challenge is the WWW-Authenticate header of a 401 (RFC 6750, 3): a caller that sent
// no credentials is told the scheme only.
func challenge(reason auth.Reason, words string) string {
	if reason == auth.ReasonNone {
		return "Bearer"
	}
	return fmt.Sprintf("Bearer error=%q, error_description=%q", "invalid_token", words)
}
