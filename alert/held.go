package alert

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store/population"
	"gorgone/store/postgres"
)

// CheckHeld raises an alert for each rule on held deletions while they are, and clears
// it when they are not. It is about the rule's zone, or about all zones, since the
// provider's faults know no zones. Any number of processes may do so at once.
func (m *Manager) CheckHeld(ctx context.Context, p population.State) error {
	return m.check(ctx, engagement.AlertHeld, "check for held deletions", func(rules []Rule, states lastAlerts, now time.Time) changes {
		moves := decideHeld(rules, states, p)
		for i := range moves.raised {
			moves.raised[i].RaisedAt = now
		}
		return moves
	})
}

// check raises and clears the alerts of the rules of a kind that is about no tweet, as
// decide says by the last alerts of that kind.
func (m *Manager) check(ctx context.Context, kind engagement.AlertKind, doing string, decide func([]Rule, lastAlerts, time.Time) changes) error {
	const last = `select ` + alertColumns + ` from gorgone.alerts a where a.kind = $1::text` + alertOrder
	rules, err := m.enabled(ctx, kind)
	if err != nil {
		return err
	}
	return m.db.Transact(ctx, doing, func(ctx context.Context, t *postgres.Tx) error {
		now := m.clock.Now()
		states := make(lastAlerts)
		b := t.Group()
		b.Queue(last, string(kind)).Query(states.scan)
		if err := t.Send(ctx, b); err != nil {
			return fmt.Errorf("read the last alerts: %w", err)
		}
		b = t.Group()
		moves := decide(rules, states, now)
		moves.queue(b, now)
		if b.Len() == 0 {
			return nil
		}
		return t.Send(ctx, b)
	})
}

func decideHeld(rules []Rule, states lastAlerts, p population.State) changes {
	var moves changes
	known := make(map[uuid.UUID]bool)
	for i := range rules {
		rule := &rules[i]
		known[rule.ID] = true
		state := states[stateKey{rule.Zone, rule.ID}]
		reading := engagement.AlertReading{Value: p.Share() * 100, Over: p.Held(), Clear: !p.Held()}
		switch _, move := rule.Step(state.AlertState, reading, p.At); move {
		case engagement.AlertRaised:
			moves.raised = append(moves.raised, Alert{
				RuleID: rule.ID, Rule: rule.Name, Kind: rule.Kind, Zone: rule.Zone, Value: reading.Value,
				Message: fmt.Sprintf("Deletions are held: %d of %d tweets are missing, and %d were lately called deleted. "+
					"The provider may be leaving out tweets that exist", p.Missing, p.Live, p.Gone),
			})
		case engagement.AlertCleared:
			moves.cleared = append(moves.cleared, state.id)
		case engagement.AlertUnchanged:
		}
	}
	for key, state := range states {
		if state.Active && !known[key.rule] {
			moves.cleared = append(moves.cleared, state.id)
		}
	}
	return moves
}
