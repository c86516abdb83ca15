package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// processFaults are processes that are killed.
func processFaults() family {
	killed := func(part string, of func(p *planner) int, most float64) faultKind {
		return faultKind{kind: kill, begin: killed, draw: func(p *planner) event {
			return event{target: p.one(part, of(p)), length: p.seconds(0.1, most)}
		}}
	}
	worker := killed(partWorker, func(p *planner) int { return p.Workers }, 3)
	return family{least: 1, most: 5, faults: []faultKind{
		worker, worker, worker,
		killed(partDispatch, func(p *planner) int { return p.Dispatchers }, 3),
		killed(partNATS, func(p *planner) int { return p.Nodes }, 4),
		{kind: budget, begin: budgeted, draw: func(p *planner) event {
			// Longer than it takes until what killed workers had in hand is delivered again.
			return event{target: partEngine, number: max(4*idsPerCall, p.Tweets/50), length: max(p.seconds(8, 12), p.steady(0.1, 0.2))}
		}},
	}}
}

// freezes are workers that stand still past their lease.
func freezes() family {
	return family{least: 2, most: 10, faults: []faultKind{{kind: freeze, begin: frozen, draw: func(p *planner) event {
		return event{target: p.one(partWorker, p.Workers), length: lease + p.seconds(1, 2)}
	}}}}
}

func killed(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	p := w.find(e.target)
	if p.Frozen() {
		return nil, errors.New("it is frozen until it is resumed")
	}
	return w.begun(e, func() error { p.Kill(); return nil }, func() error {
		err := p.Start()
		w.awaitNode(ctx, e.target)
		return err
	})
}

func frozen(_ context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	thaw, err := w.find(e.target).Freeze()
	if err != nil {
		return nil, err
	}
	end := w.events.begin(*e)
	return func() error {
		thaw()
		end()
		return nil
	}, nil
}

// budgetWindow is a time in which look-ups had a budget: those of the schedule one, and those
// of refreshes one.
type budgetWindow struct {
	from, to  time.Time
	scheduled int // tweets that the schedule's was good for
	refreshes int // and that of refreshes
}

// refreshLimit is how many tweets a budget of refreshes is good for: a few seconds' refreshes.
const refreshLimit = 10

// budgeted ends all processes, and starts them with budgets that buy some tweets more than
// were paid for today. After its time they have none, again. Refreshes are asked for while
// there is a web server to ask.
func budgeted(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	end := func() {
		for _, p := range w.processes {
			p.Kill() // so that nothing is under way when the books are read
		}
	}
	restart := func(env ...string) error {
		var failed []error
		for _, p := range w.processes {
			p.With(env...)
			failed = append(failed, p.Start())
		}
		return errors.Join(failed...)
	}
	var window budgetWindow
	begin := func() error {
		defer w.refresher.hold(ctx)()
		end()
		before, err := w.booked(ctx)
		if err != nil {
			return errors.Join(err, restart())
		}
		// What is claimed and given back is the schedule's to spend.
		window = budgetWindow{from: time.Now(), scheduled: e.number + before.claimed, refreshes: refreshLimit}
		return restart(
			fmt.Sprintf("GORGONE_BUDGET_DAY=%.8f", (before.scheduled+float64(window.scheduled))*w.billing().Dollars),
			fmt.Sprintf("GORGONE_REFRESH_BUDGET_DAY=%.8f", (before.refreshes+float64(window.refreshes))*w.billing().Dollars),
		)
	}
	return w.begun(e, begin, func() error {
		defer w.refresher.hold(ctx)()
		end()
		window.to = time.Now()
		if w.sameDay(window.from) {
			w.addBudget(window)
		}
		return restart()
	})
}

func (w *world) addBudget(b budgetWindow) {
	w.budgetsMu.Lock()
	defer w.budgetsMu.Unlock()
	w.budgets = append(w.budgets, b)
}

// books are what the database says was spent today, in tweets, and may have been in calls
// whose answers were lost.
type books struct {
	scheduled float64 // by the schedule
	refreshes float64 // by refreshes
	claimed   int     // by the schedule, and not answered yet
}

func (w *world) booked(ctx context.Context) (b books, err error) {
	const sql = `
		select coalesce(sum(tweets) filter (where not refresh), 0), coalesce(sum(tweets) filter (where refresh), 0),
			(select coalesce(sum(tweets), 0) from gorgone.batches where done_at is null)
		from (
			select day, refresh, tweets from gorgone.ledger
			union all
			select (at at time zone 'UTC')::date, refresh, tweets from gorgone.spending
			union all
			select (at at time zone 'UTC')::date, refresh, tweets from gorgone.set_aside
		) l
		where day = $1::date`
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	for {
		err = w.sql.QueryRow(ctx, sql, w.engine(time.Now()).Format(time.DateOnly)).Scan(&b.scheduled, &b.refreshes, &b.claimed)
		if err == nil {
			return b, nil
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return b, fmt.Errorf("read what was spent: %w", err)
		}
	}
}

// sameDay reports whether it is the engine's day of some time ago still: a budget is for
// a day.
func (w *world) sameDay(before time.Time) bool {
	return w.engine(before).Format(time.DateOnly) == w.engine(time.Now()).Format(time.DateOnly)
}
