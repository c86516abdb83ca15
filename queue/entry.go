package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// entryCheckEvery is how often a shared entry is read, in case the server's updates
// do not come through.
const entryCheckEvery = 5 * time.Second

// sharedEntry is an entry of a bucket that replicas change by compare-and-set and
// follow. tell is given its value whenever it may have changed, and says whether it
// did.
type sharedEntry struct {
	q      *Queue
	bucket jetstream.KeyValue
	key    string
	what   string // for errors
	tell   func(value []byte) (changed bool)
}

// sharedEntry joins an entry of the bucket that is kept on disk.
func (q *Queue) sharedEntry(ctx context.Context, key, what string, tell func(value []byte) (changed bool)) (*sharedEntry, error) {
	bucket, err := q.js.KeyValue(ctx, q.names.pause)
	if err != nil {
		return nil, err
	}
	return &sharedEntry{q: q, bucket: bucket, key: key, what: what, tell: tell}, nil
}

// read gives the value in force to tell, if there is one.
func (s *sharedEntry) read(ctx context.Context) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, reserveTimeout)
	defer cancel()
	stored, err := s.bucket.Get(ctx, s.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", s.what, plain(err))
	}
	return s.tell(stored.Value()), nil
}

// change replaces the value by what f makes of it; f is given nil when there is
// none, returns nil to leave it, and is called again when another replica got in
// between.
func (s *sharedEntry) change(ctx context.Context, f func(value []byte) ([]byte, error)) error {
	for {
		err := s.changeOnce(ctx, f)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errConflict) || ctx.Err() != nil {
			s.q.repair(ctx, err)
			return fmt.Errorf("change %s: %w", s.what, plain(err))
		}
	}
}

func (s *sharedEntry) changeOnce(ctx context.Context, f func(value []byte) ([]byte, error)) error {
	ctx, cancel := context.WithTimeout(ctx, reserveTimeout)
	defer cancel()
	var value []byte
	var revision uint64 // 0: there is none
	stored, err := s.bucket.Get(ctx, s.key)
	switch {
	case err == nil:
		value, revision = stored.Value(), stored.Revision()
	case !errors.Is(err, jetstream.ErrKeyNotFound):
		return err
	}
	next, err := f(value)
	if err != nil || next == nil {
		return err
	}
	if revision == 0 {
		_, err = s.bucket.Create(ctx, s.key, next)
	} else {
		_, err = s.bucket.Update(ctx, s.key, next, revision)
	}
	if conflict(err) {
		return errConflict
	}
	return err
}

// follow takes over every change until ctx ends.
func (s *sharedEntry) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errReconnected) {
			continue
		}
		if s.q.conn.Connected() {
			s.q.log.Warn().Err(err).Msg("following " + s.what + " was interrupted")
		}
		s.q.repair(ctx, err)
		select {
		case <-ctx.Done():
		case <-time.After(maxReservePause):
		}
	}
}

var (
	// errSilent means that a change was not announced.
	errSilent = errors.New("the server did not announce a change")

	// errReconnected means that changes may have been missed meanwhile.
	errReconnected = errors.New("the connection was lost for a while")
)

// watch takes over every change, until the updates end.
func (s *sharedEntry) watch(ctx context.Context) error {
	watch, err := s.bucket.Watch(ctx, s.key)
	if err != nil {
		return fmt.Errorf("watch %s: %w", s.what, plain(err))
	}
	defer watch.Stop() //nolint:errcheck // it only fails when the connection is gone
	connected := s.q.conn.nc.StatusChanged(nats.CONNECTED)
	defer s.q.conn.nc.RemoveStatusListener(connected)
	check := time.NewTicker(entryCheckEvery)
	defer check.Stop()
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
				s.tell(entry.Value())
			}
		case <-check.C:
			changed, err := s.read(ctx)
			if err != nil {
				return err
			}
			if changed {
				return errSilent
			}
		}
	}
}
