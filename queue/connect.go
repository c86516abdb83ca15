package queue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

const (
	// answerTimeout bounds every question to the server whose context has no deadline.
	answerTimeout = 5 * time.Second

	// closeTimeout bounds how long Close waits for what was sent to arrive.
	closeTimeout = 2 * time.Second
)

// Options says how to reach NATS.
type Options struct {
	URL             string                     // nats://[user:password@]host:port, comma-separated for a cluster
	InProcess       nats.InProcessConnProvider // the embedded server; takes precedence over URL
	CredentialsFile string                     // path of a .creds file; may be empty
	Name            string                     // shown in the server's list of connections
	Log             zerolog.Logger
}

// Conn is a connection to NATS that reconnects for ever. While it is down,
// whatever needs it fails at once: nothing is buffered to be sent later.
type Conn struct {
	nc  *nats.Conn
	js  jetstream.JetStream
	log zerolog.Logger

	mu      sync.Mutex
	lastErr error // why the last attempt to connect failed
}

// Connect connects, and waits until the connection stands. When ctx ends before
// that, the error says what the last attempt failed of.
func Connect(ctx context.Context, o Options) (*Conn, error) {
	address, err := o.address()
	if err != nil {
		return nil, err
	}
	c := &Conn{log: o.Log.With().Str("component", "queue").Logger()}
	up := make(chan struct{}, 1)
	opts := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // a credential that is being replaced must not end the process
		nats.PingInterval(20 * time.Second),
		nats.MaxPingsOutstanding(3),
		nats.ReconnectBufSize(-1),
		nats.ConnectHandler(func(*nats.Conn) { up <- struct{}{} }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.failed(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.log.Warn().Err(err).Msg("lost the connection to nats, reconnecting")
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			c.log.Info().Str("server", nc.ConnectedUrlRedacted()).Msg("connected to nats again")
		}),
		nats.ErrorHandler(c.asyncError),
	}
	if o.InProcess != nil {
		opts = append(opts, nats.InProcessServer(o.InProcess))
	}
	if o.CredentialsFile != "" {
		opts = append(opts, nats.UserCredentials(o.CredentialsFile))
	}
	if c.nc, err = nats.Connect(address, opts...); err != nil {
		return nil, fmt.Errorf("connect to nats: %w", err)
	}
	select {
	case <-up:
	case <-ctx.Done():
		c.nc.Close()
		return nil, fmt.Errorf("connect to nats at %s: %w (last attempt: %w)", redacted(address), context.Cause(ctx), c.failure())
	}
	if c.js, err = jetstream.New(c.nc, jetstream.WithDefaultTimeout(answerTimeout), jetstream.WithPublishAsyncTimeout(answerTimeout), jetstream.WithPublishAsyncMaxPending(maxPublishing)); err != nil {
		c.nc.Close()
		return nil, fmt.Errorf("connect to nats: %w", err)
	}
	return c, nil
}

// Close sends what is still to be sent and closes the connection.
func (c *Conn) Close() {
	if c.nc.IsConnected() {
		if err := c.nc.FlushTimeout(closeTimeout); err != nil {
			c.log.Warn().Err(err).Msg("closed the connection to nats before all was sent")
		}
	}
	c.nc.Close()
}

// Connected reports whether the connection stands at this moment.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Reconnects returns how often the connection was lost and came back. What was sent
// in between did not arrive here.
func (c *Conn) Reconnects() uint64 { return c.nc.Stats().Reconnects }

// Server returns the address of the connected server without credentials, or ""
// when there is none.
func (c *Conn) Server() string { return c.nc.ConnectedUrlRedacted() }

// ServerVersion returns the version of the connected server, or "" when there is none.
func (c *Conn) ServerVersion() string { return c.nc.ConnectedServerVersion() }

func (c *Conn) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// That no server was left to try is no news; why is.
	if c.lastErr == nil || !errors.Is(err, nats.ErrNoServers) {
		c.lastErr = err
	}
}

func (c *Conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastErr == nil {
		return errors.New("none was answered")
	}
	return c.lastErr
}

func (c *Conn) asyncError(_ *nats.Conn, sub *nats.Subscription, err error) {
	event := c.log.Error().Err(err)
	if sub != nil {
		event = event.Str("subject", sub.Subject)
	}
	event.Msg("nats reported an error")
}

// address checks the URL itself, because the client's errors repeat it, with the
// password in it.
func (o Options) address() (string, error) {
	if o.InProcess != nil {
		return nats.DefaultURL, nil
	}
	if o.URL == "" {
		return "", errors.New("connect to nats: no address given (want nats://host:port)")
	}
	for i, part := range strings.Split(o.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil || u.Hostname() == "" || (u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss") {
			return "", fmt.Errorf("connect to nats: address %d of the list is not of the form nats://[user:password@]host:port", i+1)
		}
	}
	return o.URL, nil
}

func redacted(address string) string {
	parts := strings.Split(address, ",")
	for i, part := range parts {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			parts[i] = "?"
			continue
		}
		parts[i] = u.Scheme + "://" + u.Host
	}
	return strings.Join(parts, ",")
}
