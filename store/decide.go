package store

import (
	"context"
	"errors"
	"time"

	"gorgone/engagement"
)

// Back-off of a row whose look-up failed, in real time.
const (
	backoffBase    = 30 * time.Second
	backoffCeiling = time.Hour
)

// decide decides what a result means for a row. It changes nothing.
// zeroed is what of the answer is not to be believed.
func (s *Store) decide(r *row, kind Kind, o engagement.Observation, reason string, zeroed engagement.Zeroed, now time.Time) AppliedRow {
	out := AppliedRow{
		Row: r.id, ZoneID: r.zone, TweetID: r.tweetID, Reason: reason,
		Before: r.tracking, After: r.tracking,
	}
	// As Postgres stores it, or the same observation would look newer the
	// second time.
	o.At = o.At.UTC().Truncate(time.Microsecond)
	switch kind {
	case Found:
		s.observe(&out, o, zeroed, now)
	case Missing, Unproven:
		s.absent(&out, kind, o.At, now)
	default:
		s.fail(&out, engagement.RowUnresolved, now)
	}
	return out
}

// absent records an answer that lacked the tweet. The look may have begun before
// the row's last observation: then it is as stale as an observation would be.
func (s *Store) absent(out *AppliedRow, kind Kind, at, now time.Time) {
	seen := out.Before.ObservedAt
	switch absence := (engagement.Absence{At: at}); {
	case !at.IsZero() && !seen.IsZero() && !at.After(seen):
		s.stale(out, now)
	case kind == Missing:
		out.Outcome = engagement.RowMissing
		absence.Reason = out.Reason
		out.After = engagement.Miss(out.Before, absence, s.goneRule(), now)
	default:
		out.Outcome = engagement.RowUnproven
		out.After = engagement.CoolDown(s.policyOf(out.ZoneID), engagement.MissUnproven(out.Before, absence, s.retryAt(out.Before, now)), now)
	}
	if out.After.Gone() && out.Outcome != engagement.RowStale {
		out.Outcome, out.Reason = engagement.RowDeleted, out.After.GoneReason
	}
}

func (s *Store) observe(out *AppliedRow, o engagement.Observation, zeroed engagement.Zeroed, now time.Time) {
	counts, err := zeroed.Clean(engagement.NewChange(out.Before, o))
	if err != nil {
		s.fail(out, engagement.RowZeroed, now)
		if errors.Is(err, engagement.ErrImplausible) {
			// It will be believed when it is said often enough, so the tweet does not go cold
			// with older counts.
			out.After = engagement.Fail(out.Before, s.retryAt(out.Before, now))
		}
		out.Reason = err.Error()
		return
	}
	o.Metrics = counts
	policy := s.policyOf(out.ZoneID)
	o.DayPass = policy.dayPass && s.options.Prices[o.Provider].DayPass
	update, err := engagement.Observe(policy, out.Before, o, now)
	switch {
	case err == nil:
		out.Outcome = engagement.RowApplied
		out.After, out.Snapshot, out.policy = update.Tracking, update.Snapshot, policy
		return
	case errors.Is(err, engagement.ErrStale):
		s.stale(out, now)
	case errors.Is(err, engagement.ErrOutOfRange):
		s.fail(out, engagement.RowOutOfRange, now)
	default: // engagement.ErrFuture
		s.fail(out, engagement.RowFuture, now)
	}
	out.Reason = err.Error()
}

// stale leaves a row as it was, but for that it must not be due again at once, for
// ever.
func (s *Store) stale(out *AppliedRow, now time.Time) {
	out.Outcome = engagement.RowStale
	out.After.RetryAt = time.Time{}
	if t := out.Before; !t.NextUpdateAt.IsZero() && !t.NextUpdateAt.After(now) {
		// The database's clock may have been set back since the last look: until it
		// has caught up, every look would be paid for nothing.
		if t.ObservedAt.After(now) {
			now = t.ObservedAt
		}
		out.After.Tier, out.After.NextUpdateAt = s.policyOf(out.ZoneID).Schedule(t, now)
	}
}

// fail backs the row off.
func (s *Store) fail(out *AppliedRow, o engagement.RowOutcome, now time.Time) {
	out.Outcome = o
	out.After = engagement.CoolDown(s.policyOf(out.ZoneID), engagement.Fail(out.Before, s.retryAt(out.Before, now)), now)
}

// retryAt is when a tweet is tried again that has failed once more.
func (s *Store) retryAt(before engagement.Tracking, now time.Time) time.Time {
	wait := engagement.Backoff(before.Attempts+1, backoffBase, backoffCeiling, s.options.Random())
	return now.Add(s.clock.Engine(wait)).Truncate(time.Microsecond)
}

// goneRule returns the rule by which tweets are called gone now. It reads no database;
// see [Store.prepareAbsences].
func (s *Store) goneRule() engagement.GoneRule {
	return engagement.GoneRule{Misses: s.options.GoneAfter, Span: s.options.GoneSpan, Held: s.population.Held()}
}

// prepareAbsences reads what decides whether a tweet that is missing is gone. Answers
// that lack no tweet read nothing. When it cannot be read, deletions are held.
func (s *Store) prepareAbsences(ctx context.Context, missing bool) {
	if missing {
		_, _ = s.population.Read(ctx) // goneRule holds what is not known
	}
}
