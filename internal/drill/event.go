package drill

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gorgone/twitter/twittertest"
)

// kind is what goes wrong.
type kind string

// The kinds of faults.
const (
	kill    kind = "kill"    // SIGKILL, and started again
	crash   kind = "crash"   // immediate shutdown of Postgres, and started again
	freeze  kind = "freeze"  // SIGSTOP past the lease, then SIGCONT
	cut     kind = "cut"     // connections closed, and refused
	stall   kind = "stall"   // connections that carry nothing
	delay   kind = "delay"   // connections that are slow
	fault   kind = "fault"   // the provider answers a share of the calls wrongly
	drop    kind = "drop"    // the provider leaves a share of the tweets out
	broke   kind = "broke"   // the account is out of credit
	deletes kind = "delete"  // tweets are deleted for good
	returns kind = "restore" // deleted tweets come back
	poison  kind = "poison"  // calls that hold a certain tweet are refused
)

// faultNames are the names that [Options.Without] takes: the kinds of faults, and what
// the provider can do wrong.
func faultNames() (names []string) {
	for _, k := range []kind{kill, crash, freeze, cut, stall, delay, fault, drop, broke, deletes, returns, poison} {
		names = append(names, string(k))
	}
	for _, f := range twittertest.Faults() {
		names = append(names, string(f))
	}
	return names
}

// The parts of the system that a fault is about, besides numbered processes.
const (
	partPostgres = "postgres"
	partNATS     = "nats"
	partProvider = "provider"
	partWorker   = "worker"
	partDispatch = "dispatcher"
	partWeb      = "web"
)

// event is a fault with its time, planned (counted from the beginning of the
// faults) or as it happened.
type event struct {
	at     time.Duration
	length time.Duration
	kind   kind
	target string  // worker-2; or postgres, nats-1, provider
	link   string  // of a connection: what the target is connected to
	what   string  // of the provider: which fault
	share  float64 // of the calls or tweets
	number int     // of tweets or calls; the milliseconds of a delay

	from, to time.Time // as it happened
	tweets   []string  // that it was about
}

func (e event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%7.2fs %6.2fs %-7s %s", e.at.Seconds(), e.length.Seconds(), e.kind, e.target)
	if e.link != "" {
		fmt.Fprintf(&b, " - %s", e.link)
	}
	if e.what != "" {
		fmt.Fprintf(&b, " %s", e.what)
	}
	if e.share > 0 {
		fmt.Fprintf(&b, " %.0f%%", 100*e.share)
	}
	if e.number > 0 {
		fmt.Fprintf(&b, " %d", e.number)
	}
	return b.String()
}

// touches reports whether the event was going on at some moment of a stretch of time.
func (e event) touches(from, to time.Time) bool {
	return !e.from.After(to) && (e.to.IsZero() || !e.to.Before(from))
}

// about reports whether the event disturbs the process: it itself, one of its
// connections, or what all need.
func (e event) about(process string) bool {
	return e.target == process || e.kind == crash || e.kind == kill && strings.HasPrefix(e.target, partNATS)
}

// history is what happened. It is safe for concurrent use.
type history struct {
	mu     sync.Mutex
	events []event
}

// begin notes the begin of an event, and returns what notes its end.
func (h *history) begin(e event) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.from = time.Now()
	i := len(h.events)
	h.events = append(h.events, e)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events[i].to = time.Now()
	}
}

func (h *history) all() []event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// summary counts what happened.
func (h *history) summary() string {
	counts := make(map[string]int)
	for _, e := range h.all() {
		target, _, _ := strings.Cut(e.target, "-")
		switch {
		case e.link != "":
			target += "-" + e.link
		case e.what != "":
			target = e.what
		}
		counts[string(e.kind)+" "+target]++
	}
	var parts []string
	for _, what := range slices.SortedFunc(maps.Keys(counts), cmp.Compare[string]) {
		parts = append(parts, fmt.Sprintf("%d x %s", counts[what], what))
	}
	return strings.Join(parts, ", ")
}
