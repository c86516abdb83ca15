package web

import (
	"net/http"
)

// webhook tracks tweets that the provider pushes, in the zone of the filter rule that
// found them. A tweet that the zone already tracks is left as it is.
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
	answer.Skipped = append(answer.Skipped, push.Skipped...)
	for _, why := range answer.Skipped {
		s.log.Warn().Str("request", noteOf(r.Context()).id).Str("reason", why).Msg("pushed tweet skipped")
	}
	return writeJSON(w, http.StatusOK, answer)
}
