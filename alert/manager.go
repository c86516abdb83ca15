package alert

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// Manager keeps alert rules, alerts, webhooks and the deliveries to these. It
// watches the transactions of a [Store] that has it as its watcher, and raises and
// clears alerts in them. It is safe for concurrent use.
type Manager struct {
	db     *postgres.DB
	clock  store.Clock
	loaded atomic.Pointer[[]Rule] // as they were read last
}

var _ store.Watcher = (*Manager)(nil)

// NewManager returns a manager of the alerts in a database.
func NewManager(db *postgres.DB, clock store.Clock) *Manager {
	m := &Manager{db: db, clock: clock}
	m.loaded.Store(&[]Rule{})
	return m
}

// Load reads the rules. It implements [Watcher].
func (m *Manager) Load(ctx context.Context) error {
	rules, err := m.Rules(ctx)
	if err != nil {
		return fmt.Errorf("load what to watch for: %w", err)
	}
	// The others are not about what became of a tweet.
	rules = slices.DeleteFunc(rules, func(r Rule) bool {
		return r.Disabled || r.Kind == engagement.AlertHeld || r.Kind == engagement.AlertBudget
	})
	m.loaded.Store(&rules)
	return nil
}

// Watch follows a transaction by the rules as they are known. It implements
// [Watcher].
func (m *Manager) Watch() store.Watch {
	return &watch{rules: *m.loaded.Load(), states: make(lastAlerts)}
}
