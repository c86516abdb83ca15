package web

import (
	"net/http"

	"github.com/google/uuid"

	"gorgone/store"
)

// webhook takes tweets in that the provider pushes. They are collected for the
// zone of the filter rule that found them; one that the zone has already is left
// as it is.
func (s *Server) webhook(w http.ResponseWriter, r *request) error {
	push, err := s.parts.DecodePush(r.body)
	if err != nil {
		return badRequest("the delivery can not be read: %.200s", err.Error())
	}
	if push.Test {
		return writeJSON(w, http.StatusOK, tracked{Success: true, Message: "the address is right", Timestamp: s.parts.Clock.Database(), Data: []trackedTweet{}})
	}
	zone, err := s.parts.Tracker.ZoneOfRule(r.Context(), push.RuleID)
	if err != nil {
		return err
	}
	answer, err := s.takeEach(r, zone, push.Tweets)
	if err != nil {
		return err
	}
	answer.Skipped = append(answer.Skipped, push.Skipped...)
	for _, why := range answer.Skipped {
		s.log.Warn().Str("request", noteOf(r.Context()).id).Str("reason", why).Msg("a pushed tweet was left out")
	}
	return writeJSON(w, http.StatusOK, answer)
}

// takeEach tracks tweets, and leaves out those that can not be: one bad tweet must
// not cost the others, which would not be pushed again.
func (s *Server) takeEach(r *request, zone uuid.UUID, tweets []store.NewTweet) (tracked, error) {
	answer, err := s.take(r, zone, tweets)
	if err == nil || failureOf(err).status != http.StatusBadRequest {
		return answer, err
	}
	if len(tweets) == 1 {
		return tracked{
			Success: true, Message: "nothing was tracked", Timestamp: s.parts.Clock.Database(), ZoneID: zone,
			Data: []trackedTweet{}, Skipped: []string{err.Error()},
		}, nil
	}
	half := len(tweets) / 2
	first, err := s.takeEach(r, zone, tweets[:half])
	if err != nil {
		return first, err
	}
	second, err := s.takeEach(r, zone, tweets[half:])
	if err != nil {
		return second, err
	}
	return first.plus(second, zone), nil
}

func (t tracked) plus(o tracked, zone uuid.UUID) tracked {
	t.ZoneID = zone
	t.Tracked += o.Tracked
	t.Already += o.Already
	t.Held += o.Held
	t.Data = append(t.Data, o.Data...)
	t.Skipped = append(t.Skipped, o.Skipped...)
	t.Message = "some tweets were left out"
	return t
}
