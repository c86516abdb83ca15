package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"gorgone/store"
)

// MinWebhookKey is how many characters [Config.WebhookKey] has at least: who can
// guess it can have any tweet tracked.
const MinWebhookKey = 16

// Config says how the server behaves. Zero fields take their defaults.
type Config struct {
	Version string // shown at /version

	// Origins are the sites whose pages may call from a browser, such as
	// https://app.example.com. None by default.
	Origins []string

	// WebhookKey is what the provider sends in X-API-Key with the tweets it
	// pushes. Empty: such deliveries are refused.
	WebhookKey string

	// SupabaseURL and SupabaseKey, the project's publishable key, let people log in
	// to the dashboard with e-mail and password. Without them they paste a token.
	SupabaseURL, SupabaseKey string

	UserLimits store.Limits // of each user's refreshes. Defaults to one in 2 s and 120 an hour
	UserForce  bool         // users may ask for a refresh of what was just seen

	MaxReaders int           // of live events at once. Defaults to 2,000
	Heartbeat  time.Duration // between two signs of life on a quiet stream of events. Defaults to 15 s
	Grace      time.Duration // that requests under way get at a stop. Defaults to 8 s

	// Tracer, if set, records refreshes from the request on.
	Tracer trace.Tracer
	// OnRequest, if set, is told of every request when it is over. The route is ""
	// for a path that there is no route for.
	OnRequest func(route string, status int, took time.Duration)
}

// The limits of what a caller may send and how long it may take to.
const (
	headerTimeout = 5 * time.Second  // to send the head of a request
	readTimeout   = 20 * time.Second // to send all of it
	refusedTime   = 2 * time.Second  // to send the rest of what is refused without being read
	writeTimeout  = 45 * time.Second // to take an answer that is not waited for
	idleTimeout   = time.Minute      // between two requests on a connection
	maxHeader     = 32 << 10         // bytes; an access token has up to 16 KiB

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
	c.Grace = cmp.Or(c.Grace, 8*time.Second)
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
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

// CheckOrigins returns what is wrong with [Config.Origins], all at once.
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
