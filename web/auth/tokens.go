package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	// minToken is the least length of a service's token, in bytes.
	minToken = 32

	// tokenEntropy is the number of random bytes in a new token.
	tokenEntropy = 32

	// tokenPrefix lets people and secret scanners recognize a token. Nothing depends
	// on it.
	tokenPrefix = "gorgone_"
)

// Tokens authenticates services by bearer tokens, of which it holds only the hashes. A
// plain SHA-256 is enough, because a token is random and at least 32 bytes long and so
// cannot be guessed.
type Tokens struct {
	services []service
}

type service struct {
	name   string
	scopes []Scope
	hash   [sha256.Size]byte
}

// NewTokens reads entries of the form
//
//	name:scope+scope:hash
//
// where hash is the token's SHA-256 in hexadecimal, as [HashToken] returns it, and
// returns all faults at once. A token is rotated without a gap by listing the new
// one, under another name, beside the old one. Secrets with another use, such as the
// provider's API key, are listed in reserved and refused as tokens.
// Without entries no token is accepted.
func NewTokens(entries []string, reserved ...string) (*Tokens, error) {
	t := &Tokens{}
	var faults []error
	for i, entry := range entries {
		s, err := readService(entry)
		if err != nil {
			faults = append(faults, fmt.Errorf("service token %d: %w", i+1, err))
			continue
		}
		for _, other := range t.services {
			if other.name == s.name || other.hash == s.hash {
				faults = append(faults, fmt.Errorf("service token %d: has the name or the hash of another one", i+1))
			}
		}
		for _, secret := range reserved {
			if secret != "" && sha256.Sum256([]byte(secret)) == s.hash {
				faults = append(faults, fmt.Errorf("service token %d: this secret is already used for something else: make another", i+1))
			}
		}
		t.services = append(t.services, s)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return t, nil
}

func readService(entry string) (service, error) {
	parts := strings.Split(strings.TrimSpace(entry), ":")
	if len(parts) != 3 {
		return service{}, errors.New(`is not of the form name:scope+scope:sha256 ("gorgone token new" makes one)`)
	}
	s := service{name: parts[0]}
	if s.name == "" || len(s.name) > 64 || !isToken68(s.name) {
		return service{}, errors.New("its name must be 1 to 64 letters, digits, dots, dashes or underscores")
	}
	for name := range strings.SplitSeq(parts[1], "+") {
		scope := Scope(name)
		if !slices.Contains(Scopes(), scope) || slices.Contains(s.scopes, scope) {
			return service{}, fmt.Errorf("its scopes must be some of %v, joined by +", Scopes())
		}
		s.scopes = append(s.scopes, scope)
	}
	hash, err := hex.DecodeString(parts[2])
	if err != nil || len(hash) != sha256.Size {
		return service{}, errors.New(`its hash must be 64 hexadecimal digits, the SHA-256 of the token ("gorgone token new" prints it)`)
	}
	s.hash = [sha256.Size]byte(hash)
	return s, nil
}

// Verify returns the service with the token. Every entry is compared, in constant time.
func (t *Tokens) Verify(token string) (Principal, error) {
	if len(token) < minToken {
		return Principal{}, refuse(ReasonToken)
	}
	hash := sha256.Sum256([]byte(token))
	match := -1
	for i := range t.services {
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], t.services[i].hash[:]), i, match)
	}
	if match < 0 {
		return Principal{}, refuse(ReasonToken)
	}
	s := t.services[match]
	return Principal{Kind: KindService, Name: s.name, Scopes: slices.Clone(s.scopes)}, nil
}

// NewToken returns a new token of 32 random bytes. random must be crypto/rand.Reader
// outside of tests.
func NewToken(random io.Reader) (string, error) {
	raw := make([]byte, tokenEntropy)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(raw), nil
}

// HashToken returns the hash that is configured for a token, or an error if the token is
// too short.
func HashToken(token string) (string, error) {
	if len(token) < minToken {
		return "", fmt.Errorf("a service token has at least %d bytes: this one has %d", minToken, len(token))
	}
	hash := sha256.Sum256([]byte(token))
	return hex.EncodeToString(hash[:]), nil
}

// TokenEntry returns an entry for [NewTokens], after checking it.
func TokenEntry(name string, scopes []Scope, token string) (string, error) {
	hash, err := HashToken(token)
	if err != nil {
		return "", err
	}
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	entry := name + ":" + strings.Join(names, "+") + ":" + hash
	if _, err := readService(entry); err != nil {
		return "", fmt.Errorf("service token: %w", err)
	}
	return entry, nil
}
