package engagement

import "time"

// Billing is how a provider charges for look-ups by one API key. The zero value is a
// provider that charges nothing.
type Billing struct {
	Dollars float64 // for a tweet that is returned
	Credits float64 // of the account, for the same tweet; 0: the provider has none

	// Least is the number of tweets that an answered call is charged for at least, however
	// few it returned. 0: a call that returns nothing costs nothing.
	Least int

	// Failed is the number of tweets that a call is charged for that the provider refused or
	// failed to answer. All providers so far charge nothing.
	Failed int

	// DayPass says that a tweet which the key was charged for is not charged again in that
	// UTC day, however often it is read.
	DayPass bool
}

// Charged returns how many tweets an answered call is charged for that returned so many,
// of which paid were charged to the key on this UTC day already.
func (b Billing) Charged(returned, paid int) int {
	if b.DayPass {
		returned -= min(max(paid, 0), returned)
	}
	return max(returned, b.Least)
}

// Call returns the dollars of such a call: what looking these tweets up costs now.
func (b Billing) Call(returned, paid int) float64 {
	return b.Dollars * float64(b.Charged(returned, paid))
}

// LeastCall returns the dollars that an answered call costs at least.
func (b Billing) LeastCall() float64 { return b.Call(0, 0) }

// FailedCall returns the dollars of a call that the provider refused or failed to answer.
func (b Billing) FailedCall() float64 { return b.Dollars * float64(b.Failed) }

// Marginal returns the dollars that one more tweet adds to a call at a time, when the key
// was last charged for the tweet at paid; the zero time: never.
func (b Billing) Marginal(paid, at time.Time) float64 {
	if b.Paid(paid, at) {
		return 0
	}
	return b.Dollars
}

// Paid reports whether a charge at paid covers a look-up at a time.
func (b Billing) Paid(paid, at time.Time) bool {
	return b.DayPass && !paid.IsZero() && UTCDay(paid).Equal(UTCDay(at))
}

// PaidUntil returns when a tweet that was charged for at paid costs money again: at the next
// midnight UTC under a day pass, else at once.
func (b Billing) PaidUntil(paid time.Time) time.Time {
	if !b.DayPass {
		return paid
	}
	return UTCDay(paid).AddDate(0, 0, 1)
}

// UTCDay returns the midnight at which the UTC day of t began.
func UTCDay(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
