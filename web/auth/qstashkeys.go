package auth

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// minQStashKey is the least length of a signing key, in characters. QStash's have 32.
	// With an empty key anyone could sign.
	minQStashKey = 24

	// MaxQStashPairs is the most pairs of signing keys, one per region.
	MaxQStashPairs = 4
)

// KeyPair holds the signing keys of one region. Rotating the keys at QStash makes the next
// key the current one; both are always accepted.
type KeyPair struct {
	Current string
	Next    string
}

// String keeps the keys out of logs.
func (KeyPair) String() string { return "(signing keys)" }

// GoString keeps the keys out of logs.
func (KeyPair) GoString() string { return "(signing keys)" }

// developmentKeys are published for QStash's development server, so anyone can sign with
// them.
// Source: Upstash's documentation, "Local Development", test users.
func developmentKeys() []string {
	return []string{
		"sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
		"sig_7GVPjvuwsfqF65iC8fSrs1dfYruM", "sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua",
		"sig_6jWGaWRxHsw4vMSPJprXadyvrybF", "sig_7qHbvhmahe5GwfePDiS5Lg3pi6Qx",
		"sig_5T8FcSsynBjn9mMLBsXhpacRovJf", "sig_7GFR4YaDshFcqsxWRZpRB161jguD",
	}
}

func (c QStashConfig) withDefaults() (QStashConfig, error) {
	c.MaxBody = cmp.Or(c.MaxBody, defaultQStashBody)
	if c.Now == nil {
		c.Now = time.Now
	}
	var faults []error
	if n := len(c.Keys); n < 1 || n > MaxQStashPairs {
		faults = append(faults, fmt.Errorf("qstash: %d pairs of signing keys: want 1 to %d, one per region", n, MaxQStashPairs))
	}
	for i, pair := range c.Keys {
		for name, key := range map[string]string{"current": pair.Current, "next": pair.Next} {
			if err := c.CheckKey(key); err != nil {
				faults = append(faults, fmt.Errorf("qstash: the %s signing key of pair %d %w", name, i+1, err))
			}
		}
	}
	base, err := c.CheckPublicURL()
	if err != nil {
		faults = append(faults, err)
	}
	c.PublicURL = base
	if c.Uses == nil {
		faults = append(faults, errors.New("qstash: the store of used tokens is missing"))
	}
	if c.MaxBody < 0 {
		faults = append(faults, errors.New("qstash: the longest body must be more than 0 bytes"))
	}
	return c, errors.Join(faults...)
}

// CheckKey returns what is wrong with a signing key, without revealing it.
func (c QStashConfig) CheckKey(key string) error {
	switch {
	case key == "":
		return errors.New("is empty: copy both keys from QStash's console")
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("has characters that no key has (a space or line end copied with it?)")
	case len(key) < minQStashKey:
		return fmt.Errorf("is too short: it has %d characters, at least %d are needed", len(key), minQStashKey)
	case !c.Development && slices.Contains(developmentKeys(), key):
		return errors.New("is one that Upstash publishes for its development server: anyone can sign with it")
	}
	return nil
}

// CheckPublicURL returns the public URL without the slash at its end, or what is
// wrong with it.
func (c QStashConfig) CheckPublicURL() (string, error) {
	u, err := url.Parse(c.PublicURL)
	switch {
	case c.PublicURL == "":
		return "", errors.New("qstash: the public URL is empty: give the address under which QStash reaches this server")
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(c.PublicURL, "?#"):
		return "", errors.New("qstash: the public URL must be a scheme, a host and at most a path, such as https://example.org")
	case u.Scheme != "https" && (u.Scheme != "http" || !c.Development && !isLoopback(u.Hostname())):
		return "", errors.New("qstash: the public URL must begin with https://")
	}
	return strings.TrimRight(c.PublicURL, "/"), nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
