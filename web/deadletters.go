package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"gorgone/deadletter"
	"gorgone/queue"
)

const (
	defaultLetters = 100
	maxLetters     = 1000
)

// deadLetter is a message that could not be handled.
type deadLetter struct {
	Seq        uint64     `json:"seq"`
	Lane       queue.Lane `json:"lane"`
	Reason     string     `json:"reason"`
	Deliveries int        `json:"deliveries"` // 0: not known
	FirstSeen  *time.Time `json:"first_seen"`
	At         time.Time  `json:"at"`
	Retriable  bool       `json:"retriable"`      // the message was kept
	Body       string     `json:"body,omitempty"` // in the answer about one only
}

func deadLetterOf(d queue.DeadLetter) deadLetter {
	return deadLetter{d.Seq, d.Lane, d.Reason, d.Deliveries, moment(d.FirstSeen), d.At.UTC(), d.Body != nil, ""}
}

// deadLetters lists the newest.
func (s *Server) deadLetters(w http.ResponseWriter, r *request) error {
	limit, err := r.number("limit", defaultLetters, 1, maxLetters)
	if err != nil {
		return err
	}
	letters, err := s.parts.Queue.DeadLetters(r.Context(), limit)
	if err != nil {
		return s.letterFault(err)
	}
	list := make([]deadLetter, len(letters))
	for i, d := range letters {
		list[i] = deadLetterOf(d)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": list})
}

// letter reads the dead letter that the path names.
func (s *Server) letter(r *request) (queue.DeadLetter, error) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		return queue.DeadLetter{}, badRequest("the place in the path is not a number")
	}
	d, err := s.parts.Queue.DeadLetter(r.Context(), seq)
	if err != nil {
		return d, s.letterFault(err)
	}
	return d, nil
}

func (s *Server) letterFault(err error) error {
	switch {
	case errors.Is(err, queue.ErrNoDeadLetter):
		return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such dead letter, or its message was not kept"}
	case !s.parts.Connection.Connected():
		return queueAway(err)
	}
	return err
}

// showLetter answers with one, and its message.
func (s *Server) showLetter(w http.ResponseWriter, r *request) error {
	d, err := s.letter(r)
	if err != nil {
		return err
	}
	shown := deadLetterOf(d)
	shown.Body = string(d.Body)
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": shown})
}

// dropLetter forgets one.
func (s *Server) dropLetter(w http.ResponseWriter, r *request) error {
	d, err := s.letter(r)
	if err != nil {
		return err
	}
	if err := s.parts.Queue.DropDeadLetter(r.Context(), d.Seq); err != nil {
		return s.letterFault(err)
	}
	s.log.Info().Uint64("seq", d.Seq).Str("lane", string(d.Lane)).Str("caller", r.caller.Name).Msg("dead letter dropped")
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "message": "dropped"})
}

// retryLetter has done again what one asked for, and forgets it.
func (s *Server) retryLetter(w http.ResponseWriter, r *request) error {
	d, err := s.letter(r)
	if err != nil {
		return err
	}
	did, err := s.parts.Letters.Retry(r.Context(), d)
	switch {
	case errors.Is(err, deadletter.ErrNotKept):
		return &failure{status: http.StatusConflict, code: "not_kept", message: deadletter.ErrNotKept.Error()}
	case errors.Is(err, deadletter.ErrUnreadable):
		return &failure{status: http.StatusConflict, code: "unreadable", message: deadletter.ErrUnreadable.Error(), cause: err}
	case err != nil:
		return s.letterFault(err)
	}
	s.log.Info().Uint64("seq", d.Seq).Str("lane", string(d.Lane)).Str("caller", r.caller.Name).Str("result", did).Msg("dead letter retried")
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "message": did})
}
