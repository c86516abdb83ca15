package month

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/sourcegraph/conc"
)

// samplesADay are taken; the median of a day's is judged.
const samplesADay = 4

// play lets the days pass, and takes samples.
func (r *run) play(ctx context.Context) error {
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var beside conc.WaitGroup
	defer beside.Wait()
	defer fail(nil)
	beside.Go(func() {
		r.db.Clock.Run(running, func(err error) { r.Log.Warn().Err(err).Msg("reading the clock failed") })
	})
	beside.Go(func() {
		r.collector.Run(running, func(err error) { r.Log.Error().Err(err).Msg("collecting tweets failed") })
	})
	beside.Go(func() { r.traffic.ask(running) })
	beside.Go(func() {
		if err := r.traffic.delete(running); err != nil {
			fail(err)
		}
	})
	for _, role := range r.roles {
		beside.Go(func() {
			select {
			case <-role.Ended():
				fail(fmt.Errorf("the %s ended by itself:\n%s", role.Name, r.lastErrors(5)))
			case <-running.Done():
			}
		})
	}
	if err := r.sample(running); err != nil {
		return errors.Join(context.Cause(running), err)
	}
	return nil
}

// sample takes samples until the days are over.
func (r *run) sample(ctx context.Context) (err error) {
	r.statements = make(statements)
	began, end := time.Now(), r.begin.Add(time.Duration(r.Days)*day)
	tick := time.NewTicker(r.real(day / samplesADay))
	defer tick.Stop()
	last, today := counters{}, r.begin
	for r.db.Clock.Now().Before(end) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		s, err := r.take(ctx, began, &last)
		if err != nil {
			return err
		}
		r.samples = append(r.samples, s)
		if s.at.Sub(today) < day {
			continue
		}
		// The first days are not like the others.
		if err := r.readStatements(ctx, today.Sub(r.begin) >= lifetime); err != nil {
			return err
		}
		today = today.Add(s.at.Sub(today).Truncate(day))
		r.Log.Info().Time("at", s.at).Int("of_days", r.Days).Int("day", int(s.at.Sub(r.begin)/day)).
			Float64("lookups_per_s", s.values[measure{"database", lookedUp}]).Float64("waiting", s.values[measure{"database", overdue}]).
			Float64("database_mib", s.values[measure{"database", writtenMiB}]).Msg("a day is over")
	}
	return nil
}

// measures lists what was sampled, in order.
func (r *run) measures() []measure {
	seen := make(map[measure]bool)
	for _, s := range r.samples {
		for m := range s.values {
			seen[m] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b measure) int {
		if a.part != b.part {
			return slices.Compare([]string{a.part}, []string{b.part})
		}
		return slices.Compare([]string{a.what}, []string{b.what})
	})
}

// writeSamples writes all samples as a table of comma separated values.
func (r *run) writeSamples() (err error) {
	if r.Samples == "" {
		return nil
	}
	f, err := os.Create(r.Samples)
	if err != nil {
		return fmt.Errorf("write the samples: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := csv.NewWriter(f)
	measures := r.measures()
	head := []string{"engine time", "real seconds"}
	for _, m := range measures {
		head = append(head, m.part+": "+m.what)
	}
	_ = w.Write(head) // Error tells below
	for _, s := range r.samples {
		row := []string{s.at.Format(time.RFC3339), strconv.FormatFloat(s.elapsed.Seconds(), 'f', 1, 64)}
		for _, m := range measures {
			cell := ""
			if v, ok := s.values[m]; ok {
				cell = strconv.FormatFloat(v, 'g', 6, 64)
			}
			row = append(row, cell)
		}
		_ = w.Write(row)
	}
	w.Flush()
	return w.Error()
}
