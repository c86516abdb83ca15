package web

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/web/auth"
)

// session describes the caller to the dashboard.
type session struct {
	Kind   auth.Kind     `json:"kind"`
	Name   string        `json:"name"`
	Zones  []sessionZone `json:"zones"` // that the caller may read
	May    sessionMay    `json:"may"`
	Clock  sessionClock  `json:"clock"`
	Server string        `json:"version"`
}

type sessionZone struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}

// sessionMay says which actions to offer. The routes check each again.
type sessionMay struct {
	Refresh bool `json:"refresh"` // in at least one zone
	Operate bool `json:"operate"`
}

// sessionClock lets a page show the times of a demonstration, whose clock runs faster.
type sessionClock struct {
	Now   time.Time `json:"now"`   // engine time, as in all rows
	Speed float64   `json:"speed"` // engine seconds per second
}

func (s *Server) clock() sessionClock {
	speed := float64(s.parts.Clock.Engine(time.Hour)) / float64(time.Hour)
	return sessionClock{s.parts.Clock.Now(), speed}
}

// showSession responds with who the caller is and what it may do.
func (s *Server) showSession(w http.ResponseWriter, r *request) error {
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
	if me.May.Refresh, err = r.mayInSomeZone(auth.ScopeRefresh); err != nil {
		return err
	}
	if me.May.Operate, err = r.mayInSomeZone(auth.ScopeOperate); err != nil {
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

// mayInSomeZone reports whether the caller has a scope in at least one zone.
func (r *request) mayInSomeZone(scope auth.Scope) (bool, error) {
	zones, all, err := r.server.parts.Access.Zones(r.Context(), r.caller, scope)
	if reason, _ := auth.Refused(err); reason == auth.ReasonScope {
		return false, nil
	}
	return all || len(zones) > 0, err
}

// localLogin exchanges a code of the local login for a session.
func (s *Server) localLogin(w http.ResponseWriter, r *request) error {
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

// endSession ends a session of the local login; others have none to end here.
func (s *Server) endSession(w http.ResponseWriter, r *request) error {
	if s.parts.Local != nil && r.caller.Kind == auth.KindLocal {
		http.SetCookie(w, s.parts.Local.Leave(r.Request))
	}
	return writeJSON(w, http.StatusOK, map[string]bool{"success": true})
}

// newLoginCode makes a code of the local login, for a caller whose token
// may do everything that a session may.
func (s *Server) newLoginCode(w http.ResponseWriter, r *request) error {
	if s.parts.Local == nil {
		return &failure{status: http.StatusConflict, code: "no_local_login", message: "this server has no local login: it is not gorgone up, or it listens on more than this machine"}
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
