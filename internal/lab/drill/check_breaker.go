package drill

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorgone/internal/lab/proc"
)

// breakerTime is how long after the faults a circuit breaker may take to close: its
// longest rest twice over, and the calls of a trial.
const breakerTime = 2*breakerMaxRest + 10*time.Second

// awaitBreakers waits until each worker says that its circuit breaker is closed, and
// returns what those say that do not in time.
func (w *world) awaitBreakers(ctx context.Context) (open []string) {
	ctx, cancel := context.WithTimeout(ctx, breakerTime)
	defer cancel()
	for _, p := range w.processes {
		if !strings.HasPrefix(p.Name, partWorker) {
			continue
		}
		last := "says nothing of its circuit breaker"
		for {
			page, err := proc.Fetch(ctx, fetchWithin, "http://"+p.Monitor+"/metrics")
			if err == nil {
				last = breakerLine(string(page), last)
			}
			if strings.HasSuffix(last, " 0") {
				break
			}
			if !sleep(ctx, 250*time.Millisecond) {
				open = append(open, p.Name+": "+last)
				break
			}
		}
	}
	return open
}

// breakerLine returns the line of a page of metrics that tells the state of the breaker:
// 0 is closed.
func breakerLine(page, none string) string {
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "gorgone_breaker_state{") {
			return strings.TrimSpace(line)
		}
	}
	return none
}

// checkBreaker checks that the circuit breaker of every worker closed again, and that
// calls were made and answered after the faults.
func checkBreaker(f *facts) checkResult {
	v := checkResult{name: "breaker"}
	for _, b := range f.breakers {
		v.fault("%s, %s after the faults", b, f.settled.Sub(f.to).Round(time.Second))
	}
	answered := 0
	for i := range f.calls {
		if c := &f.calls[i]; isLookup(c) && c.Started.After(f.to) && c.Status == 200 {
			answered++
		}
	}
	if answered == 0 {
		v.fault("no call was answered in the %s after the faults", f.settled.Sub(f.to).Round(time.Second))
	}
	v.counts = fmt.Sprintf("closed at every worker, %d calls answered after the faults", answered)
	return v
}
