package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// pauseCheckEvery is how often the pause is read, in case the server's updates
	// do not come through.
	pauseCheckEvery = 5 * time.Second

	// resumeJitter is the share of a pause that is added at random, so that the
	// replicas do not all start at once; at most maxResumeJitter.
	resumeJitter    = 0.1
	maxResumeJitter = 30 * time.Second
)

// Reasons for a pause that somebody decides on. Others are for people only.
const (
	PauseRateLimit   = "rate limit"
	PauseOutOfCredit = "out of credit"
	PauseKeyRefused  = "the API key is refused"
)

// PauseCause returns what a pause with this reason is to those who wait for a
// refresh.
func PauseCause(reason string) Cause {
	switch reason {
	case PauseOutOfCredit:
		return CauseOutOfCredit
	case PauseKeyRefused:
		return CauseKeyRefused
	default:
		return CauseRateLimited
	}
}

// pause is a pause as this replica holds it.
type pause struct {
	until  time.Time // as all replicas know it
	resume time.Time // when this replica goes on: a little later
	reason string
}

type pauseEntry struct {
	V      int    `json:"v"`
	Until  int64  `json:"until_ms"` // database time since 1970
	Reason string `json:"reason"`
}

func (p pauseEntry) until() time.Time { return time.UnixMilli(p.Until).UTC() }

func decodePause(body []byte) (pauseEntry, error) {
	var e pauseEntry
	if err := decodeVersioned(body, &e.V, &e); err != nil {
		return pauseEntry{}, fmt.Errorf("decode the shared pause: %w", err)
	}
	return e, nil
}

// Pause stops all calls of all replicas until the given database time. A pause is
// only ever lengthened: an earlier time than the one that stands changes nothing.
// This replica pauses even if the others cannot be told, which is the error.
func (p *Pace) Pause(ctx context.Context, until time.Time, reason string) error {
	entry := pauseEntry{V: schemaVersion, Until: until.Add(time.Millisecond - 1).UnixMilli(), Reason: oneLine(reason)}
	p.learnPause(entry)
	body, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("pause calls: %w", err)
	}
	for {
		err := p.writePause(ctx, entry, body)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errConflict) || ctx.Err() != nil {
			p.q.repair(ctx, err)
			return fmt.Errorf("pause calls: %w", plain(err))
		}
	}
}

// writePause stores the entry unless a longer pause stands.
func (p *Pace) writePause(ctx context.Context, entry pauseEntry, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, reserveTimeout)
	defer cancel()
	stored, err := p.pauses.Get(ctx, p.cfg.Key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		_, err = p.pauses.Create(ctx, p.cfg.Key, body)
	case err != nil:
		return err
	default:
		old, decodeErr := decodePause(stored.Value())
		if decodeErr != nil {
			p.log.Error().Err(decodeErr).Msg("replaced an unreadable pause")
		} else if old.Until >= entry.Until {
			p.learnPause(old)
			return nil
		}
		_, err = p.pauses.Update(ctx, p.cfg.Key, body, stored.Revision())
	}
	if conflict(err) {
		return errConflict
	}
	return err
}

// Paused reports whether this replica holds still, until when (database time), and
// why. Replicas go on up to a tenth of the pause apart.
func (p *Pace) Paused() (until time.Time, reason string, paused bool) {
	now := p.pause.Load()
	if !p.clock.Database().Before(now.resume) {
		return time.Time{}, "", false
	}
	return now.resume, now.reason, true
}

// awaitResume blocks while calls are paused.
func (p *Pace) awaitResume(ctx context.Context) error {
	for {
		until, reason, paused := p.Paused()
		if !paused {
			return nil
		}
		err := p.sleep(ctx, until.Sub(p.clock.Database()))
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return &PausedError{Until: until, Reason: reason}
		case err != nil:
			return err
		}
	}
}

// learnPause takes over a pause that is longer than the one that is known.
func (p *Pace) learnPause(e pauseEntry) (changed bool) {
	now := p.clock.Database()
	until := e.until()
	next := &pause{until: until, resume: until, reason: e.Reason}
	if left := until.Sub(now); left > 0 {
		jitter := p.cfg.Random() * resumeJitter * float64(left)
		next.resume = until.Add(min(time.Duration(jitter), maxResumeJitter))
	}
	for {
		old := p.pause.Load()
		if !until.After(old.until) {
			return false
		}
		if p.pause.CompareAndSwap(old, next) {
			break
		}
	}
	if next.resume.After(now) {
		p.log.Warn().Time("until", until).Str("reason", e.Reason).Msg("calls are paused")
	}
	return true
}

// readPause reads the pause in force.
func (p *Pace) readPause(ctx context.Context) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, reserveTimeout)
	defer cancel()
	stored, err := p.pauses.Get(ctx, p.cfg.Key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the shared pause: %w", plain(err))
	}
	return p.tellPause(stored), nil
}

func (p *Pace) tellPause(stored jetstream.KeyValueEntry) (changed bool) {
	e, err := decodePause(stored.Value())
	if err != nil {
		p.log.Error().Err(err).Msg("ignored an unreadable pause")
		return false
	}
	return p.learnPause(e)
}

// watchPause follows the pause until ctx ends.
func (p *Pace) watchPause(ctx context.Context) {
	for ctx.Err() == nil {
		err := p.followPause(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errReconnected) {
			continue
		}
		if p.q.conn.Connected() {
			p.log.Warn().Err(err).Msg("following the shared pause was interrupted")
		}
		p.q.repair(ctx, err)
		select {
		case <-ctx.Done():
		case <-time.After(maxReservePause):
		}
	}
}

var (
	// errSilent means that a change of the pause was not announced.
	errSilent = errors.New("the server did not announce a change")

	// errReconnected means that changes may have been missed meanwhile.
	errReconnected = errors.New("the connection was lost for a while")
)

// followPause takes over every change of the pause, until the updates end.
func (p *Pace) followPause(ctx context.Context) error {
	watch, err := p.pauses.Watch(ctx, p.cfg.Key)
	if err != nil {
		return fmt.Errorf("watch the shared pause: %w", plain(err))
	}
	defer watch.Stop() //nolint:errcheck // it only fails when the connection is gone
	connected := p.q.conn.nc.StatusChanged(nats.CONNECTED)
	defer p.q.conn.nc.RemoveStatusListener(connected)
	check := time.NewTicker(pauseCheckEvery)
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
				p.tellPause(entry)
			}
		case <-check.C:
			changed, err := p.readPause(ctx)
			if err != nil {
				return err
			}
			if changed {
				return errSilent
			}
		}
	}
}
