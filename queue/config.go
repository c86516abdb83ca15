package queue

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// DefaultLease is how long a claim holds unless another lease was ever configured.
const DefaultLease = 3 * time.Minute

// leasePerAckWait is the minimum number of AckWaits in a lease. A shorter lease could
// end before a second worker has received an unacknowledged batch.
const leasePerAckWait = 4

// Config configures a queue. Zero fields take their defaults.
type Config struct {
	Prefix          string        // of all stream and bucket names: capital letters, digits, - and _. Defaults to ENG
	Lease           time.Duration // how long a claim holds and a batch is kept. 0: the stream's, or [DefaultLease] for a new stream
	AdoptLease      bool          // change the lease of an existing stream instead of returning a [LeaseError]
	Replicas        int           // of every stream: 1, 3 or 5. Defaults to 1
	Memory          bool          // keep streams in memory instead of in files
	MaxBatches      int           // maximum number of stored batch messages. Defaults to 20,000
	DuplicateWindow time.Duration // in which a batch published twice is stored once. Defaults to 2 min, or the lease if shorter
	AckWait         time.Duration // after which an unacknowledged batch is redelivered. Defaults to 30 s, or a quarter of a lease below 2 min
	RefreshAge      time.Duration // after which a refresh is dropped. Defaults to 60 s
	RefreshAckWait  time.Duration // after which an unacknowledged refresh is redelivered. Defaults to 10 s
}

func (c Config) withDefaults() Config {
	c.Prefix = cmp.Or(c.Prefix, "ENG")
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.MaxBatches = cmp.Or(c.MaxBatches, 20_000)
	c.RefreshAge = cmp.Or(c.RefreshAge, time.Minute)
	c.RefreshAckWait = cmp.Or(c.RefreshAckWait, 10*time.Second)
	return c
}

// withLease sets the lease and the defaults that depend on it.
func (c Config) withLease(lease time.Duration) Config {
	c.Lease = lease
	c.DuplicateWindow = cmp.Or(c.DuplicateWindow, min(2*time.Minute, lease))
	c.AckWait = cmp.Or(c.AckWait, min(30*time.Second, lease/leasePerAckWait))
	return c
}

var prefixPattern = regexp.MustCompile(`^[A-Z][A-Z0-9_-]{0,31}$`)

// validate reports all faults at once. It does not check a lease of 0, which is not
// decided yet.
func (c Config) validate() error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }

	if !prefixPattern.MatchString(c.Prefix) {
		fault("prefix %q: want 1 to 32 of A-Z, 0-9, - and _, the first a letter", c.Prefix)
	}
	if c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5 {
		fault("replicas %d: want 1, 3 or 5", c.Replicas)
	}
	if c.MaxBatches < 1 || c.MaxBatches > 1_000_000 {
		fault("max batches %d: want 1 to 1,000,000", c.MaxBatches)
	}
	if c.AckWait != 0 && c.AckWait < time.Second {
		fault("ack wait %s: want at least 1s", c.AckWait)
	}
	if c.RefreshAckWait < time.Second {
		fault("refresh ack wait %s: want at least 1s", c.RefreshAckWait)
	}
	if c.RefreshAge < c.RefreshAckWait {
		fault("refresh age %s: must be no less than the refresh ack wait of %s", c.RefreshAge, c.RefreshAckWait)
	}
	if c.DuplicateWindow != 0 && c.DuplicateWindow < 100*time.Millisecond {
		fault("duplicate window %s: want at least 100ms", c.DuplicateWindow)
	}
	if c.Lease != 0 {
		if c.Lease < leasePerAckWait*c.AckWait {
			fault("lease %s: must be at least %d times the ack wait of %s, so that another worker can take a batch over in time", c.Lease, leasePerAckWait, c.AckWait)
		}
		if c.DuplicateWindow > c.Lease {
			fault("duplicate window %s: must not be longer than the lease of %s", c.DuplicateWindow, c.Lease)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("queue configuration: %w", errors.Join(faults...))
	}
	return nil
}

// LeaseError is returned by [Open] if the configured lease differs from the one that the
// queue's other processes use.
type LeaseError struct {
	Stream string        // name of the batch stream, which holds the lease
	Want   time.Duration // the configured lease
	Have   time.Duration // the stream's lease
}

func (e *LeaseError) Error() string {
	return fmt.Sprintf("the lease is set to %s, but stream %s was created with %s: set the same lease for every process, or none, "+
		"or stop them all and change it with `gorgone migrate`",
		e.Want, e.Stream, e.Have)
}
