package app

import (
	"strings"
	"testing"

	"gorgone/internal/config"
	"gorgone/store/access"
	"gorgone/web/auth"
)

// TestKeysThatAreMissingRefuseToStart: an empty key would let anybody sign.
func TestKeysThatAreMissingRefuseToStart(t *testing.T) {
	const (
		signingKey = "sig_current_key_of_thirty_two_bytes"
		nextKey    = "sig_next_key_of_thirty_two_bytes_xx"
	)
	t.Setenv("GORGONE_WEB_PUBLIC_URL", "https://gorgone.example.com")
	for name, keys := range map[string]map[string]string{
		"no next key":     {"QSTASH_CURRENT_SIGNING_KEY": signingKey},
		"no current key":  {"QSTASH_NEXT_SIGNING_KEY": signingKey},
		"only other keys": {"QSTASH_MORE_SIGNING_KEYS": signingKey + ":" + nextKey},
		"half a pair":     {"QSTASH_CURRENT_SIGNING_KEY": signingKey, "QSTASH_NEXT_SIGNING_KEY": nextKey, "QSTASH_MORE_SIGNING_KEYS": signingKey},
		"a space":         {"QSTASH_CURRENT_SIGNING_KEY": " ", "QSTASH_NEXT_SIGNING_KEY": nextKey},
		"a short key":     {"QSTASH_CURRENT_SIGNING_KEY": "sig", "QSTASH_NEXT_SIGNING_KEY": nextKey},
		"the local key":   {"QSTASH_CURRENT_SIGNING_KEY": "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", "QSTASH_NEXT_SIGNING_KEY": nextKey},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, key := range keys {
				t.Setenv(variable, key)
			}
			cfg, err := config.Load()
			if err == nil {
				var q *auth.QStash
				if q, err = newQStashVerifier(cfg.Web, new(access.Store)); q != nil {
					t.Error("a verifier was made")
				}
			}
			if err == nil {
				t.Fatal("it starts")
			}
			for _, key := range keys {
				if len(key) > 3 && strings.Contains(err.Error(), key) {
					t.Errorf("a key was printed: %v", err)
				}
			}
		})
	}
}
