package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// cellTimeout bounds one read or write of a cell, and a read with the write that
	// follows it.
	cellTimeout = 2 * time.Second

	// cellPollInterval is how often a followed cell is read, in case the server's
	// updates do not come through.
	cellPollInterval = 5 * time.Second

	// followRetryDelay is how long Follow waits after an error before it tries again.
	followRetryDelay = time.Second
)

// ErrConflict is returned by [Cell.CompareAndSwap] when the cell has changed since
// it was loaded.
var ErrConflict = errors.New("another process changed the value in the meantime")

// Cell is one shared value, which any number of processes load, change by
// compare-and-set and follow. It is safe for concurrent use. An operation that finds
// the server wiped sets the queue up again before it returns its error.
type Cell struct {
	q      *Queue
	bucket jetstream.KeyValue
	key    string
	what   string // names the value in errors and logs

	mu      sync.Mutex
	version Version // the newest that was seen
}

// Version orders the values of a cell as they were written. A server that was wiped or
// restored from a backup numbers its values from an earlier number on; they come after
// all that were seen before, whatever their numbers. The zero value comes before all.
type Version struct {
	losses   uint64 // how often the server was found to have lost values
	revision uint64
}

// Before reports whether v was written before o.
func (v Version) Before(o Version) bool {
	return v.losses < o.losses || v.losses == o.losses && v.revision < o.revision
}

// Revision returns the revision of the value, as [Cell.Load] does.
func (v Version) Revision() uint64 { return v.revision }

// newest returns the newest version that was seen.
func (c *Cell) newest() Version {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

// seen returns the version of a value that was read.
func (c *Cell) seen(revision uint64) Version {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version.revision = max(c.version.revision, revision)
	return Version{c.version.losses, revision}
}

// written returns the version of a value whose write began when known was the newest. It
// must have a higher revision, unless the server has lost what was known.
func (c *Cell) written(revision uint64, known Version) Version {
	if revision <= known.revision {
		c.lost(known, revision)
	}
	return c.seen(revision)
}

// lost notes that the server has lost the values up to known, and goes on from revision.
func (c *Cell) lost(known Version, revision uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version.losses == known.losses { // otherwise it was noted meanwhile
		c.version = Version{known.losses + 1, revision}
	}
}

// DurableCell returns the cell of the given key whose value survives a restart of the
// server. The key is 1 to 64 of a-z, 0-9, -, _ and dots between them; what names the
// value in errors and logs.
func (q *Queue) DurableCell(ctx context.Context, key, what string) (*Cell, error) {
	return q.cell(ctx, q.names.pause, key, what)
}

// VolatileCell is DurableCell for a value that is kept in memory: it is written
// faster, and forgotten when the server restarts.
func (q *Queue) VolatileCell(ctx context.Context, key, what string) (*Cell, error) {
	return q.cell(ctx, q.names.pace, key, what)
}

func (q *Queue) cell(ctx context.Context, bucket, key, what string) (*Cell, error) {
	kv, err := q.js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", what, plain(err))
	}
	return &Cell{q: q, bucket: kv, key: key, what: what}, nil
}

// Load returns the value and its revision: nil and 0 when there is none.
func (c *Cell) Load(ctx context.Context) (value []byte, revision uint64, err error) {
	asking, cancel := context.WithTimeout(ctx, cellTimeout)
	defer cancel()
	value, revision, err = c.get(asking)
	if err != nil {
		c.q.repair(ctx, err)
		return nil, 0, fmt.Errorf("read %s: %w", c.what, plain(err))
	}
	return value, revision, nil
}

// CompareAndSwap stores a value if the cell still has the given revision (0: no
// value), and returns the new revision. Otherwise the error wraps [ErrConflict]. A
// value whose write was not answered may be stored all the same.
func (c *Cell) CompareAndSwap(ctx context.Context, value []byte, revision uint64) (written uint64, err error) {
	asking, cancel := context.WithTimeout(ctx, cellTimeout)
	defer cancel()
	written, err = c.put(asking, value, revision)
	if err != nil {
		c.q.repair(ctx, err)
		return 0, fmt.Errorf("write %s: %w", c.what, plain(err))
	}
	return written, nil
}

// Update replaces the value by what f makes of it. f is given nil when there is no
// value, returns nil to leave the value as it is, and is called again when another
// process changed the value in the meantime. The version is that of the value as it is
// now.
func (c *Cell) Update(ctx context.Context, f func(value []byte) ([]byte, error)) (Version, error) {
	for {
		version, err := c.updateOnce(ctx, f)
		if err == nil {
			return version, nil
		}
		if !errors.Is(err, ErrConflict) || ctx.Err() != nil {
			c.q.repair(ctx, err)
			return Version{}, fmt.Errorf("change %s: %w", c.what, plain(err))
		}
	}
}

