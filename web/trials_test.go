package web_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/testkit"
	"gorgone/store/history"
	"gorgone/store/trial"
)

// reported is a report as one that runs has it.
const reported = `{"posted": {"tiers": 50, "adaptive": 51}, "complete": {"tiers": 40, "adaptive": 41},
	"tiers": {"tweets": 40, "lookups": {"value": 20, "low": 19, "high": 21}, "delay_minutes_48h": {"value": 300, "low": 250, "high": 350}},
	"adaptive": {"tweets": 41, "lookups": {"value": 20, "low": 18, "high": 22}, "delay_minutes_48h": {"value": 30, "low": 25, "high": 36}},
	"adaptive_over_tiers": {"lookups": {"value": 1, "low": 0.9, "high": 1.1}, "delay_minutes_48h": {"value": 0.1, "low": 0.08, "high": 0.13}}}`

// beginTrial starts a trial in the zone, with a report.
func beginTrial(t *testing.T, e *engine) trial.Trial {
	t.Helper()
	trials := trial.New(e.db, e.clock, history.New(e.db, e.clock), trial.Options{})
	begun, err := trials.Start(t.Context(), trial.Start{Zone: e.zone, By: "ada"})
	testkit.Must(t, err)
	e.exec(`update gorgone.trials set report = '` + reported + `', reported_at = starts_at + interval '2 days 1 hour'`)
	return begun
}

// TestTrials: those of the zones that a caller may see.
func TestTrials(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	begun := beginTrial(t, e)
	type estimate struct{ Value, Low, High float64 }
	type list struct {
		Data []struct {
			ZoneID   uuid.UUID `json:"zone_id"`
			By       string    `json:"started_by"`
			StartsAt time.Time `json:"starts_at"`
			Running  bool
			Report   *struct {
				Posted, Complete struct{ Tiers, Adaptive int }
				Over             map[string]*estimate `json:"adaptive_over_tiers"`
			}
		}
	}
	_, own := e.user("manager", true)
	_, stranger := e.user("operator", false)
	const path = "/api/twitter/schedule/trials"
	for _, token := range []string{own, e.service} {
		for _, query := range []string{"", "?zone=" + e.zone.String()} {
			var got list
			e.ok(200, "GET", path+query, token, "").into(t, &got)
			if len(got.Data) != 1 {
				t.Fatalf("%d trials, want 1", len(got.Data))
			}
			x := got.Data[0]
			if x.ZoneID != e.zone || x.By != "ada" || !x.Running || !x.StartsAt.Equal(begun.StartsAt) || x.Report == nil {
				t.Fatalf("%+v", x)
			}
			if r := x.Report; r.Posted.Adaptive != 51 || r.Complete.Tiers != 40 || r.Over["delay_minutes_48h"].High != 0.13 || r.Over["staleness_12h"] != nil {
				t.Errorf("report %+v", r)
			}
		}
	}
	var none list
	e.ok(200, "GET", path, stranger, "").into(t, &none)
	if len(none.Data) != 0 {
		t.Errorf("a stranger sees %d trials", len(none.Data))
	}
	e.ok(404, "GET", path+"?zone="+e.zone.String(), stranger, "")
	e.ok(400, "GET", path+"?zone=x", own, "")
}
