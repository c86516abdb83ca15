package scale

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"gorgone/internal/lab/disk"
)

// readGoal is how much more the hot path may read for a tweet at the largest size.
const readGoal = 1.5

// report prints the results of all sizes.
func (o Options) report(results []*Result) error {
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(results)
	}
	o.printf("%d cores, %s, shared_buffers %s\n\n", runtime.NumCPU(), runtime.Version(), sharedBuffers)
	o.row(results, "", func(r *Result) string { return fmt.Sprintf("%s tracked", count(r.Tracked)) }, "p50, reads")
	o.printf("|---|%s\n", strings.Repeat("---|", len(results)+1))
	o.row(results, "live; due", func(r *Result) string { return count(r.Live) + "; " + count(r.Due) }, "")
	o.row(results, "points of history", func(r *Result) string { return count(r.Points) }, "")
	o.row(results, "database", func(r *Result) string { return disk.Gigabytes(r.DatabaseBytes) }, "")
	o.row(results, "built in", func(r *Result) string {
		return fmt.Sprintf("%.0f s", r.Seconds["schema"]+r.Seconds["rows"]+r.Seconds["indexes"])
	}, "")
	for _, name := range names(results) {
		o.row(results, name, func(r *Result) string {
			f, ok := r.figure(name)
			if !ok {
				return ""
			}
			return f.String()
		}, growthOf(results, name))
	}
	o.printf("\nMilliseconds: p50, p95 (p99 of claims, answers and refreshes), and the rows and index entries that one run reads, or one tweet of it.\n")
	for _, fault := range growth(results) {
		o.printf("missed: %s\n", fault)
	}
	return nil
}

func (o Options) row(results []*Result, name string, cell func(*Result) string, last string) {
	o.printf("| %s |", name)
	for _, r := range results {
		o.printf(" %s |", cell(r))
	}
	o.printf(" %s |\n", last)
}

// String is the figure in a cell of the table.
func (f Figure) String() string {
	switch {
	case f.Failed != "":
		return f.Failed
	case f.Unit != "":
		return fmt.Sprintf("%.0f %s", f.Value, f.Unit)
	case f.Runs == 1:
		return milliseconds(f.P50)
	}
	high := f.P95
	if f.Kind == Hot {
		high = f.P99
	}
	text := milliseconds(f.P50) + ", " + milliseconds(high)
	if f.Rows > 0 {
		text += "; " + count(int(f.Rows+0.5))
	}
	return text
}

// milliseconds has three digits.
func milliseconds(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.0f s", ms/1000)
	case ms >= 1000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

func count(n int) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%.0f million", float64(n)/1e6)
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f million", float64(n)/1e6)
	case n >= 10_000:
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return fmt.Sprint(n)
}

// names are those of all figures, in the order in which they were measured.
func names(results []*Result) (list []string) {
	for _, r := range results {
		for _, f := range r.Figures {
			if !slices.Contains(list, f.Name) {
				list = append(list, f.Name)
			}
		}
	}
	return list
}

// growthOf says what a figure grew by, from the smallest to the largest size: its time, and
// what it reads.
func growthOf(results []*Result, name string) string {
	if len(results) < 2 {
		return ""
	}
	a, ok := results[0].figure(name)
	b, ok2 := results[len(results)-1].figure(name)
	if !ok || !ok2 || a.Failed+b.Failed != "" {
		return ""
	}
	if a.Unit != "" {
		return times(b.Value, a.Value)
	}
	text := times(b.P50, a.P50)
	if a.Rows > 0 {
		text += ", " + times(b.Rows, a.Rows)
	}
	return text
}

func times(b, a float64) string {
	if a == 0 {
		return ""
	}
	return fmt.Sprintf("x %.1f", b/a)
}

// growth says what of the hot path, or of a page, reads more at the largest size than at the
// smallest, for each tweet, or reads a large table from end to end, and what was blocked.
func growth(results []*Result) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, r := range results {
		for _, f := range r.Figures {
			if f.Failed != "" {
				fault("at %s tracked, %s takes %s", count(r.Tracked), f.Name, f.Failed)
			}
			if f.Unit == "statements" && f.Value > 0 {
				fault("at %s tracked, %s: %.0f", count(r.Tracked), f.Name, f.Value)
			}
		}
	}
	if len(results) < 2 {
		return faults
	}
	first, last := results[0], results[len(results)-1]
	for _, f := range last.Figures {
		if f.Kind != Hot && f.Kind != Page {
			continue
		}
		if f.Whole {
			fault("%s reads a whole table at %s tracked", f.Name, count(last.Tracked))
		}
		// What a claim reads for each zone does not depend on how much it claims.
		constant := float64(4*zones) / float64(max(f.Items, 1))
		if was, ok := first.figure(f.Name); ok && f.Rows > readGoal*was.Rows+constant {
			fault("%s reads %.1f rows a run or tweet at %s tracked, and %.1f at %s", f.Name, was.Rows, count(first.Tracked), f.Rows, count(last.Tracked))
		}
	}
	return faults
}

// printf writes a result. A reader that went away is no error.
func (o Options) printf(format string, args ...any) { _, _ = fmt.Fprintf(o.Out, format, args...) }
