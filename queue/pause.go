package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorgone/engagement"
)

const (
	// resumeJitter is the share of a pause that is added at random, so that the
	// replicas do not all start at once; at most maxResumeJitter.
	resumeJitter    = 0.1
	maxResumeJitter = 30 * time.Second
)

// PauseRateLimit is the reason of a pause that a refusal for going too fast brought
// about. Other reasons are for people only.
const PauseRateLimit = "rate limit"

// pause is a pause as this replica holds it.
type pause struct {
	until  time.Time // as all replicas know it
	resume time.Time // when this replica goes on: a little later
	reason string
	at     time.Time // when it was written; zero: not known

	episode int64     // how often the rate limit was met so far
	since   time.Time // when it was met last; zero: never
}

type pauseEntry struct {
	V      int    `json:"v"`
	Until  int64  `json:"until_ms"` // database time since 1970
	Reason string `json:"reason"`
	At     int64  `json:"at_ms,omitempty"` // when this was written

	Since   int64 `json:"since_ms,omitempty"` // when the last episode began: its first refusal
	Episode int64 `json:"episode,omitempty"`  // how often the rate limit was met; refusals of one pause are one episode
	Streak  int   `json:"streak,omitempty"`   // episodes that followed closely on one another
}

func (e pauseEntry) until() time.Time { return time.UnixMilli(e.Until).UTC() }

func (e pauseEntry) since() time.Time {
	if e.Since == 0 {
		return time.Time{}
	}
	return time.UnixMilli(e.Since).UTC()
}

// asOf is the pause as of the given time: of one that a clock far ahead wrote, only
// the number of its episode counts.
func (p *pause) asOf(now time.Time) *pause {
	if ahead(p.at, now) {
		return &pause{episode: p.episode}
	}
	return p
}

// asOf is the same for a stored pause.
func (e pauseEntry) asOf(now time.Time) pauseEntry {
	if ahead(orNoMilli(e.At), now) {
		return pauseEntry{V: e.V, Episode: e.Episode}
	}
	return e
}

// current is the pause in force, as this replica knows it.
func (p *Pace) current() *pause { return p.pause.Load().asOf(p.clock.Database()) }

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
	entry := pauseEntry{V: schemaVersion, Until: ceilMilli(until), Reason: oneLine(reason), At: p.clock.Database().UnixMilli()}
	p.learnPause(entry)
	return p.putPause(ctx, func(old pauseEntry) pauseEntry {
		if old.Until >= entry.Until {
			return old
		}
		next := old
		next.V, next.Until, next.Reason, next.At = entry.V, entry.Until, entry.Reason, entry.At
		return next
	})
}

const (
	// limitedCeiling bounds how long a pause grows when the provider refuses the first
	// call after it, again and again.
	limitedCeiling = 5 * time.Minute

	// limitedStreak is how soon after a pause a refusal still counts as the same
	// trouble.
	limitedStreak = time.Minute
)

// Limited tells that the provider refused a call for going too fast. The call began
// at the given database time; after is how long the provider, or who asks, wants
// calls to rest. It pauses all replicas and halves the pace, once however many of
// them are refused at the same time: refusals of calls that began before the pause
// was written belong to it. One that comes soon after a pause makes the next at least
// as long as a full-jitter exponential back-off. The error is [Pace.Pause]'s.
func (p *Pace) Limited(ctx context.Context, began time.Time, after time.Duration) error {
	now := p.clock.Database()
	p.learnPause(pauseEntry{Until: ceilMilli(now.Add(after)), Reason: PauseRateLimit, At: now.UnixMilli()})
	random := p.cfg.Random()
	return p.putPause(ctx, func(old pauseEntry) pauseEntry {
		return old.limited(began, now, after, random)
	})
}

// limited is the pause after a refusal.
func (e pauseEntry) limited(began, now time.Time, after time.Duration, random float64) pauseEntry {
	next := e
	next.V = schemaVersion
	if began.After(e.since()) && !now.Before(e.until()) {
		next.Episode++
		next.Since, next.At = now.UnixMilli(), now.UnixMilli()
		if next.Streak++; now.Sub(e.until()) > limitedStreak {
			next.Streak = 1
		}
		if next.Streak > 1 {
			after = max(after, engagement.Backoff(next.Streak, after, limitedCeiling, random))
		}
	}
	if until := ceilMilli(now.Add(after)); until > next.Until {
		next.Until, next.Reason, next.At = until, PauseRateLimit, now.UnixMilli()
	}
	return next
}

