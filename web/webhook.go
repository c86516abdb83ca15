package web

import (
	"context"
	"net/http"
)

// webhook tracks tweets that the provider pushes, in the zone of the filter rule that
// found them. Of tweets that are tracked already it writes the counts that came, and it brings
// the next look-up of those forward that were answered.
func (s *Server) webhook(w http.ResponseWriter, r *request) error {
	push, err := s.parts.DecodePush(r.body)
	if err != nil {
		return badRequest("the delivery cannot be decoded: %.200s", err.Error())
	}
	if push.Test {
		return writeJSON(w, http.StatusOK, tracked{Success: true, Message: "the webhook works", Timestamp: s.parts.Clock.Database(), Data: []trackedTweet{}})
	}
	zone, err := s.parts.Rules.ZoneOfRule(r.Context(), push.RuleID)
	if err != nil {
		return err
	}
	answer, err := s.trackEach(r, zone, push.Tweets)
	if err != nil {
		return err
	}
	s.signals(r.Context(), push)
	answer.Skipped = append(answer.Skipped, push.Skipped...)
	for _, why := range answer.Skipped {
		s.log.Warn().Str("request", noteOf(r.Context()).id).Str("reason", why).Msg("pushed tweet skipped")
	}
	return writeJSON(w, http.StatusOK, answer)
}

// signals writes what a delivery tells beside. It is free, and no reason to have the delivery
// made again.
func (s *Server) signals(ctx context.Context, push Push) {
	log := s.log.With().Str("request", noteOf(ctx).id).Logger()
	if _, err := s.parts.Pushed.Observe(ctx, push.Beside); err != nil {
		log.Warn().Err(err).Int("tweets", len(push.Beside)).Msg("writing pushed counts failed")
	}
	if _, err := s.parts.Pushed.PullForward(ctx, push.Answered); err != nil {
		log.Warn().Err(err).Int("tweets", len(push.Answered)).Msg("bringing look-ups of answered tweets forward failed")
	}
}
