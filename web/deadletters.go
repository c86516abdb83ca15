package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"gorgone/dispatcher"
	"gorgone/queue"
	"gorgone/web/answers"
)

const (
	defaultDeadLetters = 100
	maxDeadLetters     = 1000
)

// deadLetter is a message that no worker could handle.
type deadLetter struct {
	Seq        uint64      `json:"seq"`
	Lane       queue.Class `json:"lane"`
	Reason     string      `json:"reason"`
	Deliveries int         `json:"deliveries"` // 0: not known
	FirstSeen  *time.Time  `json:"first_seen"`
	At         time.Time   `json:"at"`
	Retriable  bool        `json:"retriable"`      // the message was kept
	Body       string      `json:"body,omitempty"` // only in the response about one
}

func deadLetterOf(d queue.DeadLetter) deadLetter {
	return deadLetter{d.Seq, d.Class, d.Reason, d.Deliveries, answers.TimeOrNull(d.FirstSeen), d.At.UTC(), d.Body != nil, ""}
}

// deadLetters responds with the newest dead letters.
func (s *Server) deadLetters(w http.ResponseWriter, r *request) error {
	limit, err := r.number("limit", defaultDeadLetters, 1, maxDeadLetters)
	if err != nil {
		return err
	}
	offset, err := r.number("offset", 0, 0, maxOffset)
	if err != nil {
		return err
	}
	letters, total, err := s.parts.Queue.DeadLetterPage(r.Context(), offset, limit)
	if err != nil {
		return s.deadLetterFailure(err)
	}
	list := make([]deadLetter, len(letters))
	for i, d := range letters {
		list[i] = deadLetterOf(d)
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool `json:"success"`
		paging
		Data []deadLetter `json:"data"`
	}{true, r.paging(total, offset, len(list)), list})
}

// deadLetter reads the dead letter that the path names.
func (s *Server) deadLetter(r *request) (queue.DeadLetter, error) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		return queue.DeadLetter{}, badRequest("the sequence number in the path is not a number")
	}
	d, err := s.parts.Queue.DeadLetter(r.Context(), seq)
	if err != nil {
		return d, s.deadLetterFailure(err)
	}
	return d, nil
}

func (s *Server) deadLetterFailure(err error) error {
	switch {
	case errors.Is(err, queue.ErrNoDeadLetter):
		return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such dead letter, or its message was not kept"}
	case !s.parts.Connection.Connected():
		return queueUnavailable(err)
	}
	return err
}

// letterFailure is what the caller is told of an error with a dead letter; nil of nil.
func (s *Server) letterFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, dispatcher.ErrNotKept):
		return &failure{status: http.StatusConflict, code: "not_kept", message: dispatcher.ErrNotKept.Error()}
	case errors.Is(err, dispatcher.ErrUnreadable):
		return &failure{status: http.StatusConflict, code: "unreadable", message: dispatcher.ErrUnreadable.Error(), cause: err}
	default:
		return s.deadLetterFailure(err)
	}
}

// showDeadLetter responds with a dead letter and its message.
func (s *Server) showDeadLetter(w http.ResponseWriter, r *request) error {
	d, err := s.deadLetter(r)
	if err != nil {
		return err
	}
	shown := deadLetterOf(d)
	shown.Body = string(d.Body)
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": shown})
}

// dropDeadLetter deletes a dead letter.
func (s *Server) dropDeadLetter(w http.ResponseWriter, r *request) error {
	d, err := s.deadLetter(r)
	if err != nil {
		return err
	}
	if err := s.parts.Queue.DeleteDeadLetter(r.Context(), d.Seq); err != nil {
		return s.deadLetterFailure(err)
	}
	s.log.Info().Uint64("seq", d.Seq).Str("lane", string(d.Class)).Str("caller", r.caller.Name).Msg("dead letter dropped")
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "message": "dropped"})
}

// retryDeadLetter puts the work of a dead letter back into the queue, and deletes the letter.
func (s *Server) retryDeadLetter(w http.ResponseWriter, r *request) error {
	d, err := s.deadLetter(r)
	if err != nil {
		return err
	}
	did, err := s.parts.Retrier.Retry(r.Context(), d, s.refreshCaller(r))
	if err := s.letterFailure(err); err != nil {
		return err
	}
	s.log.Info().Uint64("seq", d.Seq).Str("lane", string(d.Class)).Str("caller", r.caller.Name).Str("result", did).Msg("dead letter retried")
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "message": did})
}
