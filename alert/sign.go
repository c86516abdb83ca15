package alert

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Headers of what is sent, named as in the Standard Webhooks specification, so
// that its libraries verify them.
const (
	HeaderID        = "Webhook-Id"        // the same for every attempt
	HeaderTimestamp = "Webhook-Timestamp" // of the attempt, in Unix seconds
	HeaderSignature = "Webhook-Signature" // v1,<base64>, separated by blanks: one of them is to match
	HeaderKey       = "Idempotency-Key"   // the id again, for receivers that go by this name
)

// secretPrefix begins a secret; base64 of the key follows.
const secretPrefix = "whsec_"

// NewSecret makes a secret to sign with.
func NewSecret() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key[:])
}

// keyOf decodes a secret.
func keyOf(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 {
		return nil, fmt.Errorf("the webhook's secret is not %s and base64 of 24 bytes or more", secretPrefix)
	}
	return key, nil
}

// sign returns the signatures of a message by the webhook's secret and, while it is
// rotated, by the one before.
func (w Webhook) sign(id string, at time.Time, body []byte) (string, error) {
	key, err := keyOf(w.Secret)
	if err != nil {
		return "", err
	}
	signatures := sign(key, id, at, body)
	if w.Previous != "" {
		if key, err = keyOf(w.Previous); err != nil {
			return "", err
		}
		signatures += " " + sign(key, id, at, body)
	}
	return signatures, nil
}

// sign returns the signature of a message: HMAC-SHA256 over its id, its time and
// its body.
// Source: Standard Webhooks specification, "Signature scheme" (v1).
func sign(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
