package alert

import (
	"encoding/base64"
	"strings"
	"testing"
)

// A secret is a key of 24 bytes or more, or is refused without being repeated.
func FuzzSecret(f *testing.F) {
	f.Add(NewSecret())
	f.Add("whsec_c2hvcnQ=")
	f.Add("whsec_" + strings.Repeat("=", 40))
	f.Add("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	f.Fuzz(func(t *testing.T, secret string) {
		key, err := keyOf(secret)
		if err != nil {
			if len(secret) > 8 && strings.Contains(err.Error(), secret) {
				t.Fatalf("%q is repeated: %v", secret, err)
			}
			return
		}
		if len(key) < 24 || !strings.HasPrefix(secret, secretPrefix) {
			t.Fatalf("%q became a key of %d bytes", secret, len(key))
		}
		if again, err := keyOf(secretPrefix + base64.StdEncoding.EncodeToString(key)); err != nil || string(again) != string(key) {
			t.Fatalf("%q: its key is not read again (%v)", secret, err)
		}
	})
}
