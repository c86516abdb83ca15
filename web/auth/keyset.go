package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// jwk is a JSON Web Key (RFC 7517), as far as it is a public key that signs with
// ES256 or RS256 (RFC 7518, 6.2 and 6.3).
type jwk struct {
	Type      string `json:"kty"`
	ID        string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	N         string `json:"n"`
	E         string `json:"e"`
}

const (
	p256Bytes = 32

	// Bits of an RSA key: fewer are unsafe (RFC 7518, 3.3), more make a check slow.
	minRSA = 2048
	maxRSA = 8192
)

// parseKeySet returns the keys of a set by their ids. Keys of other kinds and
// keys without an id are skipped; a key of these kinds that cannot be parsed is an error,
// so that a garbled response does not replace good keys.
func parseKeySet(body []byte) (map[string]any, error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("the response is not a key set")
	}
	if set.Keys == nil {
		return nil, errors.New("the response has no list of keys")
	}
	keys := make(map[string]any)
	for _, k := range set.Keys {
		if k.ID == "" || k.Use != "" && k.Use != "sig" {
			continue
		}
		var key any
		var err error
		switch {
		case k.Type == "EC" && k.Curve == "P-256" && (k.Algorithm == "" || k.Algorithm == "ES256"):
			key, err = k.ecdsa()
		case k.Type == "RSA" && (k.Algorithm == "" || k.Algorithm == "RS256"):
			key, err = k.rsa()
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read key %q: %w", k.ID, err)
		}
		if _, twice := keys[k.ID]; twice {
			return nil, fmt.Errorf("two keys have the id %q", k.ID)
		}
		keys[k.ID] = key
	}
	return keys, nil
}

func (k jwk) ecdsa() (*ecdsa.PublicKey, error) {
	x, errX := base64.RawURLEncoding.DecodeString(k.X)
	y, errY := base64.RawURLEncoding.DecodeString(k.Y)
	if errX != nil || errY != nil || len(x) != p256Bytes || len(y) != p256Bytes {
		return nil, errors.New("its coordinates are not those of a point of P-256")
	}
	point := append(append([]byte{4}, x...), y...) // uncompressed (SEC 1, 2.3.3)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, errors.New("it is not on the curve P-256")
	}
	return key, nil
}

func (k jwk) rsa() (*rsa.PublicKey, error) {
	n, errN := base64.RawURLEncoding.DecodeString(k.N)
	e, errE := base64.RawURLEncoding.DecodeString(k.E)
	if errN != nil || errE != nil {
		return nil, errors.New("its numbers are not in base64url")
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if bits := modulus.BitLen(); bits < minRSA || bits > maxRSA {
		return nil, fmt.Errorf("it has %d bits: %d to %d are accepted", bits, minRSA, maxRSA)
	}
	if exponent.BitLen() > 31 || exponent.Int64() < 3 || exponent.Bit(0) == 0 {
		return nil, errors.New("its exponent is not an odd number from 3 to 2^31")
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}
