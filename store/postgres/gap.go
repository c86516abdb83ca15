package postgres

import (
	"encoding/json"

	"gorgone/engagement"
)

// GapText is a gap as the tracking table has it; nil for none.
func GapText(g engagement.Gap) *string {
	if g == (engagement.Gap{}) {
		return nil
	}
	text, err := json.Marshal(g)
	if err != nil {
		return nil // times that no clock of ours shows: velocities do without
	}
	return new(string(text))
}
