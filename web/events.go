package web

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"

	"gorgone/web/auth"
)

const (
	// streamLife is how long a stream of events lasts. Whoever reads on comes back
	// with a token that is good now, and misses nothing.
	streamLife = 30 * time.Minute

	// recheckEvery is how often it is looked again what the reader may see.
	recheckEvery = time.Minute

	// frameTime is how long a reader may take to take an event.
	frameTime = 5 * time.Second
)

// events streams what happens, as server-sent events.
func (s *Server) events(w http.ResponseWriter, r *request) error {
	zones, err := r.zonesFor()
	if err != nil {
		return err
	}
	lastID := r.Header.Get("Last-Event-ID")
	if lastID == "" {
		lastID = r.URL.Query().Get("last_event_id")
	}
	user := ""
	if r.caller.Kind == auth.KindUser {
		user = r.caller.Name
	}
	reader, missed, complete, err := s.live.join(user, zones, lastID)
	if err != nil {
		return err
	}
	defer s.live.leave(reader)
	s.callAudience()
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("set the deadline of a stream: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events to itself
	w.WriteHeader(http.StatusOK)
	out := stream{w, http.NewResponseController(w)}
	greeting := "retry: 3000\nevent: hello\ndata: {}\n\n"
	if !complete {
		greeting += "event: reset\ndata: " + resetData + "\n\n"
	}
	if out.send([]byte(greeting)) != nil {
		return nil
	}
	for _, f := range missed {
		if out.send(f.text) != nil {
			return nil
		}
	}
	s.stream(r, reader, out)
	return nil
}

// stream sends events until the reader leaves, is dropped, or has read for long
// enough.
func (s *Server) stream(r *request, reader *reader, out stream) {
	heartbeat := time.NewTicker(s.config.Heartbeat)
	defer heartbeat.Stop()
	recheck := time.NewTicker(recheckEvery)
	defer recheck.Stop()
	end := time.NewTimer(streamLife)
	defer end.Stop()
	for {
		var err error
		select {
		case f := <-reader.frames:
			if !reader.reads(f.zone) {
				continue // not any more
			}
			err = out.send(f.text)
		case <-heartbeat.C:
			err = out.send([]byte(": still here\n\n"))
		case <-recheck.C:
			var zones []uuid.UUID
			zones, err = r.zonesFor()
			if _, refused := auth.Refused(err); err != nil && !refused {
				err = nil // the database is away, which says nothing about the reader
				continue
			}
			if err == nil {
				reader.setZones(zones)
			}
		case <-end.C:
			return
		case <-reader.gone:
			s.letGo(r, "it fell behind, or the server stops")
			return
		case <-r.Context().Done():
			return
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) { // else it has left by itself
				s.letGo(r, "it took nothing in time")
			}
			return
		}
	}
}

func (s *Server) letGo(r *request, why string) {
	s.log.Info().Str("request", noteOf(r.Context()).id).Str("reason", why).Msg("a reader of live events was let go")
}

// stream is an answer that is sent piece by piece.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (o stream) send(text []byte) error {
	if err := o.rc.SetWriteDeadline(time.Now().Add(frameTime)); err != nil {
		return fmt.Errorf("set the deadline of an event: %w", err)
	}
	_, err := o.w.Write(text)
	return errors.Join(err, o.rc.Flush())
}
