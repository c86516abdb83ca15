package worker

import (
	"time"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/store"
)

// batchStats counts what became of the rows of a batch.
type batchStats struct {
	applied, missing, deleted, unresolved, skipped, released, calls, controls int
}

// count counts the rows of a write, and logs those that were not found or resolved.
func (s *batchStats) count(a store.Applied, log *zerolog.Logger) {
	if a.Zeroed > 0 {
		log.Warn().Int("tweets", a.Zeroed).Msg("counters of many tweets are 0 or changed implausibly in an answer: they are not believed")
	}
	for i := range a.Rows {
		r := &a.Rows[i]
		switch r.Outcome.Effect().Result {
		case engagement.ResultApplied:
			s.applied++
		case engagement.ResultMissing:
			s.missing++
			if r.Outcome == engagement.RowDeleted {
				s.deleted++
			}
			log.Info().Str("tweet", r.TweetID).Int("misses", r.After.Misses).Str("reason", r.Reason).
				Bool("gone", r.After.Gone()).Msgf("Tweet %s not found (may be deleted)", r.TweetID)
		case engagement.ResultSkipped:
			s.skipped++
		case engagement.ResultFailed:
			s.unresolved++
			log.Warn().Str("tweet", r.TweetID).Str("outcome", string(r.Outcome)).Str("reason", r.Reason).
				Time("retry_at", r.After.RetryAt).Msg("tweet unresolved")
		}
	}
}

func (s *batchStats) log(took time.Duration, log *zerolog.Logger) {
	log.Info().Int("successful", s.applied).Int("missing", s.missing).Int("deleted", s.deleted).Int("failed", s.unresolved).
		Int("skipped", s.skipped).Int("given_back", s.released).Int("calls", s.calls).Int("controls", s.controls).
		Dur("took_ms", took).Msg("Batch update completed")
}
