package queue

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

var errNotBuilt = errors.New("not built yet")

// Options says how to reach NATS.
type Options struct {
	URL             string                     // nats://[user:password@]host:port, comma-separated for a cluster; or InProcess
	InProcess       nats.InProcessConnProvider // the embedded server; takes precedence over URL
	CredentialsFile string                     // path of a .creds file; may be empty
	Name            string                     // shown in the server's connection list
	Log             zerolog.Logger
}

// Conn is a connection to NATS that reconnects for ever.
type Conn struct {
	nc *nats.Conn
}

// Connect connects and waits until the connection stands or ctx ends.
func Connect(ctx context.Context, o Options) (*Conn, error) { return nil, errNotBuilt }

// Close flushes what was sent and closes the connection.
func (c *Conn) Close() {}

// Connected reports whether the connection stands at this moment.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Server returns the address of the connected server without credentials, or ""
// when there is none.
func (c *Conn) Server() string { return c.nc.ConnectedUrlRedacted() }
