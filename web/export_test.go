package web

import (
	"context"
	"time"

	"gorgone/web/auth"
)

// Route is a line of the table, for tests that walk it.
type Route struct {
	Method, Pattern string
	Need            need
}

// The needs of routes.
const (
	Open       = open
	Everywhere = everywhere
	Somewhere  = somewhere
	Here       = here
	WebhookKey = webhookKey
	LoginCode  = loginCode
)

// ExposedHeaders are the names that pages of allowed origins may read.
const ExposedHeaders = exposedHeaders

// RefusalWords returns what a caller is told for a reason.
func RefusalWords(r auth.Reason) string { return refusalWords[r] }

// Routes lists everything the server answers.
func Routes() (list []Route) {
	for _, rt := range routes() {
		list = append(list, Route{rt.method, rt.pattern, rt.need})
	}
	return list
}

// MaxPerUser is how many streams of events a user may read at once.
const MaxPerUser = maxStreamsPerUser

// Description is the OpenAPI document.
func Description() []byte { return description }

// Coalescer is a coalescer whose clock is moved by hand.
type Coalescer struct {
	*coalescer[int]

	at time.Time
}

// NewCoalescer returns one.
func NewCoalescer() *Coalescer {
	c := &Coalescer{newCoalescer[int](), time.Unix(0, 0)}
	c.now = func() time.Time { return c.at }
	return c
}

// Get asks.
func (c *Coalescer) Get(ctx context.Context, question string, find func(context.Context) (int, error)) (int, error) {
	return c.get(ctx, question, find)
}

// Advance moves the clock.
func (c *Coalescer) Advance(d time.Duration) { c.at = c.at.Add(d) }

// Held is how many answers are held.
func (c *Coalescer) Held() int { return len(c.kept) }
