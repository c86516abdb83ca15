package drill

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// databaseFaults are what Postgres can do wrong.
func databaseFaults() family {
	lasts := func(least, most float64) func(p *planner) event {
		return func(p *planner) event { return event{target: partPostgres, length: p.seconds(least, most)} }
	}
	return family{least: 2, most: 6, faults: []faultKind{
		{kind: crash, draw: lasts(0.1, 3), begin: crashed},
		{kind: promote, draw: lasts(0.5, 4), begin: promoted},
		{kind: promote, what: silent, draw: lasts(0.5, 4), begin: lostSilently},
		{kind: isolate, what: primary, draw: lasts(1, 5), begin: isolatedDatabase},
		{kind: isolate, what: standby, draw: lasts(1, 5), begin: isolatedDatabase},
		{kind: failover, draw: lasts(1, 5), begin: failedOver},
		{kind: readonly, draw: lasts(1, 5), begin: madeReadOnly},
		{kind: full, draw: lasts(1, 5), begin: filled},
		{kind: step, begin: stepped, draw: func(p *planner) event {
			// Long enough to be noticed: clocks are read every 5 s.
			return event{target: partPostgres, step: p.step(), length: p.seconds(6, 10)}
		}},
	}}
}

const (
	// smallStep is the most by which the database's clock is set and still believed: no more
	// than a clock stands still for to let another catch up. What is between this and an
	// hour is believed as well, and at the speed of the drill it would be days.
	smallStep = 4 * time.Second

	// leastLeap is the least by which it is set and not believed, mostLeap five weeks.
	leastLeap = 2 * time.Hour
	mostLeap  = 5 * 7 * 24 * time.Hour
)

// step draws by how much a clock is set, forwards or back: seconds, or hours to weeks.
func (p *planner) step() time.Duration {
	by := p.seconds(0.5, smallStep.Seconds())
	if p.random.IntN(3) > 0 {
		by = time.Duration(float64(leastLeap) * math.Pow(float64(mostLeap)/float64(leastLeap), p.random.Float64()))
	}
	if p.random.IntN(2) == 0 {
		by = -by
	}
	return by.Round(time.Millisecond)
}

// prepareFaults prepares a database to have no space left, and a clock that is wrong: its
// one function that tells the time, and what all writing statements call.
func (w *world) prepareFaults(ctx context.Context) error {
	const sql = `
		create schema drill;
		create table drill.state (is_full boolean not null, step interval not null);
		insert into drill.state values (false, '0');
		create function drill.refuse_when_full() returns trigger language plpgsql as $$
		begin
			if (select is_full from drill.state) then
				raise exception 'could not extend file: No space left on device' using errcode = '53100';
			end if;
			return null;
		end $$;
		do $$
		declare name regclass;
		begin
			for name in select c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace
				where n.nspname in ('public', 'gorgone') and c.relkind in ('r', 'p') and not c.relispartition
			loop
				execute format('create trigger drill before insert or update on %s for each statement execute function drill.refuse_when_full()', name);
			end loop;
		end $$;
		alter function pg_catalog.clock_timestamp() rename to machine_time;
		create function pg_catalog.clock_timestamp() returns timestamptz volatile language sql as
			$$ select pg_catalog.machine_time() + (select step from drill.state) $$`
	if _, err := w.sql.Exec(ctx, sql); err != nil {
		return fmt.Errorf("prepare the database for its faults: %w", err)
	}
	return nil
}

// commandTime is how long the database may take to do what the drill wants of it.
const commandTime = 15 * time.Second

// command has the database do something, as soon as it can.
func (w *world) command(ctx context.Context, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	for {
		_, err := w.sql.Exec(ctx, sql, args...)
		if err == nil {
			return nil
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("have the database do %q: %w", sql, err)
		}
	}
}

// commands returns a function that has the database do one thing after another.
func (w *world) commands(ctx context.Context, sql ...string) func() error {
	return func() error {
		var failed []error
		for _, s := range sql {
			failed = append(failed, w.command(ctx, s))
		}
		return errors.Join(failed...)
	}
}

func crashed(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	return w.begun(e, w.databases.crash, func() error { return w.databases.restart(ctx) })
}

// promoted loses the primary for good, and has the standby take its place after a while, as
// whatever watches the two would. Then a new standby is made in place of the old primary.
func promoted(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	replace, err := w.begun(e, w.databases.crash, func() error { return w.databases.promote(ctx) })
	if err != nil {
		return nil, err
	}
	return func() error {
		if err := replace(); err != nil {
			return err
		}
		return w.databases.follow(ctx)
	}, nil
}

// failedOver is a failover to a standby that is promoted late: connections are closed, and
// those that are opened meanwhile take no writes ever after.
func failedOver(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	return w.begun(e,
		w.commands(ctx, `alter database gorgone set default_transaction_read_only = on`,
			`select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'gorgone %' and application_name <> '`+drillName+`'`),
		w.commands(ctx, `alter database gorgone reset default_transaction_read_only`))
}

// madeReadOnly lets all connections there are take no writes, and none is closed.
func madeReadOnly(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	return w.begun(e,
		w.commands(ctx, `alter system set default_transaction_read_only = on`, `select pg_reload_conf()`),
		w.commands(ctx, `alter system reset default_transaction_read_only`, `select pg_reload_conf()`))
}

func filled(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	return w.begun(e,
		w.commands(ctx, `update drill.state set is_full = true`),
		w.commands(ctx, `update drill.state set is_full = false`))
}

// stepped sets the database's clock.
func stepped(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	return w.begun(e,
		func() error { return w.command(ctx, `update drill.state set step = $1`, e.step) },
		w.commands(ctx, `update drill.state set step = '0'`))
}
