package worker

import (
	"context"

	"github.com/rs/zerolog"

	"gorgone/store"
	"gorgone/store/pushed"
	"gorgone/worker/lookup"
)

// Pushed writes observations that no look-up was made for. [pushed.Writer] does.
type Pushed interface {
	Observe(ctx context.Context, all []pushed.Observation) (store.Applied, error)
}

// signals writes what answers told of tweets that were not asked for.
type signals struct {
	pushed  Pushed
	updates updates
	log     zerolog.Logger
}

// write writes them, once: they were not paid for, and what is lost comes again with the tweet's
// next look-up.
func (s signals) write(ctx context.Context, told []lookup.Result) {
	if len(told) == 0 || s.pushed == nil {
		return
	}
	all := make([]pushed.Observation, len(told))
	for i, r := range told {
		all[i] = pushed.Observation{TweetID: r.TweetID, Call: r.Call, Observation: r.Observation}
	}
	applied, err := s.pushed.Observe(ctx, all)
	if err != nil {
		s.log.Warn().Err(err).Int("tweets", len(told)).Msg("writing counts that came inside other tweets failed")
		return
	}
	s.updates.publish(ctx, applied)
}
