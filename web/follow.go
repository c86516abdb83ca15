package web

import (
	"context"
	"time"

	"gorgone/queue"
)

// follow forwards the queue's events to the hub until ctx ends, and requests them while
// there are readers.
func (s *Server) follow(ctx context.Context) {
	for ctx.Err() == nil {
		events, stop, err := s.parts.Queue.WatchEvents(ctx)
		if err != nil {
			s.log.Warn().Err(err).Msg("subscribing to live events failed")
			select {
			case <-time.After(rewatchDelay):
			case <-ctx.Done():
			}
			continue
		}
		s.forward(ctx, events)
		stop()
	}
}

func (s *Server) forward(ctx context.Context, events <-chan queue.Event) {
	call := time.NewTicker(queue.AnnounceInterval)
	defer call.Stop()
	look := time.NewTicker(gapCheckEvery)
	defer look.Stop()
	reconnects := s.parts.Connection.Reconnects()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if err := s.live.broadcast(e); err != nil {
				s.log.Warn().Err(err).Msg("event not forwarded")
			}
		case <-look.C:
			// Events that were sent while the connection was down are lost.
			if now := s.parts.Connection.Reconnects(); now != reconnects {
				reconnects = now
				s.requestUpdates()
				s.live.gap()
			}
		case <-call.C:
			s.requestUpdates()
		}
	}
}

// requestUpdates asks the workers to publish their updates, if there are readers.
func (s *Server) requestUpdates() {
	if !s.live.hasReaders() || !s.parts.Connection.Connected() {
		return
	}
	if err := s.parts.Queue.AnnounceSubscriber(); err != nil {
		s.log.Warn().Err(err).Msg("requesting live events failed")
	}
}
