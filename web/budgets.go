package web

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"gorgone/store/budget"
	"gorgone/web/answers"
	"gorgone/web/auth"
)

// budgets responds with the zones that have caps or a weight and that the caller may see,
// and to who sees all zones with the clients that have some.
func (s *Server) budgets(w http.ResponseWriter, r *request) error {
	zones, err := r.zonesFor()
	if err != nil {
		return err
	}
	states, err := s.parts.Ledger.Tenants(r.Context())
	if err != nil {
		return err
	}
	list := make([]answers.Tenant, 0, len(states))
	for _, t := range states {
		if zones == nil || t.Kind == "zone" && slices.Contains(zones, t.ID) {
			list = append(list, answers.TenantOf(t))
		}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": list})
}

// sentCaps reads the path's id and the body.
func (r *request) sentCaps(name string) (id uuid.UUID, caps budget.Caps, err error) {
	if id, err = pathID(r.PathValue(name)); err != nil {
		return id, caps, err
	}
	if err := readJSON(r.body, &caps); err != nil {
		return id, caps, err
	}
	if err := caps.Check(); err != nil {
		return id, caps, badRequest("%s", err)
	}
	return id, caps, nil
}

// setZoneBudget replaces the caps and the weight of a zone.
func (s *Server) setZoneBudget(w http.ResponseWriter, r *request) error {
	zone, caps, err := r.sentCaps("zone")
	if err != nil {
		return err
	}
	if err := r.mayOperate(zone); err != nil {
		return err
	}
	if err := s.parts.Settings.SetZoneBudget(r.Context(), zone, caps); err != nil {
		return err
	}
	return s.did(w, r, "budget of a zone changed", zone.String())
}

// setClientBudget replaces the caps and the weight of a client, for who sees all zones.
func (s *Server) setClientBudget(w http.ResponseWriter, r *request) error {
	client, caps, err := r.sentCaps("client")
	if err != nil {
		return err
	}
	zones, err := r.zonesFor()
	if err != nil {
		return err
	}
	if zones != nil {
		return &auth.RefusedError{Reason: auth.ReasonScope}
	}
	if err := s.parts.Settings.SetClientBudget(r.Context(), client, caps, r.caller.Name); err != nil {
		return err
	}
	return s.did(w, r, "budget of a client changed", client.String())
}
