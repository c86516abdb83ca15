package config

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
)

const (
	// shortSecret is the length below which a secret may be found in other settings by
	// chance.
	shortSecret = 12

	publishableKey = "sb_publishable_" // begins the key of a Supabase project that pages may know
	anonRole       = "anon"            // of the older one, a JSON Web Token
)

// checkPublishableKey returns why a key is not one that everyone may know. It does not
// repeat the key.
func checkPublishableKey(key string) error {
	if strings.HasPrefix(key, publishableKey) {
		return nil
	}
	switch role, token := tokenRole(key); {
	case token && role == anonRole:
		return nil
	case token && role != "":
		return fmt.Errorf("is a secret: a token of the role %.40q. Its pages show it to everyone", role)
	case strings.HasPrefix(key, "sb_secret_"):
		return errors.New("is a secret key (sb_secret_…), and pages show it to everyone")
	}
	return fmt.Errorf("is neither a publishable key (%s…) nor a token of the role %s, which everyone may know", publishableKey, anonRole)
}

// tokenRole returns the role that a JSON Web Token claims; token is false for what is no
// such token.
func tokenRole(text string) (role string, token bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct {
		Role string `json:"role"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return "", false
	}
	return claims.Role, true
}

// checkPublished looks for secrets in the settings that are none: those are published, or
// logged, or repeated in errors.
func (c *Config) checkPublished() (faults []error) {
	secrets := make(map[string]string)
	for f, v := range settings(c) {
		if isSecret(f) && len(string(v.Interface().(Secret))) >= shortSecret {
			secrets[f.Tag.Get("envconfig")] = string(v.Interface().(Secret))
		}
	}
	for f, v := range settings(c) {
		value, plain := reflect.TypeAssert[string](v)
		name := f.Tag.Get("envconfig")
		if !plain || value == "" {
			continue
		}
		what := looksSecret(value)
		for other, secret := range secrets {
			if strings.Contains(value, secret) {
				what = "the value of " + other
			}
		}
		if what != "" && name != "SUPABASE_ANON_KEY" { // see checkPublishableKey
			faults = append(faults, fmt.Errorf("%s holds %s: this setting is not kept secret", name, what))
		}
	}
	return faults
}

// secretMarks begin what is secret wherever it is.
var secretMarks = []struct{ mark, what string }{
	{"sb_secret_", "a secret key of Supabase"},
	{"sbp_", "an access token of Supabase"},
	{"whsec_", "a secret that signs webhooks"},
	{"sig_", "a signing key of QStash"},
	{"gorgone_", "a service token"},
	{"-----BEGIN", "a private key"},
	{"AAAAAAAAAA", "a bearer token of X"},
}

// looksSecret says what secret a value seems to hold; "" for none.
func looksSecret(value string) string {
	for _, s := range secretMarks {
		if strings.HasPrefix(value, s.mark) {
			return s.what
		}
	}
	for _, item := range List(value) {
		if _, token := tokenRole(item); token {
			return "a JSON Web Token"
		}
		if u, err := url.Parse(item); err == nil && u.User != nil {
			return "an address with a user or password"
		}
	}
	return ""
}
