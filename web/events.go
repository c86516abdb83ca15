package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"gorgone/web/auth"
)

const (
	// streamLifetime is how long a stream of events lasts. A reader reconnects with a
	// token that is valid then, and misses nothing.
	streamLifetime = 30 * time.Minute

	// eventTimeout bounds the writing of one event.
	eventTimeout = 5 * time.Second

	// maxPadding is the most bytes that an event is filled up to, for a proxy that holds
	// them back until it has as many.
	maxPadding = 16 << 10
)

// events streams updates and alerts as server-sent events.
func (s *Server) events(w http.ResponseWriter, r *request) error {
	zones, err := r.readable()
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		streamHeaders(w.Header())
		w.WriteHeader(http.StatusOK)
		return nil // it has no body to wait for
	}
	lastID := r.Header.Get("Last-Event-ID")
	if lastID == "" {
		lastID = r.URL.Query().Get("last_event_id")
	}
	padding := 0
	if text := r.URL.Query().Get("padding"); text != "" {
		if padding, err = strconv.Atoi(text); err != nil || padding < 0 || padding > maxPadding {
			return badRequest("padding is not a number of bytes from 0 to %d", maxPadding)
		}
	}
	var who subscriber
	if r.caller.Kind == auth.KindUser {
		who.user = r.caller.Name
		if who.tenant, err = r.tenant(); err != nil {
			return err
		}
	}
	reader, from, err := s.live.join(who, zones, lastID)
	if err != nil {
		return err
	}
	defer s.live.leave(reader)
	s.requestUpdates()
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("set the deadline of a stream: %w", err)
	}
	streamHeaders(w.Header())
	w.WriteHeader(http.StatusOK)
	out := stream{w, http.NewResponseController(w), padding}
	if out.send(from.greeting()) != nil {
		return nil
	}
	for _, f := range from.missed {
		if out.send(f.text) != nil {
			return nil
		}
	}
	s.stream(r, reader, out)
	_ = out.rc.SetWriteDeadline(time.Now().Add(eventTimeout)) // to write its end, long after the last event
	return nil
}

func streamHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store, no-transform") // or a proxy compresses events, and buffers them for it
	h.Set("X-Accel-Buffering", "no")                 // or nginx buffers events
}

// readable is zonesFor, for a caller that must be allowed to read something.
func (r *request) readable() ([]uuid.UUID, error) {
	zones, err := r.zonesFor()
	if err == nil && zones != nil && len(zones) == 0 {
		err = &auth.RefusedError{Reason: auth.ReasonScope}
	}
	return zones, err
}

// recheck finds out whether the caller is still who it was, and what it may read.
func (r *request) recheck() ([]uuid.UUID, error) {
	p, err := r.server.parts.Guard.Identify(r.Request, nil)
	if err != nil {
		return nil, err
	}
	r.caller = p
	return r.readable()
}

// lifetime is how long a stream of the caller's lasts: not longer than its credentials.
func (r *request) lifetime() time.Duration {
	if r.caller.Expires.IsZero() {
		return streamLifetime
	}
	return min(streamLifetime, max(time.Until(r.caller.Expires), 0))
}

// stream sends events until the reader leaves or is dropped, or its lifetime is over.
func (s *Server) stream(r *request, reader *reader, out stream) {
	heartbeat := time.NewTicker(s.config.Heartbeat)
	defer heartbeat.Stop()
	recheck := time.NewTicker(s.config.Recheck)
	defer recheck.Stop()
	end := time.NewTimer(r.lifetime())
	defer end.Stop()
	for {
		var err error
		select {
		case f := <-reader.frames:
			if !reader.reads(f.zone) {
				continue // no longer
			}
			err = out.send(f.text)
		case <-heartbeat.C:
			err = out.send(s.live.signOfLife(reader))
		case <-recheck.C:
			var zones []uuid.UUID
			zones, err = r.recheck()
			if _, refused := auth.Refused(err); err != nil && !refused {
				err = nil // an unavailable database says nothing about the reader
				continue
			}
			if err == nil {
				reader.setZones(zones)
			}
		case <-end.C:
			return
		case <-reader.gone:
			s.logDropped(r, "it fell behind, or the server is stopping")
			return
		case <-r.Context().Done():
			return
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) { // otherwise the reader left
				s.logDropped(r, "it did not read in time")
			}
			return
		}
	}
}

func (s *Server) logDropped(r *request, why string) {
	s.log.Info().Str("request", noteOf(r.Context()).id).Str("reason", why).Msg("event reader dropped")
}

// stream is a response that is sent event by event.
type stream struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	padding int // least bytes of an event
}

func (o stream) send(text []byte) error {
	if lacking := o.padding - len(text); lacking > 0 { // a comment, which readers pass over
		text = slices.Concat(text, []byte(":"), bytes.Repeat([]byte(" "), lacking), []byte("\n\n"))
	}
	if err := o.rc.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil {
		return fmt.Errorf("set the deadline of an event: %w", err)
	}
	_, err := o.w.Write(text)
	return errors.Join(err, o.rc.Flush())
}
