package auth

import (
	"net/http"
	"strings"
)

// maxBearer is the longest accepted bearer token, in bytes. An access token of Supabase
// grows with the user's metadata.
const maxBearer = 16 << 10

// Bearer returns the token of the Authorization header (RFC 6750). It is a
// [RefusedError] if the header is missing, repeated, of another scheme, or not
// well-formed.
func Bearer(header http.Header) (string, error) {
	values := header.Values("Authorization")
	switch len(values) {
	case 0:
		return "", refuse(ReasonNone)
	case 1:
	default:
		return "", refuse(ReasonMalformed)
	}
	if len(values[0]) > maxBearer {
		return "", refuse(ReasonTooLarge)
	}
	scheme, token, found := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", refuse(ReasonNone)
	}
	token = strings.TrimLeft(token, " ")
	if !found || !isToken68(token) {
		return "", refuse(ReasonMalformed)
	}
	return token, nil
}

// isToken68 reports whether s has the form of a bearer token (RFC 9110, 11.2).
func isToken68(s string) bool {
	s = strings.TrimRight(s, "=")
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
