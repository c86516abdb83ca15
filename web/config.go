package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"time"

	"gorgone/store"
)

// MinWebhookKey is the least length of [Config.WebhookKey], in characters: whoever guesses
// the key can have any tweet tracked.
const MinWebhookKey = 16

// Config configures a [Server]. Zero fields take their defaults.
type Config struct {
	Version string // shown at /version

	// Origins are the sites whose pages may call the API from a browser, such as
	// https://app.example.com. None by default.
	Origins []string

	// WebhookKey is the X-API-Key header of the provider's deliveries. Empty: they are
	// refused.
	WebhookKey string

	// SupabaseURL and SupabaseKey, the project's publishable key, let users log in to the
	// dashboard with e-mail and password. Without them users paste a token.
	SupabaseURL, SupabaseKey string

	UserLimits store.Limits // of each user's refreshes. Defaults to one every 2 s and 120 an hour
	UserForce  bool         // users may force a refresh of a tweet that was just looked up

	MaxReaders int           // most event streams at once. Defaults to 2,000
	Heartbeat  time.Duration // interval of the comments that keep a quiet event stream open. Defaults to 15 s
	Recheck    time.Duration // how often a reader's permissions are checked again. Defaults to a minute
	ExportTime time.Duration // longest time that an export takes. Defaults to 10 minutes
	Grace      time.Duration // for requests in progress when the server stops. Defaults to 8 s

	// OnRequest, if set, is called after every request. The route is "" for a path
	// without a route.
	OnRequest func(route string, status int, took time.Duration)
}

// Limits on what a caller sends and on how long that takes.
const (
	headerTimeout      = 5 * time.Second  // to read the headers of a request
	readTimeout        = 20 * time.Second // to read all of a request
	refusedBodyTimeout = 2 * time.Second  // to read the rest of a refused request
	writeTimeout       = 45 * time.Second // to write a response, apart from what the handler waits
	idleTimeout        = time.Minute      // between two requests on a connection
	maxHeader          = 32 << 10         // bytes; an access token has up to 16 KiB

	maxPlainBody   = 64 << 10 // bytes
	maxTrackBody   = 4 << 20
	maxWebhookBody = 4 << 20
)

func (c Config) withDefaults() Config {
	if c.UserLimits == (store.Limits{}) {
		c.UserLimits = store.Limits{Cooldown: 2 * time.Second, Allowance: 120}
	}
	c.MaxReaders = cmp.Or(c.MaxReaders, 2000)
	c.Heartbeat = cmp.Or(c.Heartbeat, 15*time.Second)
	c.Recheck = cmp.Or(c.Recheck, time.Minute)
	c.ExportTime = cmp.Or(c.ExportTime, 10*time.Minute)
	c.Grace = cmp.Or(c.Grace, 8*time.Second)
	if c.OnRequest == nil {
		c.OnRequest = func(string, int, time.Duration) {}
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	faults = append(faults, CheckOrigins(c.Origins))
	if c.WebhookKey != "" && len(c.WebhookKey) < MinWebhookKey {
		faults = append(faults, fmt.Errorf("the webhook's key has fewer than %d characters", MinWebhookKey))
	}
	return errors.Join(faults...)
}

// CheckOrigins returns all faults of [Config.Origins].
func CheckOrigins(origins []string) error {
	var faults []error
	for i, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			faults = append(faults, fmt.Errorf("origin %d is not of the form https://host", i+1))
		}
	}
	return errors.Join(faults...)
}
