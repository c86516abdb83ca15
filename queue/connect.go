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

	"gorgone/internal/address"
)

const (
	// requestTimeout bounds every request to the server whose context has no deadline.
	requestTimeout = 5 * time.Second

	// closeTimeout bounds how long Close waits for sent messages to arrive.
	closeTimeout = 2 * time.Second
)

// Options configures a connection to NATS.
type Options struct {
	URL             string                     // nats://[user:password@]host:port, comma-separated for a cluster
	InProcess       nats.InProcessConnProvider // the embedded server; of URL only user and password are used
	CredentialsFile string                     // path of a .creds file; may be empty
	Name            string                     // of the connection in the server's list
	Log             zerolog.Logger
}

// Conn is a connection to NATS that reconnects forever. While it is down, operations
// fail at once: nothing is buffered to be sent later.
type Conn struct {
	nc  *nats.Conn
	js  jetstream.JetStream
	log zerolog.Logger

	mu      sync.Mutex
	lastErr error // of the last attempt to connect
}

// Connect waits until the connection is established. If ctx ends first, the error says
// why the last attempt failed.
func Connect(ctx context.Context, o Options) (*Conn, error) {
	server, err := o.address()
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
		nats.IgnoreAuthErrorAbort(), // replacing a credential must not end the process
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
			c.log.Info().Str("server", withoutUser(nc.ConnectedUrl())).Msg("connected to nats again")
		}),
		nats.ErrorHandler(c.asyncError),
	}
	if o.InProcess != nil {
		opts = append(opts, nats.InProcessServer(o.InProcess))
	}
	if o.CredentialsFile != "" {
		opts = append(opts, nats.UserCredentials(o.CredentialsFile))
	}
	if c.nc, err = nats.Connect(server, opts...); err != nil {
		return nil, fmt.Errorf("connect to nats: %w", err)
	}
	select {
	case <-up:
	case <-ctx.Done():
		c.nc.Close()
		return nil, fmt.Errorf("connect to nats at %s: %w (last attempt: %w)", withoutUser(server), context.Cause(ctx), c.failure())
	}
	if c.js, err = jetstream.New(c.nc, jetstream.WithDefaultTimeout(requestTimeout), jetstream.WithPublishAsyncTimeout(requestTimeout), jetstream.WithPublishAsyncMaxPending(maxPublishPending)); err != nil {
		c.nc.Close()
		return nil, fmt.Errorf("connect to nats: %w", err)
	}
	return c, nil
}

// Close flushes and closes the connection.
func (c *Conn) Close() {
	if c.nc.IsConnected() {
		if err := c.nc.FlushTimeout(closeTimeout); err != nil {
			c.log.Warn().Err(err).Msg("closed the connection to nats before everything was sent")
		}
	}
	c.nc.Close()
}

// Connected reports whether the connection is up.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Reconnects returns how often the connection was lost and re-established. Messages
// published in between were not received.
func (c *Conn) Reconnects() uint64 { return c.nc.Stats().Reconnects }

// Server returns the address of the connected server without credentials, or "" if not
// connected.
func (c *Conn) Server() string { return withoutUser(c.nc.ConnectedUrl()) }

// ServerVersion returns the version of the connected server, or "" if not connected.
func (c *Conn) ServerVersion() string { return c.nc.ConnectedServerVersion() }

func (c *Conn) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The reason matters more than that no server was left to try.
	if c.lastErr == nil || !errors.Is(err, nats.ErrNoServers) {
		c.lastErr = err
	}
}

func (c *Conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastErr == nil {
		return errors.New("no server answered")
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

// address checks the URL itself, because the client's errors would repeat it with the
// password.
func (o Options) address() (string, error) {
	if o.InProcess != nil && o.URL == "" {
		return nats.DefaultURL, nil
	}
	if o.URL == "" {
		return "", errors.New("connect to nats: no address given, want nats://host:port")
	}
	for i, part := range strings.Split(o.URL, ",") {
		part = strings.TrimSpace(part)
		u, err := url.Parse(part)
		if err == nil {
			if wrong := address.CheckCredentials(part, "/?#"); wrong != nil {
				return "", fmt.Errorf("connect to nats: address %d of the list: %w", i+1, wrong)
			}
		}
		if err != nil || u.Hostname() == "" || (u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss") {
			return "", fmt.Errorf("connect to nats: address %d of the list is not of the form nats://[user:password@]host:port (with characters such as / : ? # %% of user and password percent-encoded)", i+1)
		}
	}
	return o.URL, nil
}

// withoutUser returns the addresses without user and password. A token stands in the
// user's place.
func withoutUser(addresses string) string {
	if addresses == "" {
		return ""
	}
	parts := strings.Split(addresses, ",")
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
