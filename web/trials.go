package web

import (
	"net/http"

	"gorgone/store/trial"
)

// listedTrial is the latest trial of a zone.
type listedTrial struct {
	trial.Trial

	Running bool `json:"running"`
}

// trials responds with the trials of the adaptive schedule, the last one begun first.
func (s *Server) trials(w http.ResponseWriter, r *request) error {
	zones, err := r.zonesFor()
	if err != nil {
		return err
	}
	found, err := s.parts.Trials.List(r.Context(), zones)
	if err != nil {
		return err
	}
	now := s.parts.Clock.Now()
	list := make([]listedTrial, len(found))
	for i, t := range found {
		list[i] = listedTrial{t, t.Running(now)}
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool          `json:"success"`
		Data    []listedTrial `json:"data"`
	}{true, list})
}
