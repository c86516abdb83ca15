package alert

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store/population"
)

// TestHeldDeletionsAreToldOfOnce: one alert for each rule, until deletions are free again.
func TestHeldDeletionsAreToldOfOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rules := []Rule{{ID: uuid.New()}, {ID: uuid.New(), Zone: uuid.New()}}
	for i := range rules {
		rules[i].Kind = engagement.AlertHeld
		if err := rules[i].Validate(); err != nil {
			t.Fatal(err)
		}
	}
	free := population.State{Population: engagement.Population{Live: 100, Missing: 1}, At: at}
	held := population.State{Population: engagement.Population{Live: 100, Missing: 30}, HeldSince: at, At: at}
	states := make(lastAlerts)
	if moves := decideHeld(rules, states, free); len(moves.raised)+len(moves.cleared) != 0 {
		t.Errorf("not held: %+v", moves)
	}
	moves := decideHeld(rules, states, held)
	if len(moves.raised) != 2 || moves.raised[1].Zone != rules[1].Zone || moves.raised[0].Value != 30 || moves.raised[0].Message == "" {
		t.Fatalf("held: %+v", moves)
	}
	for i := range rules {
		states[stateKey{rules[i].Zone, rules[i].ID}] = lastAlert{AlertState: engagement.AlertState{Active: true, RaisedAt: at}, id: uuid.New()}
	}
	if moves := decideHeld(rules, states, held); len(moves.raised)+len(moves.cleared) != 0 {
		t.Errorf("still held: %+v", moves)
	}
	for _, left := range [][]Rule{rules, nil} {
		if moves := decideHeld(left, states, free); len(moves.raised) != 0 || len(moves.cleared) != 2 {
			t.Errorf("over: %+v", moves)
		}
	}
}
