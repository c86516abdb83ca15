package dispatcher

import "time"

// horizon is the most work, in time, that may be outstanding, however long the
// lease: claims pass over what is claimed already, and what they pass over must
// stay small.
const horizon = 30 * time.Second

// Window bounds how much work may be outstanding at once: claimed, published,
// and not yet applied.
//
// What is outstanding must be finished well within its lease, or the rows fall
// due again while they still wait in the queue and are looked up twice. So the
// bound is what the workers finish in a third of a lease, or in 30 s if that is
// less, by the rate at which they finished work lately; it cannot exceed what the look-up rate allows, and
// it is never below a first helping, from which the rate can be measured. While
// the workers keep up, each dispatch measures a higher rate and the bound grows
// to (that time / the tick) times what it was; when they slow down it shrinks.
type Window struct {
	Lease time.Duration // how long a claim lasts
	First int           // tweets; the least bound
	Rate  float64       // tweets a second that the look-up rate allows; 0: no limit
}

// Bound returns how many tweets may be outstanding when done tweets a second
// were finished lately.
func (w Window) Bound(done float64) int {
	span := min(w.Lease/3, horizon).Seconds()
	bound := max(done*span, float64(w.First))
	if w.Rate > 0 {
		bound = min(bound, max(w.Rate*span, 1))
	}
	return int(bound)
}

// Allowance returns how many more tweets may be claimed: the bound less what is
// outstanding, never below 0.
func (w Window) Allowance(outstanding int, done float64) int {
	return max(w.Bound(done)-outstanding, 0)
}
