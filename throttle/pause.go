package throttle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorgone/engagement"
	"gorgone/queue"
)

const (
	// resumeJitter is the share of a pause that each replica adds at random, up to
	// maxResumeJitter, so that they do not all resume at once.
	resumeJitter    = 0.1
	maxResumeJitter = 30 * time.Second
)

// PauseRateLimit is the reason of a pause that the provider's rate limit caused. Other
// reasons are for people only.
const PauseRateLimit = "rate limit"

const (
	// maxRateLimitPause caps how long pauses grow while the provider keeps refusing the
	// first call after each.
	maxRateLimitPause = 5 * time.Minute

	// streakWindow is how soon after a pause a refusal counts as a continuation of it.
	streakWindow = time.Minute

	// maxUpdateRetries is how often a change of the shared state is retried when other
	// replicas precede it. They reserve some 20 times a second.
	maxUpdateRetries = 50
)

// pause is a pause as this replica knows it.
type pause struct {
	until   time.Time // as all replicas know it
	resume  time.Time // when this replica resumes: a little later
	reason  string
	written time.Time // zero: unknown

	episode int64     // how often the rate limit was hit so far
	since   time.Time // when it was hit last; zero: never
}

// hit names the last episode: by its time, because a server that was wiped or restored
// counts from a lower number on.
func (p *pause) hit() int64 {
	if p.since.IsZero() {
		return 0
	}
	return p.since.UnixMilli()
}

// pauseEntry is how a pause is stored.
type pauseEntry struct {
	V       int    `json:"v"`
	Until   int64  `json:"until_ms"` // database time since 1970
	Reason  string `json:"reason"`
	Written int64  `json:"at_ms,omitempty"`

	Since   int64 `json:"since_ms,omitempty"` // when the last episode began: its first refusal
	Episode int64 `json:"episode,omitempty"`  // how often the rate limit was hit; refusals during one pause are one episode
	Streak  int   `json:"streak,omitempty"`   // episodes that closely followed each other
}

func decodePause(body []byte) (pauseEntry, error) {
	var e pauseEntry
	if err := decodeVersioned(body, &e.V, &e); err != nil {
		return pauseEntry{}, fmt.Errorf("decode the shared pause: %w", err)
	}
	return e, nil
}

func (e pauseEntry) until() time.Time { return time.UnixMilli(e.Until).UTC() }

func (e pauseEntry) since() time.Time { return fromMilli(e.Since) }

// withoutSkew returns the pause, or only its episode if it was written implausibly far
// in the future.
func (p *pause) withoutSkew(now time.Time) *pause {
	if fromFuture(p.written, now) {
		return &pause{episode: p.episode} // nothing is halved for it
	}
	return p
}

// withoutSkew is the same for a stored pause.
func (e pauseEntry) withoutSkew(now time.Time) pauseEntry {
	if fromFuture(fromMilli(e.Written), now) {
		return pauseEntry{V: e.V, Episode: e.Episode}
	}
	return e
}

// currentPause returns the pause in force, as this replica knows it.
func (l *Limiter) currentPause() *pause { return l.pause.Load().withoutSkew(l.clock.Database()) }

// Pause stops all calls of all replicas until the given database time. It can only
// lengthen a pause: an earlier end than that of the pause in force changes nothing. This
// replica pauses even if the error says that the others could not be told.
func (l *Limiter) Pause(ctx context.Context, until time.Time, reason string) error {
	entry := pauseEntry{V: stateVersion, Until: ceilMilli(until), Reason: oneLine(reason), Written: l.clock.Database().UnixMilli()}
	l.applyPause(entry)
	return l.sharePause(ctx, func(old pauseEntry) pauseEntry {
		if old.Until >= entry.Until {
			return old
		}
		next := old
		next.V, next.Until, next.Reason, next.Written = entry.V, entry.Until, entry.Reason, entry.Written
		return next
	})
}

// RateLimited records that the provider refused a call because its rate limit was hit.
// The call started at the given database time; after is how long the provider, or the
// caller, wants calls to stop. It pauses all replicas and halves their rate, once
// however many of them are refused at the same time: refusals of calls that started
// before the pause was written belong to it. A refusal soon after a pause makes the next
// pause at least as long as a full-jitter exponential back-off. The error is
// [Limiter.Pause]'s.
func (l *Limiter) RateLimited(ctx context.Context, started time.Time, after time.Duration) error {
	now := l.clock.Database()
	l.applyPause(pauseEntry{Until: ceilMilli(now.Add(after)), Reason: PauseRateLimit, Written: now.UnixMilli()})
	random := l.cfg.Random()
	return l.sharePause(ctx, func(old pauseEntry) pauseEntry {
		return old.rateLimited(started, now, after, random)
	})
}

// rateLimited returns the pause after a refusal.
func (e pauseEntry) rateLimited(started, now time.Time, after time.Duration, random float64) pauseEntry {
	next := e
	next.V = stateVersion
	if started.After(e.since()) && !now.Before(e.until()) {
		next.Episode++
		next.Since, next.Written = now.UnixMilli(), now.UnixMilli()
		if next.Streak++; now.Sub(e.until()) > streakWindow {
			next.Streak = 1
		}
		if next.Streak > 1 {
			after = max(after, engagement.Backoff(next.Streak, after, maxRateLimitPause, random))
		}
	}
	if until := ceilMilli(now.Add(after)); until > next.Until {
		next.Until, next.Reason, next.Written = until, PauseRateLimit, now.UnixMilli()
	}
	return next
}

