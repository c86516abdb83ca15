package web

import (
	"context"
	"net/http"

	"github.com/google/uuid"
)

// kept is what operators keep a list of, such as alert rules: T, shown as L. Its methods
// are the handlers of the list, and of what becomes of one of it.
type kept[T, L any] struct {
	server  *Server
	name    string // of one, in the log
	missing error  // of one that does not exist

	list   func(ctx context.Context) ([]T, error)
	create func(ctx context.Context, t T) (T, error)
	update func(ctx context.Context, t T) (T, error)
	delete func(ctx context.Context, id uuid.UUID) error

	parse func(body []byte, id uuid.UUID) (T, error) // a zero id is that of a new one
	keys  func(t T) (id, zone uuid.UUID)             // of a zero zone are all zones
	show  func(t T) L
	first func(t T) any // shows a new one; nil: as show does
}

// of makes a handler of a method of what the server keeps.
func of[T, L any](what func(*Server) kept[T, L], do func(kept[T, L], http.ResponseWriter, *request) error) func(*Server, http.ResponseWriter, *request) error {
	return func(s *Server, w http.ResponseWriter, r *request) error { return do(what(s), w, r) }
}

// all responds with the list.
func (k kept[T, L]) all(w http.ResponseWriter, r *request) error {
	list, err := k.list(r.Context())
	if err != nil {
		return err
	}
	shown := make([]L, len(list))
	for i, t := range list {
		shown[i] = k.show(t)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": shown})
}

// sent reads one from the body, which the caller may have in its zone.
func (k kept[T, L]) sent(r *request, id uuid.UUID) (T, error) {
	t, err := k.parse(r.body, id)
	if err != nil {
		return t, err
	}
	_, zone := k.keys(t)
	return t, r.mayOperate(zone)
}

// named finds the one that the path names, which the caller may change.
func (k kept[T, L]) named(r *request) (t T, id uuid.UUID, err error) {
	want, err := pathID(r.PathValue("id"))
	if err != nil {
		return t, id, err
	}
	list, err := k.list(r.Context())
	if err != nil {
		return t, id, err
	}
	for _, t := range list {
		if id, zone := k.keys(t); id == want {
			return t, id, r.mayOperate(zone)
		}
	}
	return t, id, k.missing
}

func (k kept[T, L]) add(w http.ResponseWriter, r *request) error {
	t, err := k.sent(r, uuid.Nil)
	if err != nil {
		return err
	}
	if t, err = k.create(r.Context(), t); err != nil {
		return err
	}
	id, _ := k.keys(t)
	if k.first != nil {
		return k.server.changed(w, r, k.name+" added", id, k.first(t))
	}
	return k.server.changed(w, r, k.name+" added", id, k.show(t))
}

func (k kept[T, L]) change(w http.ResponseWriter, r *request) error {
	_, id, err := k.named(r)
	if err != nil {
		return err
	}
	t, err := k.sent(r, id)
	if err != nil {
		return err
	}
	if t, err = k.update(r.Context(), t); err != nil {
		return err
	}
	return k.server.changed(w, r, k.name+" changed", id, k.show(t))
}

func (k kept[T, L]) remove(w http.ResponseWriter, r *request) error {
	_, id, err := k.named(r)
	if err != nil {
		return err
	}
	if err := k.delete(r.Context(), id); err != nil {
		return err
	}
	return k.server.did(w, r, k.name+" removed", id.String())
}
