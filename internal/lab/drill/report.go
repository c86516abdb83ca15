package drill

import (
	"fmt"
	"io"
)

// maxDetails is how many details of a failed check are printed.
const maxDetails = 12

// checkResult is what a check found.
type checkResult struct {
	name    string
	counts  string   // what was looked at
	details []string // what is wrong; none: all is well
}

func (v *checkResult) fault(format string, args ...any) {
	v.details = append(v.details, fmt.Sprintf(format, args...))
}

// checks are all checks, in the order of the report.
func checks() []func(*facts) checkResult {
	return []func(*facts) checkResult{checkDue, checkHistory, checkDeleted, checkRefreshes, checkRate, checkBilled, checkBudget, checkBreaker, checkSeen, checkLeftovers, checkLedger}
}

// report prints how a drill goes.
type report struct {
	o   Options
	out io.Writer
}

func newReport(o Options) *report { return &report{o, o.Out} }

// printf prints; a reader that went away is no fault.
func (r *report) printf(format string, args ...any) { _, _ = fmt.Fprintf(r.out, format, args...) }

func (r *report) started(w *world) {
	standby := ""
	if r.o.Standby {
		standby = " with a synchronous standby"
	}
	if r.o.Hosts {
		standby += fmt.Sprintf(", each on a host of its own, %s and more apart, %g%% of the packets lost", r.o.Latency, 100*r.o.Loss)
	}
	r.printf("drill of seed %d at %s: %d tweets in %d rows, a look-up every %s; %d dispatchers, %d workers, web, %d x NATS, Postgres%s; %g calls/s\n",
		r.o.Seed, r.o.Provider, r.o.Tweets, len(w.rows), r.o.Every, r.o.Dispatchers, r.o.Workers, r.o.Nodes, standby, r.o.Rate)
}

// verdicts runs the checks, prints what they found, and reports whether all is well.
func (r *report) verdicts(f *facts) bool {
	well := true
	for i, check := range checks() {
		v := check(f)
		state := "OK  "
		if len(v.details) > 0 {
			state, well = "FAIL", false
		}
		r.printf("%d %s %-10s %s\n", i+1, state, v.name, v.counts)
		for n, d := range v.details {
			if n == maxDetails {
				r.printf("       … and %d more\n", len(v.details)-n)
				break
			}
			r.printf("       %s\n", d)
		}
	}
	return well
}
