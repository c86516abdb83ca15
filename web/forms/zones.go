package forms

import (
	"time"

	"github.com/google/uuid"

	"gorgone/store/report"
)

// ZoneState is a zone and how its tracking stands.
type ZoneState struct {
	ID     uuid.UUID `json:"id"`
	Name   string    `json:"name"`
	Active bool      `json:"active"`
	ZoneSettings
	Live       int      `json:"live"`
	Cold       int      `json:"cold"`
	Due        int      `json:"due"`
	Lateness   float64  `json:"lateness_seconds"`
	AgeSeconds *float64 `json:"age_seconds"` // median time since the last look-up; null: there was none
	CostToday  *float64 `json:"cost_today"`  // dollars; null: for operators only
	CostMonth  *float64 `json:"cost_month"`
}

// ZoneStateOf shows a zone as it stands at an engine time.
func ZoneStateOf(z report.ZoneState, now time.Time) ZoneState {
	state := ZoneState{ID: z.ID, Name: z.Name, Active: z.Active, Live: z.Live, Cold: z.Cold, Due: z.Due}
	state.Schedule, state.MinEngagement = z.Settings()
	if !z.OldestDue.IsZero() {
		state.Lateness = max(now.Sub(z.OldestDue), 0).Seconds()
	}
	if z.Seen > 0 {
		age := z.Age.Seconds()
		state.AgeSeconds = &age
	}
	return state
}
