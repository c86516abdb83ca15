package store

import (
	"errors"
	"time"

	"gorgone/engagement"
)

// Back-off of a row whose look-up failed, in real time.
const (
	backoffBase    = 30 * time.Second
	backoffCeiling = time.Hour
)

// judge decides what a result means for a row. It changes nothing.
func (s *Store) judge(r *row, kind Kind, o engagement.Observation, reason string, now time.Time) RowOutcome {
	out := RowOutcome{
		Row: r.id, ZoneID: r.zone, TweetID: r.tweetID, Reason: reason,
		Before: r.tracking, After: r.tracking,
	}
	switch kind {
	case Found:
		s.observe(&out, o, now)
	case Missing:
		out.Outcome = OutcomeMissing
		out.After = engagement.GiveUp(s.policyOf(out.ZoneID), engagement.Miss(out.Before, now), now)
	default:
		s.fail(&out, OutcomeUnresolved, now)
	}
	return out
}

func (s *Store) observe(out *RowOutcome, o engagement.Observation, now time.Time) {
	// As Postgres stores it, or the same observation would look newer the
	// second time.
	o.At = o.At.UTC().Truncate(time.Microsecond)
	policy := s.policyOf(out.ZoneID)
	update, err := engagement.Observe(policy, out.Before, o, now)
	switch {
	case err == nil:
		out.Outcome = OutcomeApplied
		out.After, out.Snapshot = update.Tracking, update.Snapshot
		out.Forecast = policy.predict(out)
		return
	case errors.Is(err, engagement.ErrStale):
		out.Outcome = OutcomeStale
		// It stays as it was, but must not be due again at once, for ever.
		out.After.RetryAt = time.Time{}
		if t := out.Before; !t.NextUpdateAt.IsZero() && !t.NextUpdateAt.After(now) {
			out.After.Tier, out.After.NextUpdateAt = s.policyOf(out.ZoneID).Schedule(t, now)
		}
	case errors.Is(err, engagement.ErrOutOfRange):
		s.fail(out, OutcomeOutOfRange, now)
	default: // engagement.ErrFuture
		s.fail(out, OutcomeFuture, now)
	}
	out.Reason = err.Error()
}

// fail backs the row off.
func (s *Store) fail(out *RowOutcome, o Outcome, now time.Time) {
	out.Outcome = o
	wait := engagement.Backoff(out.Before.Attempts+1, backoffBase, backoffCeiling, s.options.Random())
	failed := engagement.Fail(out.Before, now.Add(s.clock.Engine(wait)).Truncate(time.Microsecond))
	out.After = engagement.GiveUp(s.policyOf(out.ZoneID), failed, now)
}
