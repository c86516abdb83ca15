package worker

import "gorgone/store"

// counts is what became of the rows of a batch.
type counts struct {
	applied, missing, deleted, unresolved, lost, released, calls, controls int
}

func (j *job) tally(a store.Applied) {
	if a.Zeroed > 0 {
		j.log.Warn().Int("tweets", a.Zeroed).Msg("counters of many tweets are 0 in an answer: they are not believed")
	}
	for i := range a.Rows {
		r := &a.Rows[i]
		switch r.Outcome {
		case store.OutcomeApplied:
			j.count.applied++
		case store.OutcomeMissing, store.OutcomeDeleted:
			j.count.missing++
			if r.Outcome == store.OutcomeDeleted {
				j.count.deleted++
			}
			j.log.Info().Str("tweet", r.TweetID).Int("misses", r.After.Misses).Str("reason", r.Reason).
				Bool("gone", r.After.Gone()).Msgf("Tweet %s not found (may be deleted)", r.TweetID)
		case store.OutcomeLostClaim, store.OutcomeVanished, store.OutcomeStale, store.OutcomeNewer:
			j.count.lost++
		default:
			j.count.unresolved++
			j.log.Warn().Str("tweet", r.TweetID).Str("outcome", string(r.Outcome)).Str("reason", r.Reason).
				Time("retry_at", r.After.RetryAt).Msg("tweet unresolved")
		}
	}
}

func (j *job) report() {
	c := j.count
	took := max(j.Clock.Database().Sub(j.started), 0) // a clock may be set back
	j.progress.batch(c)
	j.Observer.BatchDone(took)
	j.log.Info().Int("successful", c.applied).Int("missing", c.missing).Int("deleted", c.deleted).Int("failed", c.unresolved).
		Int("skipped", c.lost).Int("given_back", c.released).Int("calls", c.calls).Int("controls", c.controls).
		Dur("took_ms", took).Msg("Batch update completed")
}
