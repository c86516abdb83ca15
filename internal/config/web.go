package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"gorgone/store/access"
	"gorgone/twitter"
	"gorgone/web"
	"gorgone/web/auth"
)

// authPath is where a Supabase project has its Auth server.
const authPath = "/auth/v1"

// Issuer returns the issuer of the Supabase project's sessions.
func (c Web) Issuer() string {
	return cmp.Or(strings.TrimRight(c.SupabaseIssuer, "/"), strings.TrimRight(c.SupabaseURL, "/")+authPath)
}

// KeySet returns the URL of the Supabase project's public keys, whatever the issuer is
// called.
func (c Web) KeySet() string {
	return strings.TrimRight(c.SupabaseURL, "/") + authPath + "/.well-known/jwks.json"
}

// TokenEntries returns the entries of the services that may call.
func (c Web) TokenEntries() []string { return List(string(c.Tokens)) }

// SignedByQStash reports whether QStash may call. A key that is missing beside
// others is a mistake.
func (c Web) SignedByQStash() bool {
	return c.QStashCurrent != "" || c.QStashNext != "" || c.QStashMore != ""
}

// ReadRoles returns the roles whose users may read.
func (c Web) ReadRoles() []access.Role { return roles(c.Readers) }

// RefreshRoles returns the roles whose users may have a tweet refreshed.
func (c Web) RefreshRoles() []access.Role { return roles(c.Refreshers) }

func roles(list string) (roles []access.Role) {
	for _, role := range List(list) {
		roles = append(roles, access.Role(role))
	}
	return roles
}

// QStashVerifier is how QStash's signatures are checked, but for what remembers them.
func (c Web) QStashVerifier() auth.QStashConfig {
	q := auth.QStashConfig{PublicURL: c.PublicURL, Development: c.QStashLocal}
	q.Keys = append(q.Keys, auth.KeyPair{Current: string(c.QStashCurrent), Next: string(c.QStashNext)})
	for _, more := range List(string(c.QStashMore)) {
		current, next, _ := strings.Cut(more, ":")
		q.Keys = append(q.Keys, auth.KeyPair{Current: current, Next: next})
	}
	return q
}

// Pushes tells whether a real provider may push tweets with its API key.
func (c Provider) Pushes() bool {
	return c.Name == twitter.TwitterAPIName && c.Key != "" && c.Key != DemoKey
}

// WebhookKey is what the provider sends with what it pushes: by its own design the
// API key, unless told otherwise. A key that could be guessed, such as a fake provider's,
// is not taken for it.
func (c Provider) WebhookKey(w Web) string {
	if w.WebhookKey == "" && c.Pushes() && len(c.Key) >= web.MinWebhookKey {
		return string(c.Key)
	}
	return string(w.WebhookKey)
}

// validate reports all that is wrong with the settings of the web server. The keys
// are no tokens of services.
func (c Web) validate(keys ...string) (faults []error) {
	fault := func(name string, err error) {
		for _, e := range each(err) {
			faults = append(faults, fmt.Errorf("%s: %w", name, e))
		}
	}
	check := func(ok bool, text string) {
		if !ok {
			faults = append(faults, errors.New(text))
		}
	}
	faults = append(faults, checkListen("GORGONE_WEB_LISTEN", c.Listen)...)
	_, err := auth.NewTokens(List(string(c.Tokens)), keys...)
	fault("GORGONE_WEB_TOKENS", err)
	check(c.WebhookKey == "" || len(c.WebhookKey) >= web.MinWebhookKey, fmt.Sprintf("GORGONE_WEB_WEBHOOK_KEY has fewer than %d characters", web.MinWebhookKey))
	fault("GORGONE_WEB_ORIGINS", web.CheckOrigins(List(c.Origins)))
	_, err = auth.ParseProxies(List(c.Proxies))
	fault("GORGONE_WEB_TRUSTED_PROXIES", err)
	_, err = auth.NewZoneAccess(nil, c.ReadRoles(), nil)
	fault("GORGONE_WEB_READ_ROLES", err)
	_, err = auth.NewZoneAccess(nil, nil, c.RefreshRoles())
	fault("GORGONE_WEB_REFRESH_ROLES", err)

	check(c.SupabaseKey == "" || c.SupabaseURL != "", "SUPABASE_URL is not set, and SUPABASE_ANON_KEY is")
	check(c.SupabaseIssuer == "" || c.SupabaseURL != "", "SUPABASE_URL is not set, and SUPABASE_ISSUER is")
	if c.SupabaseKey != "" {
		if err := checkPublishableKey(c.SupabaseKey); err != nil {
			faults = append(faults, fmt.Errorf("SUPABASE_ANON_KEY %w", err))
		}
	}
	check(c.SupabaseSecret == "" || c.SupabaseURL != "", "SUPABASE_URL is not set, and SUPABASE_JWT_SECRET is")
	if c.SupabaseURL != "" {
		issuerKeys, err := auth.NewKeys(auth.KeysConfig{URL: c.KeySet()})
		check(err == nil, "SUPABASE_URL is not an https address such as https://<ref>.supabase.co")
		if err == nil {
			_, err = auth.NewUsers(auth.UserConfig{Issuer: c.Issuer(), Keys: issuerKeys, Secret: []byte(c.SupabaseSecret)})
			fault(cmp.Or(badIssuer(c.SupabaseIssuer), "SUPABASE_JWT_SECRET"), err)
		}
	}
	return append(faults, c.validateQStash()...)
}

// badIssuer names the variable of an issuer that is no URL.
func badIssuer(issuer string) string {
	if u, err := url.Parse(issuer); issuer != "" && (err != nil || u.Scheme == "" || u.Host == "") {
		return "SUPABASE_ISSUER"
	}
	return ""
}

func (c Web) validateQStash() (faults []error) {
	if !c.SignedByQStash() {
		return nil
	}
	q := c.QStashVerifier()
	key := func(name, key string) {
		if err := q.CheckKey(key); err != nil {
			faults = append(faults, fmt.Errorf("%s %w", name, err))
		}
	}
	for i, pair := range q.Keys {
		if i == 0 {
			key("QSTASH_CURRENT_SIGNING_KEY", pair.Current)
			key("QSTASH_NEXT_SIGNING_KEY", pair.Next)
			continue
		}
		key(fmt.Sprintf("QSTASH_MORE_SIGNING_KEYS: the current key of pair %d", i), pair.Current)
		key(fmt.Sprintf("QSTASH_MORE_SIGNING_KEYS: the next key of pair %d", i), pair.Next)
	}
	if len(q.Keys) > auth.MaxQStashPairs {
		faults = append(faults, fmt.Errorf("QSTASH_MORE_SIGNING_KEYS has %d pairs, want %d at most", len(q.Keys)-1, auth.MaxQStashPairs-1))
	}
	if _, err := q.CheckPublicURL(); err != nil {
		faults = append(faults, fmt.Errorf("GORGONE_WEB_PUBLIC_URL: %w", err))
	}
	return faults
}

// each is the errors that were joined into one.
func each(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// List splits what is separated by commas; an empty string has no items.
func List(s string) (items []string) {
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