// sharePause changes the stored pause, and then holds the shared rate limiter too: a
// replica that does not learn of the pause cannot reserve anything either.
func (l *Limiter) sharePause(ctx context.Context, change func(pauseEntry) pauseEntry) error {
	if err := l.writePause(ctx, change); err != nil {
		return fmt.Errorf("pause calls: %w", err)
	}
	pause := l.currentPause()
	// If this fails, the next replica that reserves and knows of the pause does it.
	l.update(ctx, "holding the shared rate limiter failed", func(s limiterState) limiterState {
		return s.paused(pause.until, pause.hit())
	})
	return nil
}

func (l *Limiter) writePause(ctx context.Context, change func(pauseEntry) pauseEntry) error {
	_, err := l.pauses.Update(ctx, func(value []byte) ([]byte, error) {
		var old pauseEntry
		if value != nil {
			var err error
			if old, err = decodePause(value); err != nil {
				l.log.Error().Err(err).Msg("replaced an unreadable pause")
				old = pauseEntry{}
			}
			old = old.withoutSkew(l.clock.Database())
		}
		next := change(old)
		l.applyPause(next)
		if next == old {
			return nil, nil
		}
		return json.Marshal(next)
	})
	return err
}

// ProbeNext makes the next call a probe, as after a pause, and lets the rate rise from
// there.
func (l *Limiter) ProbeNext(ctx context.Context) {
	// As it is stored: the probe's slot must not be a moment before what others read.
	now := fromMicro(ceilMicro(l.clock.Database()))
	l.update(ctx, "requesting a probe failed", func(s limiterState) limiterState { return s.paused(now, s.Episode) })
}

// Answered records that a call, started at the given database time, did not hit the
// provider's rate limit. If the call was the probe, calls resume.
func (l *Limiter) Answered(ctx context.Context, started time.Time) {
	if probe, ok := l.endProbe(started); ok {
		now := l.clock.Database()
		l.update(ctx, "resuming after a pause failed", func(s limiterState) limiterState { return s.answered(probe, now) })
	}
}

// Abandoned records that a call, whose slot was granted at the given database time, was
// not made after all, or came to no answer because its caller gave up. If it was the
// probe, another call becomes the probe at once, whichever replica makes it.
func (l *Limiter) Abandoned(ctx context.Context, started time.Time) {
	if probe, ok := l.endProbe(started); ok {
		l.update(ctx, "passing the probe on failed", func(s limiterState) limiterState { return s.abandoned(probe) })
	}
}

// endProbe returns the slot of the probe that this replica makes, if the call that began
// at the given time was it, and forgets it.
func (l *Limiter) endProbe(started time.Time) (slot time.Time, ok bool) {
	probe := l.probe.Load()
	if probe == nil || started.Before(*probe) || !l.probe.CompareAndSwap(probe, nil) {
		return time.Time{}, false
	}
	return *probe, true
}

// update changes the shared rate limiter, unless its state is lost or unreachable.
func (l *Limiter) update(ctx context.Context, failure string, f func(limiterState) limiterState) {
	if l.cfg.Rate == 0 {
		return
	}
	for retries := 0; ; retries++ {
		state, revision, usable, err := l.read(ctx)
		if err == nil && !usable {
			return
		}
		if err == nil {
			next := f(state)
			if next == state {
				return
			}
			next.At = l.clock.Database()
			if revision, err = l.write(ctx, next, revision); err == nil {
				l.shared.store(next, revision)
				return
			}
		}
		if !errors.Is(err, queue.ErrConflict) || retries > maxUpdateRetries || ctx.Err() != nil {
			l.log.Warn().Err(err).Msg(failure)
			return
		}
	}
}

// Paused reports whether this replica makes no calls, until when (database time), and
// why. Replicas resume up to a tenth of the pause apart.
func (l *Limiter) Paused() (until time.Time, reason string, paused bool) {
	pause := l.currentPause()
	if !l.clock.Database().Before(pause.resume) {
		return time.Time{}, "", false
	}
	return pause.resume, pause.reason, true
}

// awaitResume blocks while calls are paused.
func (l *Limiter) awaitResume(ctx context.Context) error {
	for {
		until, reason, paused := l.Paused()
		if !paused {
			return nil
		}
		err := l.sleep(ctx, until.Sub(l.clock.Database()))
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return &PausedError{Until: until, Reason: reason}
		case err != nil:
			return err
		}
	}
}

// applyPause adopts a pause that is longer, or for a later refusal, than the known one.
func (l *Limiter) applyPause(e pauseEntry) (changed bool) {
	now := l.clock.Database()
	e = e.withoutSkew(now)
	until := e.until()
	next := &pause{until: until, resume: until, reason: e.Reason, written: fromMilli(e.Written), episode: e.Episode, since: e.since()}
	if left := until.Sub(now); left > 0 {
		jitter := l.cfg.Random() * resumeJitter * float64(left)
		next.resume = until.Add(min(time.Duration(jitter), maxResumeJitter))
	}
	for {
		known := l.pause.Load()
		old := known.withoutSkew(now)
		if !until.After(old.until) && !next.since.After(old.since) {
			return false
		}
		if !until.After(old.until) {
			next.until, next.resume, next.reason, next.written = old.until, old.resume, old.reason, old.written
		}
		if old.since.After(next.since) {
			next.episode, next.since = old.episode, old.since
		}
		if l.pause.CompareAndSwap(known, next) {
			break
		}
	}
	if next.resume.After(now) {
		l.log.Warn().Time("until", until).Str("reason", e.Reason).Msg("calls are paused")
	}
	return true
}

// readPause reads the pause in force.
func (l *Limiter) readPause(ctx context.Context) error {
	return l.pauses.Observe(ctx, l.observePause)
}

func (l *Limiter) observePause(value []byte, _ queue.Version) (changed bool) {
	e, err := decodePause(value)
	if err != nil {
		l.log.Error().Err(err).Msg("ignored an unreadable pause")
		return false
	}
	return l.applyPause(e)
}