func ceilMilli(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// putPause changes the stored pause, and has the shared pace hold too: a replica
// that does not hear of the pause can then reserve nothing all the same.
func (p *Pace) putPause(ctx context.Context, change func(pauseEntry) pauseEntry) error {
	if err := p.writePause(ctx, change); err != nil {
		return fmt.Errorf("pause calls: %w", err)
	}
	p.holdPace(ctx)
	return nil
}

func (p *Pace) writePause(ctx context.Context, change func(pauseEntry) pauseEntry) error {
	return p.pauses.change(ctx, func(value []byte) ([]byte, error) {
		var old pauseEntry
		if value != nil {
			var err error
			if old, err = decodePause(value); err != nil {
				p.log.Error().Err(err).Msg("replaced an unreadable pause")
				old = pauseEntry{}
			}
			old = old.asOf(p.clock.Database())
		}
		next := change(old)
		p.learnPause(next)
		if next == old {
			return nil, nil
		}
		return json.Marshal(next)
	})
}

// holdPace writes the pause into the shared pace. When that fails, the next who
// reserves and knows of the pause does it.
func (p *Pace) holdPace(ctx context.Context) {
	pause := p.current()
	p.change(ctx, "hold the shared pace", func(s paceState) paceState { return s.held(pause.until, pause.episode) })
}

// Trial lets one call go first, as after a pause, and the pace rise from there.
func (p *Pace) Trial(ctx context.Context) {
	now := p.clock.Database()
	p.change(ctx, "have one call go first", func(s paceState) paceState { return s.held(now, s.Episode) })
}

// Answered tells that a call, begun at the given database time, was not refused for
// going too fast. If it was the first after a pause, the pace goes on.
func (p *Pace) Answered(ctx context.Context, began time.Time) {
	probe := p.probe.Load()
	if probe == nil || began.Before(*probe) || !p.probe.CompareAndSwap(probe, nil) {
		return
	}
	now := p.clock.Database()
	p.change(ctx, "go on after a pause", func(s paceState) paceState { return s.answered(*probe, now) })
}

// change changes the shared pace, unless it is lost or cannot be reached.
func (p *Pace) change(ctx context.Context, what string, f func(paceState) paceState) {
	if p.cfg.Rate == 0 {
		return
	}
	for tries := 0; ; tries++ {
		state, revision, usable, err := p.read(ctx)
		if err == nil && !usable {
			return
		}
		if err == nil {
			next := f(state)
			if next == state {
				return
			}
			next.At = p.clock.Database()
			if revision, err = p.write(ctx, next, revision); err == nil {
				p.shared.learn(next, revision, false)
				return
			}
		}
		if !errors.Is(err, errConflict) || tries > maxChangeTries || ctx.Err() != nil {
			p.log.Warn().Err(err).Msg(what)
			return
		}
	}
}

// maxChangeTries is how often a change is tried again that others get in before.
// They reserve some 20 times a second.
const maxChangeTries = 50

// Paused reports whether this replica holds still, until when (database time), and
// why. Replicas go on up to a tenth of the pause apart.
func (p *Pace) Paused() (until time.Time, reason string, paused bool) {
	now := p.current()
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
	e = e.asOf(now)
	until := e.until()
	next := &pause{until: until, resume: until, reason: e.Reason, at: orNoMilli(e.At), episode: e.Episode, since: e.since()}
	if left := until.Sub(now); left > 0 {
		jitter := p.cfg.Random() * resumeJitter * float64(left)
		next.resume = until.Add(min(time.Duration(jitter), maxResumeJitter))
	}
	for {
		held := p.pause.Load()
		old := held.asOf(now)
		if !until.After(old.until) && e.Episode <= old.episode {
			return false
		}
		if !until.After(old.until) {
			next.until, next.resume, next.reason, next.at = old.until, old.resume, old.reason, old.at
		}
		if old.episode > next.episode {
			next.episode, next.since = old.episode, old.since
		}
		if p.pause.CompareAndSwap(held, next) {
			break
		}
	}
	if next.resume.After(now) {
		p.log.Warn().Time("until", until).Str("reason", e.Reason).Msg("calls are paused")
	}
	return true
}

// readPause reads the pause in force.
func (p *Pace) readPause(ctx context.Context) error {
	_, err := p.pauses.read(ctx)
	return err
}

func (p *Pace) tellPause(value []byte) (changed bool) {
	e, err := decodePause(value)
	if err != nil {
		p.log.Error().Err(err).Msg("ignored an unreadable pause")
		return false
	}
	return p.learnPause(e)
}
