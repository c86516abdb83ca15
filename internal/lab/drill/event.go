package drill

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// kind is what goes wrong.
type kind string

// The kinds of faults.
const (
	kill     kind = "kill"      // SIGKILL, and started again
	budget   kind = "budget"    // dispatchers and workers start over with a budget that is soon used up
	freeze   kind = "freeze"    // SIGSTOP past the lease, then SIGCONT
	cut      kind = "cut"       // connections closed, and refused
	stall    kind = "stall"     // connections that carry nothing
	delay    kind = "delay"     // connections that are slow
	pooler   kind = "pooler"    // all connections to Postgres closed at once, and refused
	crash    kind = "crash"     // immediate shutdown of Postgres, and started again
	promote  kind = "promote"   // Postgres lost for good, and its standby promoted
	failover kind = "failover"  // all connections to Postgres closed; new ones are read-only for a while, and stay so
	readonly kind = "readonly"  // all connections to Postgres become read-only
	full     kind = "full"      // Postgres has no space left: 53100 for all that writes
	step     kind = "step"      // the database's clock is set, and later set right
	isolate  kind = "isolate"   // a host that no packet leaves or reaches
	diskFull kind = "disk_full" // a NATS node's disk is full
	wipe     kind = "wipe"      // a bucket of NATS is lost, or restored from a backup
	fault    kind = "fault"     // the provider answers a share of the calls wrongly
	drop     kind = "drop"      // the provider leaves a share of the tweets out, others in each answer
	broke    kind = "broke"     // the account is out of credit
	sporadic kind = "sporadic"  // the provider refuses 2% of the calls
	odd      kind = "odd"       // the provider has odd counters in a share of the answers
	balance  kind = "balance"   // the balance route is broken
	deletes  kind = "delete"    // tweets are deleted for good
	mass     kind = "mass"      // a large share of the tweets is deleted for good
	returns  kind = "restore"   // deleted tweets come back
	poison   kind = "poison"    // calls that hold certain tweets fail
	outage   kind = "outage"    // the provider leaves the same share of the tweets out of all answers
	lag      kind = "lag"       // the provider does not find tweets that are new to us
)

// The parts of the system that a fault is about, besides numbered processes.
const (
	partPostgres = "postgres"
	partNATS     = "nats"
	partProvider = "provider"
	partWorker   = "worker"
	partDispatch = "dispatcher"
	partWeb      = "web"
	partEngine   = "engine" // dispatchers and workers
)

// event is a fault with its time, planned (counted from the beginning of the
// faults) or as it happened.
type event struct {
	at     time.Duration
	length time.Duration
	kind   kind
	target string        // worker-2; or postgres, nats-1, provider
	link   string        // of a connection: what the target is connected to
	what   string        // of the provider: which fault
	share  float64       // of the calls or tweets
	number int           // of tweets or calls; the milliseconds of a delay
	step   time.Duration // of the database's clock

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
	if e.step != 0 {
		fmt.Fprintf(&b, " by %s", e.step)
	}
	return b.String()
}

// touches reports whether the event was going on at some moment of a stretch of time.
func (e event) touches(from, to time.Time) bool {
	return !e.from.After(to) && (e.to.IsZero() || !e.to.Before(from))
}

// about reports whether the event disturbs the process: it itself, one of its
// connections, or what all need. What may not cost an answer that was paid for, is not
// among it: a database that takes nothing for a while.
func (e event) about(process string) bool {
	switch e.kind {
	case crash, promote, budget:
		return true
	case kill, isolate, diskFull:
		return e.target == process || strings.HasPrefix(e.target, partNATS)
	default:
		return e.target == process
	}
}

// ofProvider reports whether the event is a fault of the provider, and not a tweet that
// is deleted for good or comes back.
func (e event) ofProvider() bool {
	switch e.kind {
	case fault, drop, broke, sporadic, odd, balance, poison, outage, lag:
		return true
	default:
		return false
	}
}

// ofDatabase reports whether the event keeps the database from taking what is written.
func (e event) ofDatabase() bool {
	switch e.kind {
	case crash, promote, pooler, failover, readonly, full, step:
		return true
	case isolate:
		return strings.HasPrefix(e.target, partPostgres)
	default:
		return false
	}
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
