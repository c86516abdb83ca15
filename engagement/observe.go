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

// Observation is what one look-up showed of a tweet.
type Observation struct {
	At       time.Time // when the look-up began
	Metrics  Metrics   // counts that the provider left out are absent
	Provider string    // who gave the counts; may be empty
	Pushed   bool      // no look-up of the tweet: its counts came inside another tweet
	DayPass  bool      // the provider charges for the tweet once a UTC day, and the schedule goes by it
}

// Snapshot is one point of a tweet's history.
type Snapshot struct {
	At       time.Time
	Metrics  Metrics  // absent counts of the look-up carried over from before
	Deltas   Deltas   // against the previous snapshot; zeros on the first
	Velocity *float64 // engagements per hour since the previous snapshot, see [Observe]; nil on the first, and when the provider changed

	// Provider gave the counts; empty when it is not known.
	Provider string
	// ProviderChanged tells that the previous snapshot was another provider's. What
	// they count differs a little, so the deltas hold that difference, and there is
	// no velocity that could be taken for the tweet's.
	ProviderChanged bool
	// Pushed tells that no look-up was made for it, see [Observation].
	Pushed bool
}

// Tracking is what is known of a tweet between two look-ups.
type Tracking struct {
	TweetID   string    // spreads due times of tweets posted together; may be empty
	CreatedAt time.Time // when the tweet was posted

	Tier         Tier
	Metrics      Metrics   // last known counts
	ObservedAt   time.Time // last observation; zero: never
	NextUpdateAt time.Time // when the next look-up is due; zero: never
	UpdateCount  int       // observations applied so far

	// Activity is the running estimate of a [Learner] policy; zero: none yet.
	Activity Activity

	SnapshotAt time.Time // last snapshot; zero: none
	Snapshot   Metrics   // counts of the last snapshot, which the next deltas are against
	Provider   string    // who gave the last snapshot; empty: not known

	// Unrecorded tells that the last snapshot is not in the history: it says what the
	// point before it says. The next one that is recorded has it recorded too.
	Unrecorded bool

	// Gap is the last stretch in which counters could not be read; zero: none lately.
	Gap Gap

	Attempts     int       // failures in a row
	Misses       int       // counted misses in a row
	Doubts       int       // answers in a row that lacked the tweet and do not count
	LastMissedAt time.Time // look-up of the last counted miss; zero: none
	GoneReason   string    // why the tweet counts as gone; empty: it does not
	RetryAt      time.Time // not looked up again before; zero: no such limit
}

// Update is what one look-up leads to.
type Update struct {
	Tracking Tracking

	// Snapshot is the tweet's next point; nil when the look-up adds none. Where it repeats
	// the one before (Tracking.Unrecorded), the history need not hold it.
	Snapshot *Snapshot
}

// Track returns the state of a tweet that is tracked from now on. The tweet has
// its creation time, the counts that were known when it was collected (none of them
// may be), and if known its id and what its author's tweets get
// ([Activity.Expected]). Its first look-up is due at once: also for a tweet that is
// too old for any tier, which gets that one look-up and then goes cold. Counts known
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
		// The collection showed counts, but was no look-up of ours.
		t.NextUpdateAt = now
	}
	t.SnapshotAt, t.Snapshot = now, t.Metrics
	return Update{Tracking: t, Snapshot: snap}, nil
}

// Observe applies one look-up to what was known before it: counts, deltas,
// velocity, tier and the next look-up. Failures and misses counted so far are
// forgotten; a tweet that was gone is back.
//
// Velocity = (delta retweets + replies + likes + quotes) / hours since the
// previous snapshot, or since the last in which all of them could be read when one can be
// again ([Gap]). There is none across a change of the provider.
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
	t := prev.withoutFailures()
	t.Metrics = o.Metrics.after(prev.Metrics)
	if err := t.Metrics.Validate(); err != nil {
		return Update{}, err
	}
	t.ObservedAt = o.At
	t.UpdateCount++
	if o.DayPass && !o.Pushed {
		t.Activity.PaidDay = UTCDay(o.At)
	}
	t.Activity = Learn(p, prev, t)
	t.Tier, t.NextUpdateAt = p.Schedule(t, now)

	if !prev.SnapshotAt.IsZero() && o.At.Sub(prev.SnapshotAt) < MinSnapshotGap {
		return Update{Tracking: t}, nil
	}
	snap := t.snapshot(o.At)
	lacks := absent(o.Metrics, prev.Metrics)
	gap, again := prev.Gap.after(prev, t.Metrics, lacks, o.At)
	if again && snap.Velocity != nil {
		*snap.Velocity = float64(t.Metrics.Total()-gap.Total) / o.At.Sub(gap.Since).Hours()
	}
	snap.Pushed = o.Pushed
	snap.from(prev.Provider, o.Provider)
	if t.Gap = gap; snap.ProviderChanged {
		t.Gap = Gap{} // what the two count cannot be compared
		if lacks != 0 {
			t.Gap = Gap{Since: o.At, Total: t.Metrics.Total(), Absent: lacks}
		}
	}
	t.SnapshotAt, t.Snapshot, t.Provider = o.At, t.Metrics, o.Provider
	t.Unrecorded = t.repeats(prev)
	return Update{Tracking: t, Snapshot: snap}, nil
}

// repeats reports whether the last snapshot of t tells nothing new after that of prev:
// counts and provider are the same. The first of a day (UTC) always tells something, so
// that no day on which a tweet is looked up lacks a point, whatever is deleted before it.
func (t Tracking) repeats(prev Tracking) bool {
	const day = 24 * time.Hour // since the zero time, days are UTC's
	return !prev.SnapshotAt.IsZero() && t.Snapshot == prev.Snapshot && t.Provider == prev.Provider &&
		t.SnapshotAt.Truncate(day).Equal(prev.SnapshotAt.Truncate(day))
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
