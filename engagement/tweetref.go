package engagement

import (
	"fmt"
	"slices"
	"strings"
)

// ParseTweetRef returns the id of a tweet that is named by its id or by its address, as
// browsers and apps copy it: on x.com or twitter.com with any of their prefixes, with or
// without a scheme, and with whatever follows the id. The error wraps [ErrTweetID].
func ParseTweetRef(s string) (string, error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "/") {
		return s, CheckTweetID(s)
	}
	_, rest, found := strings.Cut(s, "://")
	if !found {
		rest = s
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	parts := strings.Split(rest, "/")
	host := strings.ToLower(parts[0])
	for _, prefix := range []string{"www.", "mobile.", "m."} {
		host = strings.TrimPrefix(host, prefix)
	}
	at := slices.IndexFunc(parts, func(p string) bool { return p == "status" || p == "statuses" })
	if host != "x.com" && host != "twitter.com" || at < 0 || at+1 == len(parts) {
		return "", fmt.Errorf("%.80q: %w (want 1 to 19 digits, or https://x.com/…/status/…)", s, ErrTweetID)
	}
	return parts[at+1], CheckTweetID(parts[at+1])
}