func (c *Cell) updateOnce(ctx context.Context, f func(value []byte) ([]byte, error)) (Version, error) {
	ctx, cancel := context.WithTimeout(ctx, cellTimeout)
	defer cancel()
	known := c.newest()
	value, revision, err := c.get(ctx)
	if err != nil {
		return Version{}, err
	}
	next, err := f(value)
	if err != nil || next == nil {
		return c.seen(revision), err
	}
	if revision, err = c.put(ctx, next, revision); err != nil {
		return Version{}, err
	}
	return c.written(revision, known), nil
}

func (c *Cell) get(ctx context.Context) (value []byte, revision uint64, err error) {
	entry, err := c.bucket.Get(ctx, c.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return entry.Value(), entry.Revision(), nil
}

func (c *Cell) put(ctx context.Context, value []byte, revision uint64) (written uint64, err error) {
	if revision == 0 {
		written, err = c.bucket.Create(ctx, c.key, value)
	} else {
		written, err = c.bucket.Update(ctx, c.key, value, revision)
	}
	if conflict(err) {
		return 0, ErrConflict
	}
	return written, err
}

// Follow calls observe with the value now and after every change, until ctx ends.
// observe reports whether the value was news to it. Updates that the server or the
// connection lose are made up for within seconds, and so is the loss of the values
// themselves: what a wiped or restored server has is observed as the newest version.
func (c *Cell) Follow(ctx context.Context, observe func(value []byte, v Version) (changed bool)) {
	for ctx.Err() == nil {
		err := c.watch(ctx, observe)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errReconnected) {
			continue
		}
		if c.q.conn.Connected() {
			c.q.log.Warn().Err(err).Msg("following " + c.what + " was interrupted")
		}
		c.q.repair(ctx, err)
		select {
		case <-ctx.Done():
		case <-time.After(followRetryDelay):
		}
	}
}

var (
	// errSilent means that a change was not announced.
	errSilent = errors.New("the server did not announce a change")

	// errReconnected means that changes may have been missed meanwhile.
	errReconnected = errors.New("the connection was lost for a while")
)

// watch is Follow until the updates end.
func (c *Cell) watch(ctx context.Context, observe func(value []byte, v Version) (changed bool)) error {
	watch, err := c.bucket.Watch(ctx, c.key)
	if err != nil {
		return fmt.Errorf("watch %s: %w", c.what, plain(err))
	}
	defer watch.Stop() //nolint:errcheck // it only fails when the connection is gone
	connected := c.q.conn.nc.StatusChanged(nats.CONNECTED)
	defer c.q.conn.nc.RemoveStatusListener(connected)
	poll := time.NewTicker(cellPollInterval)
	defer poll.Stop()
	older := false
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-connected:
			// The watch would notice by itself, but only after some seconds.
			return errReconnected
		case entry, ok := <-watch.Updates():
			if !ok {
				return errors.New("the watch was closed")
			}
			// nil marks the end of what was there at the beginning.
			if entry != nil && entry.Operation() == jetstream.KeyValuePut {
				observe(entry.Value(), c.seen(entry.Revision()))
			}
		case <-poll.C:
			value, version, err := c.poll(ctx, &older)
			if err != nil {
				return err
			}
			if value != nil && observe(value, version) {
				return errSilent
			}
		}
	}
}

// poll reads the cell. older remembers that the value was older than one seen before: a
// server may answer from a replica that lags for a moment. When it is older the second
// time in a row, the server has lost what was seen.
func (c *Cell) poll(ctx context.Context, older *bool) (value []byte, version Version, err error) {
	known := c.newest()
	value, revision, err := c.Load(ctx)
	if err != nil {
		return nil, Version{}, err
	}
	wasOlder := *older
	if *older = revision < known.revision; *older && wasOlder {
		c.lost(known, revision)
		*older = false
	}
	return value, c.seen(revision), nil
}

// Observe calls observe with the value, if there is one.
func (c *Cell) Observe(ctx context.Context, observe func(value []byte, v Version) (changed bool)) error {
	value, revision, err := c.Load(ctx)
	if err != nil {
		return err
	}
	if version := c.seen(revision); value != nil {
		observe(value, version)
	}
	return nil
}
