package engagement

import (
	"fmt"
	"time"
)

// MissGap is the least time between two misses that both count: answers that
// close together come from the same moment of the provider.
const MissGap = 2 * time.Minute

// maxMissDelay caps how long a tweet that stays missing waits for its next look.
const maxMissDelay = time.Hour

// GoneMissing is the reason of a tweet that is gone and that the provider left out
// of its answers without a word.
const GoneMissing = "missing"

// GoneAfter is after how many counted misses in a row a tweet is gone.
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

// Absence is a valid answer that lacked a tweet.
type Absence struct {
	At     time.Time // when the look began
	Reason string    // the provider's; empty: it gave none
}

// Miss counts a miss: a valid answer lacked the tweet and, as [Answer.Judge] says,
// can be believed. A look less than [MissGap] after that of the last miss is not
// counted again. The tweet is looked up again [MissGap] later, then after twice
// that, and so on up to an hour. With the last of goneAfter misses it is gone:
// cold, with a reason, and not looked at any more; see [Observe] and [Revive] for
// the way back.
func Miss(prev Tracking, a Absence, goneAfter GoneAfter, now time.Time) Tracking {
	if prev.Gone() {
		return prev.stayGone(a)
	}
	t := prev
	at := a.At
	if at.IsZero() || at.After(now) {
		at = now
	}
	if t.LastMissedAt.IsZero() || at.Sub(t.LastMissedAt) >= MissGap {
		t.Misses++
		t.LastMissedAt = at
	}
	t.Attempts, t.Doubts = 0, 0
	if t.Misses >= int(goneAfter) {
		t.GoneReason = GoneMissing
		return t.stayGone(a)
	}
	t.RetryAt = t.LastMissedAt.Add(min(MissGap<<min(t.Misses-1, 10), maxMissDelay))
	return t
}

// Doubt records that an answer lacked the tweet and is no evidence: nothing in it
// shows that the provider knew what it was saying. That is a failure like any
// other, not a miss; the tweet is not looked up again before retryAt, and then
// together with one that is known to be there.
func Doubt(prev Tracking, a Absence, retryAt time.Time) Tracking {
	if prev.Gone() {
		return prev.stayGone(a)
	}
	t := Fail(prev, retryAt)
	t.Doubts++
	return t
}

// Gone reports whether the tweet counts as deleted, or hidden for good.
func (t Tracking) Gone() bool { return t.GoneReason != "" }

// stayGone is what is left of a tweet that is gone. A reason that the provider
// gives is worth more than none.
func (t Tracking) stayGone(a Absence) Tracking {
	t.Tier, t.NextUpdateAt, t.RetryAt = Cold, time.Time{}, time.Time{}
	if a.Reason != "" {
		t.GoneReason = a.Reason
	}
	return t
}

// Revive takes back that a tweet is gone, because somebody has it: it is looked at
// once more at now, whatever its age, and by the policy after that.
func Revive(p Policy, prev Tracking, now time.Time) Tracking {
	t := prev.present()
	t.Tier, _ = p.Schedule(t, now)
	t.NextUpdateAt = now
	return t
}

// present forgets the failures, misses and doubts of a tweet that is there.
func (t Tracking) present() Tracking {
	t.Attempts, t.Misses, t.Doubts, t.GoneReason = 0, 0, 0, ""
	t.LastMissedAt, t.RetryAt = time.Time{}, time.Time{}
	return t
}
