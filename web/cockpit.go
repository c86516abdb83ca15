package web

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"gorgone/store/pause"
	"gorgone/web/answers"
	"gorgone/web/auth"
	"gorgone/web/forms"
)

// setPause pauses look-ups of a lane everywhere.
func (s *Server) setPause(w http.ResponseWriter, r *request) error {
	var sent forms.Pause
	if err := readJSON(r.body, &sent); err != nil {
		return err
	}
	p, err := sent.Parse(r.caller.Name, s.parts.Clock.Now())
	if err != nil {
		return badRequest("%s", err)
	}
	if err := s.parts.Pauses.Set(r.Context(), p); err != nil {
		return err
	}
	return s.did(w, r, "paused", string(p.Lane))
}

// resume ends the pause of a lane.
func (s *Server) resume(w http.ResponseWriter, r *request) error {
	var sent struct {
		Lane pause.Lane `json:"lane"`
	}
	if err := readJSON(r.body, &sent); err != nil {
		return err
	}
	if err := forms.CheckLane(sent.Lane); err != nil {
		return badRequest("%s", err)
	}
	if _, err := s.parts.Pauses.Resume(r.Context(), sent.Lane); err != nil {
		return err
	}
	return s.did(w, r, "resumed", string(sent.Lane))
}

// letterResult is what became of one of several dead letters.
type letterResult struct {
	Seq   uint64 `json:"seq"`
	Error string `json:"error"` // "": it was done
}

// eachLetter does something to the dead letters that the body names, and goes on after one
// that fails.
func (s *Server) eachLetter(w http.ResponseWriter, r *request, what string, do func(seq uint64) error) error {
	var sent forms.Letters
	if err := readJSON(r.body, &sent); err != nil {
		return err
	}
	if err := sent.Check(); err != nil {
		return badRequest("%s", err)
	}
	if err := extendDeadlines(w, time.Minute); err != nil {
		return err
	}
	results := make([]letterResult, len(sent.Seqs))
	for i, seq := range sent.Seqs {
		results[i].Seq = seq
		if err := do(seq); err != nil {
			results[i].Error = failureOf(err).message
		}
	}
	s.log.Info().Str("caller", r.caller.Name).Int("letters", len(results)).Msg("dead letters " + what)
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "data": results})
}

func (s *Server) retryDeadLetters(w http.ResponseWriter, r *request) error {
	return s.eachLetter(w, r, "retried", func(seq uint64) error {
		d, err := s.parts.Queue.DeadLetter(r.Context(), seq)
		if err == nil {
			_, err = s.parts.Retrier.Retry(r.Context(), d, s.refreshCaller(r))
		}
		return s.letterFailure(err)
	})
}

func (s *Server) dropDeadLetters(w http.ResponseWriter, r *request) error {
	return s.eachLetter(w, r, "dropped", func(seq uint64) error {
		_, err := s.parts.Queue.DeadLetter(r.Context(), seq)
		if err == nil {
			err = s.parts.Queue.DeleteDeadLetter(r.Context(), seq)
		}
		return s.letterFailure(err)
	})
}

// zoneStates responds with the zones that the caller may see.
func (s *Server) zoneStates(w http.ResponseWriter, r *request) error {
	zones, err := r.zonesFor()
	if err != nil {
		return err
	}
	operates, err := r.mayInSomeZone(auth.ScopeOperate)
	if err != nil {
		return err
	}
	found, err := s.parts.Reports.ZoneStates(r.Context(), zones)
	if err != nil {
		return err
	}
	today, month, err := s.zoneCosts(r.Context(), operates)
	if err != nil {
		return err
	}
	now := s.parts.Clock.Now()
	list := make([]forms.ZoneState, len(found))
	for i, z := range found {
		list[i] = forms.ZoneStateOf(z, now)
		if operates {
			day, all := answers.Rounded(today[z.ID]), answers.Rounded(month[z.ID])
			list[i].CostToday, list[i].CostMonth = &day, &all
		}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"success": true, "clock": s.clock(), "data": list})
}

func (s *Server) zoneCosts(ctx context.Context, operates bool) (today, month map[uuid.UUID]float64, err error) {
	if !operates {
		return nil, nil, nil
	}
	now := s.parts.Clock.Now().UTC()
	day := now.Truncate(24 * time.Hour)
	list, err := s.parts.Ledger.Expenses(ctx, day.AddDate(0, 0, 1-day.Day()), now)
	today, month = make(map[uuid.UUID]float64), make(map[uuid.UUID]float64)
	for _, e := range list {
		month[e.Zone] += e.Dollars
		if e.Day.Equal(day) {
			today[e.Zone] += e.Dollars
		}
	}
	return today, month, err
}

// changeZone replaces what a zone's settings say of its schedule.
func (s *Server) changeZone(w http.ResponseWriter, r *request) error {
	zone, err := pathID(r.PathValue("zone"))
	if err != nil {
		return err
	}
	if err := r.mayOperate(zone); err != nil {
		return err
	}
	var sent forms.ZoneSettings
	if err := readJSON(r.body, &sent); err != nil {
		return err
	}
	keys, err := sent.Parse()
	if err != nil {
		return badRequest("%s", err)
	}
	if err := s.parts.Settings.SetZone(r.Context(), zone, keys); err != nil {
		return err
	}
	return s.did(w, r, "zone changed", zone.String())
}
