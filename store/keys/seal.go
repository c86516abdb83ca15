// Package keys keeps the API keys that clients bring of their own: sealed, so that who reads
// the database or a backup of it has no key, and says which key looks a zone's tweets up.
package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// secretBytes is the length of a secret: a key of AES-256.
const secretBytes = 32

// ErrNoSecret is wrapped by the error for a key that is to be sealed or opened without the
// secret that this takes.
var ErrNoSecret = errors.New("GORGONE_KEY_SECRETS does not have the secret")

// Sealer seals and opens keys by AES-256-GCM. The zero value has no secret.
type Sealer struct{ secrets []secret }

type secret struct {
	id   string // the first digits of its SHA-256
	aead cipher.AEAD
}

// ParseSecrets reads secrets of 32 bytes, each in base64, separated by commas. The first seals;
// all of them open, so that the first can be replaced while keys are sealed by the one before.
// The error shows none of the text.
func ParseSecrets(text string) (*Sealer, error) {
	s := new(Sealer)
	if strings.TrimSpace(text) == "" {
		return s, nil
	}
	for i, part := range strings.Split(text, ",") {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(part))
		if err != nil || len(raw) != secretBytes {
			return nil, fmt.Errorf("secret %d is not %d bytes in base64: make one with openssl rand -base64 %d", i+1, secretBytes, secretBytes)
		}
		block, err := aes.NewCipher(raw)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		sum := sha256.Sum256(raw)
		s.secrets = append(s.secrets, secret{hex.EncodeToString(sum[:4]), aead})
	}
	return s, nil
}

// Ready returns an error that wraps [ErrNoSecret] where there is none to seal with.
func (s *Sealer) Ready() error {
	if len(s.secrets) == 0 {
		return fmt.Errorf("%w that seals keys: it is not set; make one with openssl rand -base64 %d", ErrNoSecret, secretBytes)
	}
	return nil
}

// bound is what a sealed key is bound to: it opens as no other client's, and for no other
// provider.
func bound(client uuid.UUID, provider string) []byte {
	return []byte("gorgone client key\x00" + client.String() + "\x00" + provider)
}

// seal seals a key with the first secret.
func (s *Sealer) seal(client uuid.UUID, provider, key string) (sealed []byte, secretID string, err error) {
	if err := s.Ready(); err != nil {
		return nil, "", err
	}
	first := s.secrets[0]
	// #nosec G407 -- the cipher draws the nonce, and takes none
	return first.aead.Seal(nil, nil, []byte(key), bound(client, provider)), first.id, nil
}

// Open returns the key. The error wraps [ErrNoSecret] where the secret that sealed it is not
// there; it never shows a key.
func (s *Sealer) Open(k Key) (string, error) {
	for _, secret := range s.secrets {
		if secret.id != k.secretID {
			continue
		}
		key, err := secret.aead.Open(nil, nil, k.sealed, bound(k.Client, k.Provider))
		if err != nil {
			return "", fmt.Errorf("open the key of client %s: what is stored was changed, or is another client's or provider's; set the key again", k.Client)
		}
		return string(key), nil
	}
	return "", fmt.Errorf("open the key of client %s: %w %s that sealed it: add that to the list, or set the key again", k.Client, ErrNoSecret, k.secretID)
}

// ID names an API key without giving it away, for what replicas share about it.
func ID(provider, key string) string {
	sum := sha256.Sum256([]byte(provider + "\x00" + key))
	return hex.EncodeToString(sum[:8])
}
