package engagement

import (
	"errors"
	"fmt"
	"time"
)

const (
	// MinSnapshotGap is the least time between two snapshots of a tweet. An
	// observation sooner than that updates the counts and adds no snapshot, so
	// that a refresh right after an update makes no absurd velocity.
	MinSnapshotGap = time.Minute

	// MaxClockSkew is how far an observation may lie ahead of the clock that
	// applies it.
	MaxClockSkew = 5 * time.Second
)

var (
	// ErrStale is returned for an observation that is not newer than the last
	// one of its tweet. It carries nothing new and is dropped.
	ErrStale = errors.New("observation is not newer than the last one")

	// ErrFuture is returned for an observation later than now + [MaxClockSkew]:
	// a clock is wrong somewhere.
	ErrFuture = errors.New("observation lies in the future")
)

// Observation is what one look at a tweet showed.
type Observation struct {
	At       time.Time // when the look began
	Metrics  Metrics   // counts that the provider left out are absent
	Provider string    // who gave the counts; may be empty
}

// Snapshot is one point of a tweet's history.
type Snapshot struct {
	At       time.Time
	Metrics  Metrics  // absent counts of the look carried over from before
	Deltas   Deltas   // against the previous snapshot; zeros on the first
	Velocity *float64 // engagements per hour since the previous snapshot; nil on the first, and when the provider changed

	// Provider gave the counts; empty when it is not known.
	Provider string
	// ProviderChanged tells that the previous snapshot was another provider's. What
	// they count differs a little, so the deltas hold that difference, and there is
	// no velocity that could be taken for the tweet's.
	ProviderChanged bool
}

// Tracking is what is known of a tweet between two looks.
type Tracking struct {
	TweetID   string    // spreads due times of tweets posted together; may be empty
	CreatedAt time.Time // when the tweet was posted

	Tier         Tier
	Metrics      Metrics   // last known counts
	ObservedAt   time.Time // last observation; zero: never
	NextUpdateAt time.Time // when the next look is due; zero: never
	UpdateCount  int       // observations applied so far

	// Activity is the running estimate of a [Learner] policy; zero: none yet.
	Activity Activity

	SnapshotAt time.Time // last snapshot; zero: none
	Snapshot   Metrics   // counts of the last snapshot, which the next deltas are against
	Provider   string    // who gave the last snapshot; empty: not known

	Attempts     int       // failures in a row
	Misses       int       // counted misses in a row
	Doubts       int       // answers in a row that lacked the tweet and do not count
	LastMissedAt time.Time // look of the last counted miss; zero: none
	GoneReason   string    // why the tweet counts as gone; empty: it does not
	RetryAt      time.Time // do not look again before; zero: no such limit
}

// Update is what one look leads to.
type Update struct {
	Tracking Tracking
	Snapshot *Snapshot // nil when the look adds no point to the history
}

// Track returns the state of a tweet that is tracked from now on. The tweet has
// its creation time, the counts that were known when it was collected (none of them
// may be), and if known its id and what its author's tweets get
// ([Activity.Expected]). Its first look is due at once: also for a tweet that is
// too old for any tier, which gets that one look and then goes cold. Counts known
// at collection make the baseline snapshot.
//
// The error wraps [ErrOutOfRange].
func Track(p Policy, tweet Tracking, now time.Time) (Update, error) {
	if err := tweet.Metrics.Validate(); err != nil {
		return Update{}, err
	}
	t := Tracking{TweetID: tweet.TweetID, CreatedAt: tweet.CreatedAt, Metrics: tweet.Metrics}
	t.Activity.Expected = tweet.Activity.Expected
	if !t.Metrics.Known() {
		t.Tier, _ = p.Schedule(t, now)
		t.NextUpdateAt = now
		return Update{Tracking: t}, nil
	}
	snap := t.snapshot(now)
	collected := t
	collected.SnapshotAt = now
	t.Activity = Learn(p, t, collected)
	t.Tier, t.NextUpdateAt = p.Schedule(t, now)
	if t.NextUpdateAt.IsZero() {
		// The collection was a look already, but not one of ours.
		t.NextUpdateAt = now
	}
	t.SnapshotAt, t.Snapshot = now, t.Metrics
	return Update{Tracking: t, Snapshot: snap}, nil
}

// Observe applies one look to what was known before it: counts, deltas,
// velocity, tier and the next look. Failures and misses counted so far are
// forgotten; a tweet that was gone is back.
//
// Velocity = (delta retweets + replies + likes + quotes) / hours since the
// previous snapshot. There is none across a change of the provider.
//
// The error wraps [ErrStale], [ErrFuture] or [ErrOutOfRange]; then nothing of the
// observation may be used.
func Observe(p Policy, prev Tracking, o Observation, now time.Time) (Update, error) {
	switch {
	case !prev.ObservedAt.IsZero() && !o.At.After(prev.ObservedAt):
		return Update{}, fmt.Errorf("%w: %s, had %s", ErrStale, o.At.Format(time.RFC3339Nano), prev.ObservedAt.Format(time.RFC3339Nano))
	case o.At.After(now.Add(MaxClockSkew)):
		return Update{}, fmt.Errorf("%w: %s, now %s", ErrFuture, o.At.Format(time.RFC3339Nano), now.Format(time.RFC3339Nano))
	}
	// The reading itself is checked before the merge, which would hide a
	// nonsensical view count behind the last good one.
	if err := o.Metrics.Validate(); err != nil {
		return Update{}, err
	}
	t := prev.present()
	t.Metrics = o.Metrics.after(prev.Metrics)
	if err := t.Metrics.Validate(); err != nil {
		return Update{}, err
	}
	t.ObservedAt = o.At
	t.UpdateCount++
	t.Activity = Learn(p, prev, t)
	t.Tier, t.NextUpdateAt = p.Schedule(t, now)

	if !prev.SnapshotAt.IsZero() && o.At.Sub(prev.SnapshotAt) < MinSnapshotGap {
		return Update{Tracking: t}, nil
	}
	snap := t.snapshot(o.At)
	snap.from(prev.Provider, o.Provider)
	t.SnapshotAt, t.Snapshot, t.Provider = o.At, t.Metrics, o.Provider
	return Update{Tracking: t, Snapshot: snap}, nil
}

// snapshot makes the next point of the history of t from its current counts.
func (t Tracking) snapshot(at time.Time) *Snapshot {
	if t.SnapshotAt.IsZero() {
		return &Snapshot{At: at, Metrics: t.Metrics, Deltas: t.Metrics.minus(t.Metrics)}
	}
	s := &Snapshot{At: at, Metrics: t.Metrics, Deltas: t.Metrics.minus(t.Snapshot)}
	if total, known := s.Deltas.Total().Get(); known {
		v := float64(total) / at.Sub(t.SnapshotAt).Hours()
		s.Velocity = &v
	}
	return s
}

// from marks the snapshot as the provider's, which may differ from that of the
// one before.
func (s *Snapshot) from(before, provider string) {
	s.Provider = provider
	s.ProviderChanged = before != "" && provider != "" && before != provider
	if s.ProviderChanged {
		s.Velocity = nil
	}
}
