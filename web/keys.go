package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"gorgone/store/keys"
	"gorgone/twitter"
	"gorgone/web/answers"
	"gorgone/web/auth"
)

// ClientKeys keeps the keys that clients bring of their own. [keys.Store] with a sealer does.
type ClientKeys interface {
	List(ctx context.Context) ([]keys.Key, error)
	Set(ctx context.Context, set keys.Setting) (keys.Key, error)
	Remove(ctx context.Context, client uuid.UUID) error
	Share(ctx context.Context, client uuid.UUID, allowed bool) error
}

// clientKey is what is sent of a key. Without one it says only whether the shared key may be used.
type clientKey struct {
	Provider string  `json:"provider"`
	Key      string  `json:"key"`
	Rate     float64 `json:"rate"`
	Shared   bool    `json:"shared"`
}

// seesAll refuses callers who do not see all zones.
func (r *request) seesAll() error {
	zones, err := r.zonesFor()
	if err == nil && zones != nil {
		err = &auth.RefusedError{Reason: auth.ReasonScope}
	}
	return err
}

// clientKeys responds with what may be told of the keys of clients, to who sees all zones.
func (s *Server) clientKeys(w http.ResponseWriter, r *request) error {
	if err := r.seesAll(); err != nil {
		return err
	}
	list, err := s.parts.Keys.List(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": answers.ClientKeysOf(list)})
}

// setClientKey sets the key of a client, or, without one in the body, whether the shared key may
// be used.
func (s *Server) setClientKey(w http.ResponseWriter, r *request) error {
	client, err := pathID(r.PathValue("client"))
	if err != nil {
		return err
	}
	var sent clientKey
	if err := readJSON(r.body, &sent); err != nil {
		return err
	}
	if err := r.seesAll(); err != nil {
		return err
	}
	if sent.Key == "" && sent.Provider == "" && sent.Rate == 0 {
		if err := s.parts.Keys.Share(r.Context(), client, sent.Shared); err != nil {
			return keyFailure(err)
		}
		return s.did(w, r, "use of the shared key for a client changed", client.String())
	}
	if !slices.Contains(twitter.Providers(), sent.Provider) {
		return badRequest("provider is not one of %s", strings.Join(twitter.Providers(), ", "))
	}
	set := keys.Setting{Client: client, Provider: sent.Provider, Key: sent.Key, Rate: sent.Rate, Shared: sent.Shared, By: r.caller.Name}
	if err := set.Check(); err != nil {
		return badRequest("%s", err)
	}
	if _, err := s.parts.Keys.Set(r.Context(), set); err != nil {
		return keyFailure(err)
	}
	return s.did(w, r, "key of a client set", client.String())
}

// removeClientKey deletes the key of a client.
func (s *Server) removeClientKey(w http.ResponseWriter, r *request) error {
	client, err := pathID(r.PathValue("client"))
	if err != nil {
		return err
	}
	if err := r.seesAll(); err != nil {
		return err
	}
	if err := s.parts.Keys.Remove(r.Context(), client); err != nil {
		return keyFailure(err)
	}
	return s.did(w, r, "key of a client removed", client.String())
}

// keyFailure gives errors of keys a status.
func keyFailure(err error) error {
	switch {
	case errors.Is(err, keys.ErrClientNotFound), errors.Is(err, keys.ErrNoKey):
		return &failure{status: http.StatusNotFound, code: "not_found", message: err.Error()}
	case errors.Is(err, keys.ErrNoSecret):
		return &failure{status: http.StatusConflict, code: "no_secret", message: err.Error()}
	}
	return err
}
