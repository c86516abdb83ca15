package drill

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// startFailure is how soon after its start a process may end by itself: what it
	// needs was unavailable, and it says so.
	startFailure = 25 * time.Second

	// moreFiles is how many more files and connections a process may have open at
	// the end than at the beginning: pools are not filled at once.
	moreFiles = 40

	// moreGoroutines likewise: a connection has up to two.
	moreGoroutines = 60

	// watchedLife is how old a process must be to be asked whether its memory grows.
	watchedLife = 30 * time.Second

	// memory of the last third of a life may be this much above the middle third.
	memoryGrowth = 1.25
	memorySlack  = 16 << 20
)

// checkLeftovers checks that nothing is left over: no process that did not stop,
// no connection, no file, no dead letter; and that memory did not grow.
func checkLeftovers(f *facts) checkResult {
	v := checkResult{name: "leftovers"}
	for _, err := range f.stopErrors {
		v.fault("%v", err)
	}
	for _, p := range f.panics {
		v.fault("%s", p)
	}
	for _, d := range f.dead {
		v.fault("dead letter: %s", d)
	}
	if f.databaseConns > 0 || f.queued > 0 {
		v.fault("after the stop %d connections to Postgres and %d to NATS are left", f.databaseConns, f.queued)
	}
	restarts, killed := f.checkLives(&v)
	files := f.checkFiles(&v)
	memory := f.checkMemory(&v)
	v.counts = fmt.Sprintf("all stopped in time; %d processes killed, %d ended by themselves while what they need was unavailable; 0 connections left; %s; %s", killed, restarts, files, memory)
	return v
}

func (f *facts) checkLives(v *checkResult) (restarts, killed int) {
	for name, lives := range f.lives {
		for _, l := range lives {
			if l.To.IsZero() {
				v.fault("%s (process %d) is still there", name, l.PID)
			}
			if l.Expected {
				killed++
				continue
			}
			outage := slices.ContainsFunc(f.events, func(e event) bool {
				return e.touches(l.From.Add(-5*time.Second), l.To) && (e.about(name) || e.ofDatabase() || e.kind == wipe)
			})
			if l.To.Sub(l.From) > startFailure || !outage {
				v.fault("%s (process %d) ended by itself at %s after %s: %v", name, l.PID, l.To.Format(clockTime), l.To.Sub(l.From).Round(time.Millisecond), l.Err)
			}
			restarts++
		}
	}
	return restarts, killed - len(f.lives)
}

func (f *facts) checkFiles(v *checkResult) string {
	before := make(map[string]sample)
	for _, s := range f.resources.start {
		before[s.process] = s
	}
	var parts []string
	for _, s := range f.resources.end {
		b := before[s.process]
		if s.files > b.files+moreFiles {
			v.fault("%s has %d files open, %d at the beginning", s.process, s.files, b.files)
		}
		if s.goroutines > b.goroutines+moreGoroutines {
			v.fault("%s has %d goroutines, %d at the beginning", s.process, s.goroutines, b.goroutines)
		}
		parts = append(parts, fmt.Sprintf("%s %d/%d", s.process, b.files, s.files))
		if s.goroutines > 0 {
			parts[len(parts)-1] += fmt.Sprintf(" %d/%d", b.goroutines, s.goroutines)
		}
	}
	if len(parts) == 0 {
		return "files not measured"
	}
	return "files and goroutines at begin/end " + strings.Join(parts, " ")
}

func (f *facts) checkMemory(v *checkResult) string {
	byPID := make(map[int][]sample)
	for _, s := range f.resources.list {
		byPID[s.pid] = append(byPID[s.pid], s)
	}
	worst, watched := 0.0, 0
	for pid, list := range byPID {
		if list[len(list)-1].at.Sub(list[0].at) < watchedLife || len(list) < 9 {
			continue
		}
		watched++
		third := len(list) / 3
		middle, last := meanMemory(list[third:2*third]), meanMemory(list[2*third:])
		worst = max(worst, last/middle)
		if last > middle*memoryGrowth+memorySlack {
			v.fault("%s (process %d) grew from %.0f MiB in the middle third of its life to %.0f MiB in the last", list[0].process, pid, middle/(1<<20), last/(1<<20))
		}
	}
	if watched == 0 {
		return "no process lived long enough to watch its memory"
	}
	return fmt.Sprintf("memory of %d processes in the last third of their life at most %.2f of the middle third", watched, worst)
}

func meanMemory(list []sample) float64 {
	var sum int64
	for _, s := range list {
		sum += s.memory
	}
	return float64(sum) / float64(len(list))
}
