package engagement

import (
	"cmp"
	"math"
	"time"
)

// Budget is what look-ups may cost, or how stale counts may be. It moves the price of
// [Adaptive]: a higher price buys fewer look-ups. Exactly one of the two is set.
type Budget struct {
	// PerDay is the money to spend in a day, in any unit as long as [BudgetUsage] has
	// the same.
	PerDay float64

	// Delay is how long an engagement may stay unseen, on average.
	Delay time.Duration

	// MinPrice and MaxPrice bound the price. Zero: 1e-6 and 1e9.
	MinPrice, MaxPrice float64
}

// BudgetUsage is what was spent, and what it bought, up to now.
type BudgetUsage struct {
	Now      time.Time
	DayStart time.Time // when the budget's day began; it lasts 24 hours

	SpentToday float64       // money, since DayStart
	Spent      float64       // money, in the last Period
	Period     time.Duration // since the last adjustment; above 0

	// Outlook is the sum over all tracked tweets (see [Adaptive.Outlook]) and
	// Rate that of their rates in engagements an hour; needed for Delay only.
	// Unseen/Rate is the mean delay of an engagement (Little's law).
	Outlook Outlook
	Rate    float64

	// Projected is what a whole day costs at the price of now, by the outlook, where a
	// provider charges for a tweet once a day; 0: it does not. Most of such a day is spent
	// soon after midnight, so what was spent up to now does not tell what the rest will cost.
	Projected float64
}

// MinDayPrice is a [Budget.MinPrice] where a provider charges for a tweet once a day: a lower
// price buys hardly another day of a tweet's life, as all are paid for, and only more
// look-ups on them.
const MinDayPrice = DefaultPrice / 16.0

const (
	budgetGain = 0.4 // η
	budgetStep = 2.0 // most the price moves by in one period, as a factor

	// budgetShare is the share of the day's money that is planned to be spent: what
	// is left keeps a hard stop at the whole of it from being reached.
	budgetShare = 0.97
	// dayShare is the same where a tweet is charged for once a day. What a day costs is then
	// an estimate, which is up to a tenth too low.
	dayShare = 0.9
)

// Adjust returns the price for the coming period. It is a dual ascent: the price is
// the multiplier of the budget's constraint and rises while too much is spent,
//
//	c ← c · exp(η (spent - planned)/planned),
//
// by a factor of two at most. Planned is what is left for the rest of the day,
// evenly: what was saved or overspent before is made up for over all that remains. Where
// a tweet is charged for once a day, spent and planned are those of the whole day, by the
// outlook.
func (b Budget) Adjust(price float64, r BudgetUsage) float64 {
	var off float64
	switch {
	case b.Delay > 0:
		if r.Rate <= 0 {
			return price
		}
		off = b.Delay.Hours()/max(r.Outlook.Unseen/r.Rate, 1e-9) - 1
	case r.Projected > 0:
		if off = math.Inf(1); b.PerDay > 0 {
			off = r.Projected/(dayShare*b.PerDay) - 1
		}
	case r.Period <= 0:
		return price
	default:
		planned := b.Planned(r)
		if planned <= 0 {
			off = math.Inf(1)
		} else {
			off = r.Spent/planned - 1
		}
	}
	return moved(price, off, b.MinPrice, b.MaxPrice)
}

// moved returns a price moved by how far spending was off, as a share of what was
// planned, within bounds; 0 is the usual one.
func moved(price, off, least, most float64) float64 {
	step := min(max(math.Exp(budgetGain*off), 1/budgetStep), budgetStep)
	return min(max(price*step, cmp.Or(least, 1e-6)), cmp.Or(most, 1e9))
}

// Planned returns the money to spend in the reading's period, if what is left of
// the day's budget, less a reserve of 3%, is spread evenly over what is left of the day. Near the day's
// end it stays bounded by twice the even share of a whole day.
func (b Budget) Planned(r BudgetUsage) float64 {
	even := budgetShare * b.PerDay * r.Period.Hours() / 24
	rest := 24*time.Hour - r.Now.Sub(r.DayStart)
	if rest <= 0 {
		return even
	}
	planned := (budgetShare*b.PerDay - r.SpentToday) * float64(r.Period) / float64(max(rest, r.Period))
	return min(planned, 2*even)
}

// PriceFor returns the price at which the outlook, the sum over all tracked tweets
// as a function of the price, pays for that many look-ups per hour. It bisects: look-ups fall
// as the price rises. Use it for the first price, and after a change of the budget.
func PriceFor(paid float64, outlook func(price float64) Outlook) float64 {
	low, high := math.Log(1e-6), math.Log(1e9)
	for range 50 {
		mid := (low + high) / 2
		if outlook(math.Exp(mid)).Paid > paid {
			low = mid
		} else {
			high = mid
		}
	}
	return math.Exp(high)
}
