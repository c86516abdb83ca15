package dispatcher

import "time"

// horizon caps outstanding work, as a duration, however long the lease: a claim skips
// rows that are claimed already, and must not have to skip many.
const horizon = 30 * time.Second

// Window bounds outstanding work: claimed, published, and not yet applied.
//
// Outstanding work must be finished well within its lease, or its rows fall due again
// while they still wait in the queue and are looked up twice. So the bound is what the
// workers finish in a third of a lease, or in 30 s if that is less, at the rate of the
// last minute. It never exceeds what the look-up rate allows, and is never below an
// initial amount from which a rate can be measured. While the workers keep up, each
// dispatch measures a higher rate and the bound grows by the factor (that time / the
// tick); when they slow down it shrinks.
type Window struct {
	Lease time.Duration // how long a claim holds
	First int           // the smallest bound, in tweets
	Rate  float64       // tweets per second that the look-up rate allows; 0: no limit
}

// Bound returns how many tweets may be outstanding if the workers recently finished done
// tweets per second.
func (w Window) Bound(done float64) int {
	span := min(w.Lease/3, horizon).Seconds()
	bound := max(done*span, float64(w.First))
	if w.Rate > 0 {
		bound = min(bound, max(w.Rate*span, 1))
	}
	return int(bound)
}

// Allowance returns how many more tweets may be claimed: the bound minus the
// outstanding ones, and at least 0.
func (w Window) Allowance(outstanding int, done float64) int {
	return max(w.Bound(done)-outstanding, 0)
}
