package dispatcher

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/budget"
)

const (
	// costInterval is the real time between two rounds of cost control; a sped-up clock
	// shortens it.
	costInterval = time.Minute

	// ledgerDetail is how long, in engine time, the ledger keeps single entries before it
	// sums them up.
	ledgerDetail = 10 * time.Minute
)

// Ledger records what look-ups cost, and plans by it.
type Ledger interface {
	CloseLedger(ctx context.Context, before time.Time) (int, error)
	AdjustPrice(ctx context.Context) error
	FitModels(ctx context.Context) (int, error)
	Spending(ctx context.Context) (store.Spending, error)
	Tenants(ctx context.Context) ([]budget.State, error)
}

// Trials are trials of the adaptive schedule, which go by what both halves cost.
type Trials interface {
	Follow(ctx context.Context) error
}

// BudgetAlerts raises alerts when budgets run out.
type BudgetAlerts interface {
	CheckBudgets(ctx context.Context, spent store.Spending, tenants []budget.State) error
}

// ControlCosts runs the cost loop until ctx ends: it sums up the ledger, adjusts the price
// of a look-up so that spending meets the budget, fits the models of how tweets grow,
// follows the trials, and warns and alerts when a budget runs out. Any number of processes may run it at once. Errors are
// logged, and the next round tries again. Every round passes what was spent to onSpent.
func ControlCosts(ctx context.Context, ledger Ledger, trials Trials, alerts BudgetAlerts, clock Clock, log zerolog.Logger, onSpent func(store.Spending)) {
	every := max(min(costInterval, clock.Real(ledgerDetail)), minTick)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var warned warnings
	for {
		if clock.Agrees() == nil {
			controlCostsOnce(ctx, ledger, trials, alerts, clock.Now(), &warned, log, onSpent)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// controlCostsOnce does one round. A step that fails does not stop the others.
func controlCostsOnce(ctx context.Context, ledger Ledger, trials Trials, alerts BudgetAlerts, now time.Time, warned *warnings, log zerolog.Logger, onSpent func(store.Spending)) {
	failed := failures(ctx, log)
	_, err := ledger.CloseLedger(ctx, now.Add(-ledgerDetail))
	failed(err, "summing up the ledger failed")
	failed(ledger.AdjustPrice(ctx), "adjusting the price of a look-up failed")
	if n, err := ledger.FitModels(ctx); !failed(err, "fitting the growth models failed") && n > 0 {
		log.Info().Int("models", n).Msg("fitted the growth models")
	}
	failed(trials.Follow(ctx), "following the trials failed")
	spent, err := ledger.Spending(ctx)
	if failed(err, "reading what was spent failed") {
		return
	}
	onSpent(spent)
	warned.about(spent, log)
	tenants, err := ledger.Tenants(ctx)
	if failed(err, "reading the caps of zones failed") {
		return
	}
	for _, t := range tenants {
		if t.Fault != "" {
			log.Warn().Str(t.Kind, t.ID.String()).Str("fault", t.Fault).Msg("a budget cannot be read and counts for nothing")
		}
	}
	failed(alerts.CheckBudgets(ctx, spent, tenants), "alerting of budgets failed")
}

// warnings remembers the last warnings, so that each is logged once.
type warnings struct {
	background, refreshes int // tenths of the budget
}

// about warns when 80, 90 or 100% of a budget are spent.
func (w *warnings) about(s store.Spending, log zerolog.Logger) {
	warn := func(last *int, used float64, message string) {
		level := 0
		if used >= engagement.LowBudget {
			level = min(int(used*10+1e-9), 10)
		}
		if level > *last {
			log.Warn().Float64("used_percent", used*100).Float64("today_dollars", s.Today+s.RefreshToday).
				Float64("month_dollars", s.Month+s.RefreshMonth).Msg(message)
		}
		*last = level
	}
	warn(&w.background, s.Used(), "the budget of scheduled look-ups runs out")
	warn(&w.refreshes, s.UsedRefreshes(), "the budget of refreshes runs out")
}
