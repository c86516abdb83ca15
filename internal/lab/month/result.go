package month

import (
	"fmt"
	"slices"
	"strings"
)

// Result is what came of a run.
type Result struct {
	Days    int     `json:"days"`
	Live    int     `json:"live"` // in the median of the days that are judged
	Tweets  int     `json:"tweets"`
	Lookups int64   `json:"lookups"`
	Seconds float64 `json:"seconds"`

	Series []Series `json:"series"`
	Flips  []flip   `json:"other_plans"`
	Done   []string `json:"done"`   // what days and months have brought
	Faults []string `json:"faults"` // what grew, and what was not done
}

// Series is how a measure went, by days.
type Series struct {
	Part   string    `json:"part"`
	What   string    `json:"what"`
	Values []float64 `json:"values"` // the median of each day
	Judged bool      `json:"judged"`
	Rises  bool      `json:"rises"`
	trend
}

// judgedFrom is the first day that is judged: the first third belongs to the start.
func (o Options) judgedFrom() int { return o.Days / 3 }

// series returns the medians of each day of a measure. A day without a sample has the value
// of the day before.
func (r *run) series(m measure) []float64 {
	byDay := make([][]float64, r.Days)
	for _, s := range r.samples {
		n := int(s.at.Sub(r.begin) / day)
		if v, ok := s.values[m]; ok && n >= 0 && n < r.Days {
			byDay[n] = append(byDay[n], v)
		}
	}
	values := make([]float64, 0, r.Days)
	last := 0.0
	for _, of := range byDay {
		if len(of) > 0 {
			last = median(of)
		}
		values = append(values, last)
	}
	return values
}

// judge returns how each measure went. A table or a stream bloats when it grows, and what it
// has for each row grows too.
func (r *run) judge() (list []Series, faults []string) {
	from := r.judgedFrom()
	for _, m := range r.measures() {
		s := Series{Part: m.part, What: m.what, Values: r.series(m)}
		s.trend = trendOf(s.Values[from:])
		slack, judged := slacks[m.what]
		s.Judged = judged
		s.Rises = judged && s.rises(slack)
		if counted := r.counted(m); s.Rises && counted != nil {
			each := make([]float64, len(s.Values))
			for i, v := range s.Values {
				each[i] = v / max(counted[i], 1)
			}
			s.Rises = trendOf(each[from:]).rises(0)
		}
		if s.Rises {
			faults = append(faults, fmt.Sprintf("%s: %s grew by %.3g over the last %d days, from about %.3g", s.Part, s.What, s.Growth, r.Days-from, s.Median-s.Growth/2))
		}
		list = append(list, s)
	}
	return list, faults
}

// counted is how many rows or messages a size is of, by day; nil: it is of none.
func (r *run) counted(m measure) []float64 {
	switch {
	case m.what != bytesMiB:
		return nil
	case strings.HasPrefix(m.part, "table "):
		return r.series(measure{m.part, rowCount})
	default:
		return r.series(measure{m.part, messages})
	}
}

// report prints the result.
func (o Options) report(r *Result) error {
	if o.JSON {
		return o.printJSON(r)
	}
	o.printf("%d days in %.0f s, %d tweets, of which %d live at a time, %d look-ups (%.0f a second)\n\n",
		r.Days, r.Seconds, r.Tweets, r.Live, r.Lookups, float64(r.Lookups)/max(r.Seconds, 1))
	from := o.judgedFrom()
	o.printf("| part | measure | day %d | day %d | growth | |\n|---|---|---|---|---|---|\n", from+1, o.Days)
	for _, s := range r.Series {
		verdict := ""
		switch {
		case s.Rises:
			verdict = "GROWS"
		case s.Judged:
			verdict = "flat"
		}
		if s.What == rowCount && slices.Max(s.Values) < 100 || s.What == bytesMiB && slices.Max(s.Values) < 0.05 {
			continue // said in the samples
		}
		o.printf("| %s | %s | %s | %s | %s | %s |\n", s.Part, s.What, number(s.Values[from]), number(s.Values[len(s.Values)-1]), number(s.Growth), verdict)
	}
	o.printf("\nBy the median of each day, from day %d on. What grows does so by the test of Mann and Kendall (one-sided, 1%%), and by more than a tenth of its\nmedian and its slack after Theil and Sen; a size only if it grows for each row as well.\n\n", from+1)
	for _, line := range r.Done {
		o.printf("%s\n", line)
	}
	for _, f := range r.Flips {
		o.printf("another plan on %d days: %.0f blocks a call, usually %.0f: %.120s\n", f.Days, f.Most, f.Usual, f.Statement)
	}
	for _, fault := range r.Faults {
		o.printf("missed: %s\n", fault)
	}
	return nil
}

func number(v float64) string {
	switch {
	case v >= 1000 || v <= -1000:
		return fmt.Sprintf("%.0f", v)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}
