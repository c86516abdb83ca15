package twitter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"gorgone/engagement"
)

// Config sets up a client. Only Key is required.
type Config struct {
	// Key is the API key (twitterapi.io) or bearer token (X). It never appears in an
	// error.
	Key string
	// BaseURL is the scheme and host to call, without a path. Defaults to
	// [TwitterAPIBaseURL] or [XAPIBaseURL].
	BaseURL string
	// PlainHTTP allows a BaseURL with http to a host other than this machine. The
	// key then travels unencrypted.
	PlainHTTP bool
	// MaxIDs is how many ids go into a call, 1 to 100. Defaults to 50 for
	// twitterapi.io, which refuses more, and to 100 for X.
	MaxIDs int
	// Timeout bounds one call, the reading of its body included. Defaults to 8 s.
	Timeout time.Duration
	// MaxConns is how many idle connections are kept. Defaults to 256. Set it to the
	// number of calls that are made at once.
	MaxConns int

	// Now tells the time written into answers. Defaults to time.Now.
	Now func() time.Time
	// OnCall, if set, is told of every HTTP call when it is over.
	OnCall func(Call)
	// OnMaxIDs, if set, is told when the provider turned out to take fewer ids a call than
	// were asked for, or takes more.
	OnMaxIDs func(limit int)
}

// Call is one HTTP call that is over.
type Call struct {
	Provider string        // name of the provider
	Kind     string        // how it ended, one of the Kind constants
	Status   int           // HTTP status; 0 when there was no answer
	Duration time.Duration // real time until the answer was read
	IDs      int           // ids asked for; 0 for a balance
	Returned int           // tweets in the answer
	Billed   int           // tweets that the provider bills for it

	// Unreadable is how many counters in the answer ought to have a count and do not, in
	// the order of [engagement.Counters].
	Unreadable [engagement.NumCounters]int
}

// Gate permits HTTP calls one at a time: Wait returns when the next may be made,
// or an error when none may. A client waits just before each call.
type Gate interface {
	Wait(ctx context.Context) error
}

const (
	defaultTimeout  = 8 * time.Second
	defaultMaxConns = 256
	maxIDs          = 100 // neither provider ever took more
)

// withDefaults returns the settings with defaults filled in, or all faults.
func (c Config) withDefaults(baseURL string, ids int) (Config, error) {
	c.BaseURL = strings.TrimRight(cmp.Or(c.BaseURL, baseURL), "/")
	c.MaxIDs = cmp.Or(c.MaxIDs, ids)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.MaxConns = cmp.Or(c.MaxConns, defaultMaxConns)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.OnCall == nil {
		c.OnCall = func(Call) {}
	}
	if c.OnMaxIDs == nil {
		c.OnMaxIDs = func(int) {}
	}

	var faults []error
	if c.Key == "" {
		faults = append(faults, errors.New("the API key is empty"))
	} else if strings.ContainsFunc(c.Key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		faults = append(faults, errors.New("the API key has characters that no key has (a space or line end copied with it?)"))
	}
	if c.MaxIDs < 1 || c.MaxIDs > maxIDs {
		faults = append(faults, fmt.Errorf("%d ids a call: must be 1 to %d", c.MaxIDs, maxIDs))
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("time-out %s: must be positive", c.Timeout))
	}
	if c.MaxConns < 0 {
		faults = append(faults, fmt.Errorf("%d idle connections: must be positive", c.MaxConns))
	}
	if err := c.checkBaseURL(); err != nil {
		faults = append(faults, err)
	}
	return c, errors.Join(faults...)
}

func (c Config) checkBaseURL() error {
	u, err := url.Parse(c.BaseURL)
	if err != nil {
		return errors.New("the base URL can't be parsed") // the error would quote it
	}
	switch {
	case u.User != nil || strings.Contains(c.BaseURL, "@") || u.RawQuery != "" || u.Fragment != "":
		return errors.New("the base URL must have no user, query or fragment")
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("the base URL must be like %s", TwitterAPIBaseURL)
	case u.Scheme == "http" && !c.PlainHTTP && !local(u.Hostname()):
		return errors.New("the base URL has http, which would send the API key unencrypted; use https, or allow plain HTTP")
	}
	return nil
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
