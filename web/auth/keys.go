package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"gorgone/internal/address"
)

const (
	defaultKeysRefresh  = 5 * time.Minute
	maxKeysRefresh      = 10 * time.Minute // as Supabase asks
	defaultKeysCooldown = 30 * time.Second
	keysTimeout         = 5 * time.Second
	keysRetry           = 5 * time.Second
	maxKeysBody         = 256 << 10
)

// KeysConfig says where an issuer publishes its keys.
type KeysConfig struct {
	// URL is where the key set is: <issuer>/.well-known/jwks.json.
	URL string
	// Refresh is how often it is fetched. Defaults to 5 min; at most 10 min, so that
	// a key is known before it first signs and forgotten soon after it is revoked.
	Refresh time.Duration
	// Cooldown is the least time between fetches for unknown keys. Defaults to 30 s.
	Cooldown time.Duration
	// Client makes the requests. Defaults to one that follows no redirects.
	Client *http.Client
	// OnFetch, if set, is called after every fetch with its error, or nil.
	OnFetch func(error)
}

// Keys are the public keys of an issuer (a JSON Web Key Set), fetched in the background.
// Keys are used until a later fetch succeeds, however long that takes, and replaces them
// all.
type Keys struct {
	config KeysConfig
	wanted chan struct{} // holds one value when an unknown key was named

	mu   sync.Mutex
	keys map[string]any // by key id; nil before the first fetch
}

// NewKeys returns a Keys that is empty until [Keys.Run] has fetched the keys, or an error
// with all faults of the configuration.
func NewKeys(config KeysConfig) (*Keys, error) {
	config.Refresh = cmp.Or(config.Refresh, defaultKeysRefresh)
	config.Cooldown = cmp.Or(config.Cooldown, defaultKeysCooldown)
	if config.Client == nil {
		config.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if config.OnFetch == nil {
		config.OnFetch = func(error) {}
	}
	var faults []error
	u, err := url.Parse(config.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		faults = append(faults, errors.New("users: the address of the issuer's keys must be an https URL"))
	}
	if config.Refresh < time.Second || config.Refresh > maxKeysRefresh {
		faults = append(faults, fmt.Errorf("users: the issuer's keys are fetched every %s: it must be 1s to %s", config.Refresh, maxKeysRefresh))
	}
	if config.Cooldown < time.Second || config.Cooldown > config.Refresh {
		faults = append(faults, fmt.Errorf("users: the cooldown of the issuer's keys is %s: it must be 1s to %s", config.Cooldown, config.Refresh))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Keys{config: config, wanted: make(chan struct{}, 1)}, nil
}

// find returns a key without waiting. An unknown key is fetched in the background.
func (k *Keys) find(id string) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, known := k.keys[id]; known {
		return key, nil
	}
	select {
	case k.wanted <- struct{}{}:
	default:
	}
	if k.keys == nil {
		return nil, fmt.Errorf("the issuer's keys have not been fetched yet: %w", ErrUnavailable)
	}
	return nil, refuse(ReasonUnknownKey)
}

// Run fetches the keys now, then regularly, and sooner for an unknown key, until
// ctx ends. After a failure it tries again every 5 s.
func (k *Keys) Run(ctx context.Context) {
	for {
		wait := k.config.Refresh
		err := k.fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			wait = keysRetry
		}
		k.config.OnFetch(err)
		if !k.sleep(ctx, wait) {
			return
		}
	}
}

// sleep waits for d or, after the cooldown, for an unknown key. It returns false
// when ctx ended.
func (k *Keys) sleep(ctx context.Context, d time.Duration) bool {
	whole := time.NewTimer(d)
	defer whole.Stop()
	cooldown := time.NewTimer(k.config.Cooldown)
	defer cooldown.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-whole.C:
		return true
	case <-cooldown.C:
	}
	select {
	case <-ctx.Done():
		return false
	case <-whole.C:
	case <-k.wanted:
	}
	return true
}

func (k *Keys) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.config.URL, nil)
	if err != nil {
		return fmt.Errorf("fetch the issuer's keys: %w", address.Without(err))
	}
	resp, err := k.config.Client.Do(req)
	if err != nil {
		return fmt.Errorf("fetch the issuer's keys: %w", address.Without(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch the issuer's keys: it answered %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeysBody))
	if err != nil {
		return fmt.Errorf("fetch the issuer's keys: %w", err)
	}
	keys, err := parseKeySet(body)
	if err != nil {
		return fmt.Errorf("fetch the issuer's keys: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = keys
	return nil
}
