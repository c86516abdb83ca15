package dispatcher

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/store"
)

const (
	// economizeEvery is the real time between two rounds of bookkeeping; less when
	// a sped-up clock makes the days short.
	economizeEvery = time.Minute

	// openBooks is how long, in engine time, spending is kept by the moment.
	openBooks = 10 * time.Minute
)

// Books is what look-ups cost, and what is planned by it.
type Books interface {
	CloseBooks(ctx context.Context, before time.Time) (int, error)
	AdjustPrice(ctx context.Context) error
	FitModels(ctx context.Context) (int, error)
	Spent(ctx context.Context) (store.Spent, error)
}

// Economize keeps the books until ctx ends: it closes them, moves the price of a
// look so that spending meets the budget, learns how tweets grow, and warns when a
// budget runs out. Any number of processes may do so at once. Faults are logged
// and tried again. onSpent is told what was spent, every round.
func Economize(ctx context.Context, books Books, clock Clock, log zerolog.Logger, onSpent func(store.Spent)) {
	every := max(min(economizeEvery, clock.Real(openBooks)), minTick)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var warned warnings
	for {
		economize(ctx, books, clock.Now(), &warned, log, onSpent)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// economize does one round. What one step fails of does not stop the others.
func economize(ctx context.Context, books Books, now time.Time, warned *warnings, log zerolog.Logger, onSpent func(store.Spent)) {
	failed := failures(ctx, log)
	_, err := books.CloseBooks(ctx, now.Add(-openBooks))
	failed(err, "close the books")
	failed(books.AdjustPrice(ctx), "adjust the price of a look")
	if n, err := books.FitModels(ctx); !failed(err, "learn how tweets grow") && n > 0 {
		log.Info().Int("models", n).Msg("learnt how tweets grow")
	}
	spent, err := books.Spent(ctx)
	if failed(err, "read what was spent") {
		return
	}
	onSpent(spent)
	warned.about(spent, log)
}

// warnings remembers what was warned of, so that each is said once.
type warnings struct {
	background, refreshes int // tenths of the budget
}

// about warns when 80, 90 or 100% of a budget are used up.
func (w *warnings) about(s store.Spent, log zerolog.Logger) {
	warn := func(last *int, used float64, message string) {
		level := 0
		if used >= engagement.Sparing {
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
