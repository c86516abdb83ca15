package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/store"
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
	if d.Body == nil {
		return &failure{status: http.StatusConflict, code: "not_kept", message: "its message was not kept, so there is nothing to retry: drop it"}
	}
	retry := s.retryBatch
	if d.Lane == queue.LaneRefresh {
		retry = s.retryRefresh
	}
	did, err := retry(r, d)
	if err != nil {
		return s.letterFault(err)
	}
	if err := s.parts.Queue.DropDeadLetter(r.Context(), d.Seq); err != nil {
		return s.letterFault(err)
	}
	s.log.Info().Uint64("seq", d.Seq).Str("lane", string(d.Lane)).Str("caller", r.caller.Name).Str("result", did).Msg("dead letter retried")
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "message": did})
}

func unreadableLetter(err error) error {
	return &failure{status: http.StatusConflict, code: "unreadable", message: "this version can not read it, and a worker would dead-letter it again", cause: err}
}

// retryBatch publishes a batch again whose claim still holds, and else makes its
// rows due that back off.
func (s *Server) retryBatch(r *request, d queue.DeadLetter) (string, error) {
	batch, err := d.Batch()
	if err != nil {
		return "", unreadableLetter(err)
	}
	var (
		rows   []uuid.UUID
		tweets []string
	)
	for _, t := range batch.Tweets {
		tweets, rows = append(tweets, t.ID), append(rows, t.Rows...)
	}
	held, err := s.parts.Letters.Held(r.Context(), batch.ID, rows)
	if err != nil {
		return "", err
	}
	if len(held) > 0 && s.parts.Clock.Now().Before(batch.Until) {
		return "published again", s.parts.Queue.Republish(r.Context(), d)
	}
	due, err := s.parts.Letters.ForceDue(r.Context(), store.DueFilter{TweetIDs: tweets, Failing: true})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("its claim has ended: %d rows that back off are due now, the others were answered or fall due by themselves", due), nil
}

// retryRefresh asks for the tweet anew.
func (s *Server) retryRefresh(r *request, d queue.DeadLetter) (string, error) {
	old, err := d.Refresh()
	if err != nil {
		return "", unreadableLetter(err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a request's id: %w", err)
	}
	now := s.parts.Clock.Now()
	_, err = s.parts.Queue.PublishRefresh(r.Context(), queue.Refresh{
		RequestID: id, TweetID: old.TweetID, RequestedAt: now, Deadline: now.Add(s.parts.Clock.Engine(refreshLife)),
	})
	return "the tweet is asked for again", err
}
