package engagement

import (
	"fmt"
	"time"
)

// MissGap is the least time between two misses that both count: answers that
// close together come from the same moment of the provider.
const MissGap = 2 * time.Minute

// GoneMissing is the reason of a tweet that is gone and that the provider left out
// of its answers without a reason.
const GoneMissing = "missing"

// GoneAfter is the least number of counted misses in a row after which a tweet is gone.
type GoneAfter int

// The default and the bounds of [GoneAfter]. One miss is never enough: providers
// leave live tweets out of an answer now and then.
const (
	DefaultGoneAfter GoneAfter = 3
	minGoneAfter     GoneAfter = 2
	maxGoneAfter     GoneAfter = 20
)

// Validate returns an error for a number out of bounds.
func (n GoneAfter) Validate() error {
	if n < minGoneAfter || n > maxGoneAfter {
		return fmt.Errorf("gone after %d misses: must be %d to %d", n, minGoneAfter, maxGoneAfter)
	}
	return nil
}

// GoneSpan is the least time that the misses of a tweet must span before it is gone.
type GoneSpan time.Duration

// The default and the bounds of [GoneSpan]. No fault of the provider that ends within
// the span deletes a tweet, however few tweets it hits.
const (
	DefaultGoneSpan = GoneSpan(24 * time.Hour)
	minGoneSpan     = GoneSpan(5 * time.Minute)
	maxGoneSpan     = GoneSpan(30 * 24 * time.Hour)
)

// Validate returns an error for a span out of bounds.
func (s GoneSpan) Validate() error {
	if s < minGoneSpan || s > maxGoneSpan {
		return fmt.Errorf("gone after misses over %s: must be %s to %s", time.Duration(s), time.Duration(minGoneSpan), time.Duration(maxGoneSpan))
	}
	return nil
}

// GoneRule decides when a tweet that answers lack is gone.
type GoneRule struct {
	Misses GoneAfter // least number of counted misses
	Span   GoneSpan  // least time that they span
	Held   bool      // too many tweets are missing at once; see [Population.Held]
}

const (
	// unseenSpans is how many spans the misses of a tweet must cover that was never
	// observed: nothing shows that it ever existed, and the youngest tweets are what a
	// lagging index lacks.
	unseenSpans = 2

	// heldSpans is how many times as long it takes while deletions are held.
	heldSpans = 7
)

// span is how long the misses of a tweet must go on before it is gone.
func (r GoneRule) span(t Tracking) time.Duration {
	span := time.Duration(r.Span)
	if t.ObservedAt.IsZero() {
		span *= unseenSpans
	}
	if r.Held {
		span *= heldSpans
	}
	return span
}

// wait is the least time from the last of so many counted misses to the next one: at
// first [MissGap], then twice that, and so on up to a sixth of the span. When the
// misses cover the span, the tweet is looked up twice a span.
func (r GoneRule) wait(misses int) time.Duration {
	_, next := r.walk(misses)
	return next
}

// Spanned is the least time from the first to the last of so many counted misses. It
// follows from their number, because a miss counts only when its wait is over.
func (r GoneRule) Spanned(misses int) time.Duration {
	spanned, _ := r.walk(misses)
	return spanned
}

func (r GoneRule) walk(misses int) (spanned, next time.Duration) {
	span := time.Duration(r.Span)
	wait := MissGap
	for n := 1; ; n++ {
		if left := span - spanned; left > 0 {
			next = max(min(wait, span/6, left), MissGap)
			wait = min(2*wait, span)
		} else {
			next = max(span/2, MissGap)
		}
		if n >= misses {
			return spanned, next
		}
		spanned += next
	}
}

// gone reports whether the misses counted so far are enough.
func (r GoneRule) gone(t Tracking) bool {
	return t.Misses >= int(r.Misses) && r.Spanned(t.Misses) >= r.span(t)
}

// Absence is a valid answer that lacked a tweet.
type Absence struct {
	At     time.Time // when the look-up began
	Reason string    // the provider's; empty: it gave none
}

// Miss counts a miss: a valid answer lacked the tweet and, as [Answer.Credibility] says,
// can be believed. A look-up sooner after the last counted miss than the rule waits is
// not counted again. With enough misses over enough time the tweet is gone: cold, with a
// reason, and looked up again only to check whether it is back; see [Observe] and
// [Revive] for the way back.
func Miss(prev Tracking, a Absence, rule GoneRule, now time.Time) Tracking {
	at := a.At
	if at.IsZero() || at.After(now) {
		at = now
	}
	if prev.Gone() {
		return prev.stayGone(a.Reason, at)
	}
	t := prev
	switch {
	case t.Misses == 0, t.LastMissedAt.IsZero(), at.Sub(t.LastMissedAt) >= rule.wait(t.Misses):
		t.Misses++
		t.LastMissedAt = at
	case t.LastMissedAt.After(now):
		t.LastMissedAt = at // counted by a clock that was ahead
	}
	t.Attempts, t.Doubts = 0, 0
	if rule.gone(t) {
		t.GoneReason = GoneMissing
		return t.stayGone(a.Reason, at)
	}
	t.RetryAt = t.LastMissedAt.Add(rule.wait(t.Misses))
	return t
}

// MissUnproven records that an answer lacked the tweet and proves nothing: nothing in
// it shows that the provider was in order. That is a failure like any
// other, not a miss; the tweet is not looked up again before retryAt, and then
// together with a canary.
func MissUnproven(prev Tracking, a Absence, retryAt time.Time) Tracking {
	if prev.Gone() {
		return prev.stayGone(a.Reason, a.At)
	}
	t := Fail(prev, retryAt)
	t.Doubts++
	return t
}

// Gone reports whether the tweet counts as deleted, or hidden for good.
func (t Tracking) Gone() bool { return t.GoneReason != "" }

const (
	// FirstRecheck is how long after a tweet was called gone it is checked whether it is
	// back. Each later check comes after twice the time, up to LastRecheck.
	FirstRecheck = 24 * time.Hour
	// LastRecheck is the time since then after which it is checked no more, and so the
	// longest until a check.
	LastRecheck = 60 * 24 * time.Hour
)

// stayGone is the state of a tweet that is gone, and that an answer lacked once more
// at the given time. A reason given by the provider replaces none. LastMissedAt stays
// when it was called gone, and RetryAt is the next check whether it is back; zero: none.
func (t Tracking) stayGone(reason string, at time.Time) Tracking {
	t.Tier, t.NextUpdateAt, t.RetryAt = Cold, time.Time{}, time.Time{}
	t.Attempts, t.Doubts = 0, 0
	if reason != "" {
		t.GoneReason = reason
	}
	if t.LastMissedAt.IsZero() {
		t.LastMissedAt = at
	}
	if since := max(at.Sub(t.LastMissedAt), 0); since < LastRecheck {
		t.RetryAt = at.Add(max(since, FirstRecheck))
	}
	return t
}

// Revive undoes that a tweet is gone, because it was found to exist: it is looked up
// once more at now, whatever its age, and as the policy says after that.
func Revive(p Policy, prev Tracking, now time.Time) Tracking {
	t := prev.withoutFailures()
	t.Tier, _ = p.Schedule(t, now)
	t.NextUpdateAt = now
	return t
}

// withoutFailures is the state without failures, misses and doubts, for a tweet that
// exists.
func (t Tracking) withoutFailures() Tracking {
	t.Attempts, t.Misses, t.Doubts, t.GoneReason = 0, 0, 0, ""
	t.LastMissedAt, t.RetryAt = time.Time{}, time.Time{}
	return t
}
