package web

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/web/auth"
)

// session is what a page needs to know of whoever looks at it.
type session struct {
	Kind   auth.Kind     `json:"kind"`
	Name   string        `json:"name"`
	Zones  []sessionZone `json:"zones"` // that may be read
	May    sessionMay    `json:"may"`
	Clock  sessionClock  `json:"clock"`
	Server string        `json:"version"`
}

type sessionZone struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}

// sessionMay says what to offer. The routes themselves decide.
type sessionMay struct {
	Refresh bool `json:"refresh"` // in one zone at least
	Operate bool `json:"operate"`
}

// sessionClock lets a page show times of a demonstration, whose clock runs faster.
type sessionClock struct {
	Now   time.Time `json:"now"`   // engine time, which rows are written in
	Speed float64   `json:"speed"` // engine seconds a second
}

func (s *Server) clock() sessionClock {
	speed := float64(s.parts.Clock.Engine(time.Hour)) / float64(time.Hour)
	return sessionClock{s.parts.Clock.Now(), speed}
}

// whoAmI answers who the caller is, and what to show.
func (s *Server) whoAmI(w http.ResponseWriter, r *request) error {
	zones, all, err := r.zones(r.Context())
	if err != nil {
		return err
	}
	if all {
		if zones, err = s.activeZones(r); err != nil {
			return err
		}
	}
	me := session{Kind: r.caller.Kind, Name: r.caller.Name, Zones: make([]sessionZone, len(zones)), Clock: s.clock(), Server: s.config.Version}
	for i, z := range zones {
		me.Zones[i] = sessionZone{z.ID, z.Name}
	}
	if me.May.Refresh, err = r.maySomewhere(auth.ScopeRefresh); err != nil {
		return err
	}
	if me.May.Operate, err = r.maySomewhere(auth.ScopeOperate); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool    `json:"success"`
		Data    session `json:"data"`
	}{true, me})
}

func (s *Server) activeZones(r *request) (active []store.Zone, err error) {
	zones, err := s.parts.Tracker.Zones(r.Context())
	for _, z := range zones {
		if z.Active {
			active = append(active, z)
		}
	}
	return active, err
}

// maySomewhere reports whether the caller may do something in one zone at least.
func (r *request) maySomewhere(scope auth.Scope) (bool, error) {
	zones, all, err := r.server.parts.Access.Zones(r.Context(), r.caller, scope)
	if reason, _ := auth.Refused(err); reason == auth.ReasonScope {
		return false, nil
	}
	return all || len(zones) > 0, err
}

// enter exchanges a code of the local login for a session.
func (s *Server) enter(w http.ResponseWriter, r *request) error {
	asked := struct {
		Code string `json:"code"`
	}{}
	if s.parts.Local == nil {
		return &auth.RefusedError{Reason: auth.ReasonNone}
	}
	if err := readJSON(r.body, &asked); err != nil {
		return err
	}
	cookie, err := s.parts.Local.Enter(r.Request, asked.Code)
	if err != nil {
		return err
	}
	http.SetCookie(w, cookie)
	return writeJSON(w, http.StatusOK, map[string]bool{"success": true})
}

// leave ends a session of the local login; others have none to end here.
func (s *Server) leave(w http.ResponseWriter, r *request) error {
	if s.parts.Local != nil && r.caller.Kind == auth.KindLocal {
		http.SetCookie(w, s.parts.Local.Leave(r.Request))
	}
	return writeJSON(w, http.StatusOK, map[string]bool{"success": true})
}

// invite makes a code of the local login, for whoever has a token that may do
// everything a session may.
func (s *Server) invite(w http.ResponseWriter, r *request) error {
	if s.parts.Local == nil {
		return &failure{status: http.StatusConflict, code: "no_local_login", message: "this server has no local login: it is not gorgone up, or others can reach it"}
	}
	for _, scope := range auth.Scopes() {
		if !r.caller.Can(scope) {
			return &auth.RefusedError{Reason: auth.ReasonScope}
		}
	}
	code, err := s.parts.Local.Code()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "code": code})
}
