package main

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"gorgone/store"
	"gorgone/web"
	"gorgone/web/auth"
)

// keySetPath is where an issuer of Supabase's has its public keys.
const keySetPath = "/.well-known/jwks.json"

func (c webConfig) issuer() string { return strings.TrimRight(c.SupabaseURL, "/") + "/auth/v1" }

func (c webConfig) refreshers() (roles []store.Role) {
	for _, role := range list(c.Refreshers) {
		roles = append(roles, store.Role(role))
	}
	return roles
}

// qstash is how QStash's signatures are checked, but for what remembers them.
func (c webConfig) qstash() auth.QStashConfig {
	q := auth.QStashConfig{PublicURL: c.PublicURL, Development: c.QStashLocal}
	q.Keys = append(q.Keys, auth.KeyPair{Current: string(c.QStashCurrent), Next: string(c.QStashNext)})
	for _, more := range list(string(c.QStashMore)) {
		current, next, _ := strings.Cut(more, ":")
		q.Keys = append(q.Keys, auth.KeyPair{Current: current, Next: next})
	}
	return q
}

// pushes tells whether a real provider may push tweets with its API key.
func (c providerConfig) pushes() bool {
	return c.Name == providerTwitterAPI && c.Key != "" && c.Key != demoKey
}

// webhookKey is what the provider sends with what it pushes: by its own design the
// API key, unless told otherwise. A key that could be guessed, such as a double's,
// is not taken for it.
func (c providerConfig) webhookKey(w webConfig) string {
	if w.WebhookKey == "" && c.pushes() && len(c.Key) >= web.MinWebhookKey {
		return string(c.Key)
	}
	return string(w.WebhookKey)
}

// validate reports all that is wrong with the settings of the web server. The keys
// are no tokens of services.
func (c webConfig) validate(keys ...string) (faults []error) {
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
	_, err := auth.NewTokens(list(string(c.Tokens)), keys...)
	fault("GORGONE_WEB_TOKENS", err)
	check(c.WebhookKey == "" || len(c.WebhookKey) >= web.MinWebhookKey, fmt.Sprintf("GORGONE_WEB_WEBHOOK_KEY has fewer than %d characters", web.MinWebhookKey))
	fault("GORGONE_WEB_ORIGINS", web.CheckOrigins(list(c.Origins)))
	_, err = auth.ParseProxies(list(c.Proxies))
	fault("GORGONE_WEB_TRUSTED_PROXIES", err)
	_, err = auth.NewZoneAccess(nil, c.refreshers())
	fault("GORGONE_WEB_REFRESH_ROLES", err)

	check(c.SupabaseKey == "" || c.SupabaseURL != "", "SUPABASE_URL is not set, and SUPABASE_ANON_KEY is")
	check(c.SupabaseSecret == "" || c.SupabaseURL != "", "SUPABASE_URL is not set, and SUPABASE_JWT_SECRET is")
	if c.SupabaseURL != "" {
		issuerKeys, err := auth.NewKeys(auth.KeysConfig{URL: c.issuer() + keySetPath})
		check(err == nil, "SUPABASE_URL is not an https address such as https://<ref>.supabase.co")
		if err == nil {
			_, err = auth.NewUsers(auth.UserConfig{Issuer: c.issuer(), Keys: issuerKeys, Secret: []byte(c.SupabaseSecret)})
			fault("SUPABASE_JWT_SECRET", err)
		}
	}
	return append(faults, c.validateQStash()...)
}

func (c webConfig) validateQStash() (faults []error) {
	if c.QStashCurrent == "" && c.QStashNext == "" && c.QStashMore == "" {
		return nil
	}
	q := c.qstash()
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

// checkListen says what is wrong with an address to listen on.
func checkListen(name, address string) []error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return []error{fmt.Errorf("%s is not a host and a port such as 127.0.0.1:8080", name)}
	}
	return nil
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
