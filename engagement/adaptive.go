package engagement

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"time"
)

// Adaptive looks each tweet up as often as it is worth, at one price for all.
//
// What is lost between two look-ups is the engagement not yet seen, times how long it
// stays unseen: with a rate λ and a gap T, λT²/2 engagement-hours. A look-up costs
// the price c. Over time the sum λT/2 + c/T is least for
//
//	T = √(2c/(wλ)),
//
// the square-root rule of Sia, Cho and Cho ("Efficient Monitoring Algorithm for
// Fast News Alerts", TKDE 19(7), 2007). A rate that changes is met by its density:
// the next look-up is due when ∫ √(wλ(t)/2c) dt since the last reaches 1. The weight
// w = 1/max(N, Kappa)^Exponent says how much less one engagement matters to a tweet
// that has N already. The rate is estimated by [Model] and taken somewhat high,
// Optimism standard deviations: a look-up also improves the estimate.
//
// A tweet that is on its way to a take-off, TakeOff engagements within its first
// hour, is looked up when it is expected to get there, whatever the price: take-offs are
// rare, and worth knowing early.
//
// The policy ends by value: when all engagement still to come before Until would,
// if it were never seen, lose less than one look-up costs, the tweet goes cold. All
// tweets do at the age of Until.
type Adaptive struct {
	Model Model

	// Price is c: how many (weighted) engagement-hours one look-up must save to be
	// worth its money. It is what a [Budget] moves. Above 0.
	Price float64

	// Again is the share of Price that a look-up must be worth on a UTC day on which the tweet
	// was paid for already ([Activity.PaidDay]), where a provider charges for a tweet once a
	// day. 0: each look-up costs Price. See [RepeatShare].
	Again float64

	Exponent float64 // p, from 0 (each engagement matters the same) to 1 (relative to the size)
	Kappa    float64 // tweets smaller than this count as this large; above 0
	Optimism float64 // z, standard deviations; from 0

	Floor    time.Duration // shortest gap between two look-ups; at least [MinSnapshotGap]
	Patience time.Duration // the longest gap while a tweet is young ...
	Stretch  float64       // ... and later as a multiple of its age; above 0
	Loosen   float64       // how many times as long a gap may be where the price wants it longer still; from 1
	Firm     time.Duration // age before which it may not
	Ceiling  time.Duration // the longest gap of all
	Until    time.Duration // age from which no tweet is looked up

	TakeOff float64 // engagements in the first hour that make a take-off; 0: do not aim at it
}

var _ Learner = Adaptive{}

// DefaultPrice is a price to begin with, before a budget has moved it. It gives popular
// tweets about as many look-ups as the tiers would, and ordinary ones a quarter of that
// at most (docs/scheduling.md), so switching costs no more at first. Nor does it cost
// more than with gaps that never loosen: at one price those are never longer.
const DefaultPrice = 4

// RepeatShare is [Adaptive.Again] under a day pass. A look-up on a day that is paid costs
// only its part of the rate. At a twentieth of the price gaps are √20, about 4.5, times as
// short: at the initial price that is 13 look-ups of an ordinary tweet in its life, and 92 of a
// popular one, so 100,000 tweets a day take a few percent of what the lowest plan of X allows.
// At no price at all each would be looked up every two minutes, which is more than it allows.
const RepeatShare = 1.0 / 20

// dayMargin is how long before the end of a day that is paid a look-up must be due to be
// counted on: it may be late, and would be charged for once more.
const dayMargin = 5 * time.Minute

// DefaultAdaptive returns the policy with the parameters that docs/scheduling.md
// explains, for a model and a price.
func DefaultAdaptive(m Model, price float64) Adaptive {
	return Adaptive{
		Model: m, Price: price,
		Exponent: 0.4, Kappa: 30, Optimism: 0.4,
		Floor: 2 * time.Minute, Patience: 30 * time.Minute, Stretch: 1, Loosen: 3, Firm: 45 * time.Minute,
		Ceiling: 24 * time.Hour, Until: 48 * time.Hour,
		TakeOff: 100,
	}
}

// Validate returns everything that is wrong with the parameters.
func (a Adaptive) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("adaptive schedule: "+format, args...))
		}
	}
	check(a.Price > 0 && !math.IsInf(a.Price, 0), "the price %v must be above 0", a.Price)
	check(a.Again >= 0 && a.Again <= 1, "the share of the price on a paid day, %v, must be from 0 to 1", a.Again)
	check(a.Exponent >= 0 && a.Exponent <= 1, "the exponent %v must be from 0 to 1", a.Exponent)
	check(a.Kappa > 0, "kappa %v must be above 0", a.Kappa)
	check(a.Optimism >= 0, "the optimism %v must not be below 0", a.Optimism)
	check(a.Floor >= MinSnapshotGap, "the floor %s is less than the minimum of %s", a.Floor, MinSnapshotGap)
	check(a.Patience >= a.Floor, "the patience %s is less than the floor %s", a.Patience, a.Floor)
	check(a.Stretch > 0, "the stretch %v must be above 0", a.Stretch)
	check(a.Loosen >= 1, "the loosening %v must be at least 1", a.Loosen)
	check(a.Firm >= 0, "the age until which gaps are firm, %s, must not be below 0", a.Firm)
	check(a.Ceiling >= a.Patience, "the ceiling %s is less than the patience %s", a.Ceiling, a.Patience)
	check(a.Until > 0, "the end %s must be above 0", a.Until)
	check(a.TakeOff >= 0, "the take-off %v must not be below 0", a.TakeOff)
	return errors.Join(faults...)
}

// Learn implements [Learner].
func (a Adaptive) Learn(prev, next Tracking) Activity { return a.Model.Learn(prev, next) }

// Schedule implements [Policy].
func (a Adaptive) Schedule(t Tracking, now time.Time) (Tier, time.Time) {
	age := max(now.Sub(t.CreatedAt), 0)
	if age >= a.Until {
		return Cold, time.Time{}
	}
	gap, worth := a.gap(t, age, a.Price)
	if a.Again > 0 {
		gap, worth = a.dayGap(t, age, now, worth)
	}
	if !worth {
		return Cold, time.Time{}
	}
	gap = a.exact(t, age, gap, now)
	return tierOf(gap), now.Add(gap)
}

// exact returns the gap as it is scheduled: varied a little, and with the last look-up on the
// age at which tweets go cold.
func (a Adaptive) exact(t Tracking, age, gap time.Duration, now time.Time) time.Duration {
	gap = max(time.Duration(float64(gap)*spread(t, now)), a.Floor)
	return min(gap, max(a.Until-age, MinSnapshotGap))
}

// gap returns how long to wait for the next look-up of a tweet of an age, and whether
// that look-up is worth a price.
func (a Adaptive) gap(t Tracking, age time.Duration, price float64) (gap time.Duration, worth bool) {
	mean, sd := a.Model.Size(t.Activity)
	size := float64(t.Metrics.Total())
	value := (mean + a.Optimism*sd) / math.Pow(max(size, a.Kappa), a.Exponent)
	kernel := a.Model.Engagement.Kernel
	at := a.Model.Clock.after(kernel, t.CreatedAt, age, math.Sqrt(2*price/value))
	at = min(at, a.aim(kernel, age, size, mean*a.Model.Clock.at(t.CreatedAt, age)))
	rest := kernel.Share(a.Until) - kernel.Share(age)
	worth = value*rest*(a.Until-age).Hours() >= price
	gap = max(at-age, a.Floor)
	return min(gap, a.longest(age, gap)), worth
}

// dayGap is the gap where a provider charges for a tweet once a UTC day; worth says whether
// a day is worth its price. How soon the first look-up of a day comes then changes nothing
// about the money: what a day costs decides whether it is paid for at all, and what a
// look-up costs of the rate how often the tweet is looked up within it. No tweet waits longer
// than without.
func (a Adaptive) dayGap(t Tracking, age time.Duration, now time.Time, worth bool) (time.Duration, bool) {
	gap, again := a.gap(t, age, a.Again*a.Price)
	if worth {
		return gap, true
	}
	due := now.Add(a.exact(t, age, gap, now))
	return gap, again && t.Activity.PaidOn(now) && t.Activity.PaidOn(due.Add(dayMargin))
}

// minToAim is how many engagements must have come before their speed says when
// a take-off would be; aimWithin is how old a tweet may be by then.
const (
	minToAim  = 5
	aimWithin = 72 * time.Minute
)

// aim returns the age at which a tweet that has size engagements and is expected to
// get mean in all takes off, or never.
func (a Adaptive) aim(k Kernel, age time.Duration, size, mean float64) time.Duration {
	if size < minToAim || size >= a.TakeOff || age >= time.Hour {
		return never
	}
	if at := k.quantile(k.Share(age) + (a.TakeOff-size)/mean); at <= aimWithin {
		return at
	}
	return never
}

// longest is the longest gap at an age for a tweet whose price wants a gap. It is firm
// while the tweet is young, when take-offs happen and most people look. Later a tweet
// that is hardly worth a look-up gets the geometric mean of what the price wants and
// what its age allows, Loosen times that at most: with little money a firm gap spends
// all of it on quiet tweets.
func (a Adaptive) longest(age, want time.Duration) time.Duration {
	firm := max(a.Patience, time.Duration(a.Stretch*float64(age)))
	if age >= a.Firm && want > firm {
		firm = time.Duration(float64(firm) * min(math.Sqrt(float64(want)/float64(firm)), a.Loosen))
	}
	return min(firm, a.Ceiling)
}

// Outlook is what a policy at its price does to one tweet, or to many when summed.
type Outlook struct {
	Lookups float64 // per hour
	Paid    float64 // of these, those that cost money, per hour
	Unseen  float64 // engagements not yet seen, averaged over time
}

// Add sums two outlooks.
func (o Outlook) Add(p Outlook) Outlook {
	return Outlook{Lookups: o.Lookups + p.Lookups, Paid: o.Paid + p.Paid, Unseen: o.Unseen + p.Unseen}
}

// Outlook returns what the policy does to a tweet at now: 1/T look-ups an hour, and
// λT/2 engagements unseen on average. Summed over all tweets that are tracked, at
// this price and at others, it says what another budget would buy.
//
// Where a tweet is paid for once a day, one look-up in 24 hours is paid, whatever the hour:
// the first of the next day, if that is worth it. The first of a tweet's life is not in it.
func (a Adaptive) Outlook(t Tracking, now time.Time) Outlook {
	age := max(now.Sub(t.CreatedAt), 0)
	rate := a.Model.Rate(t, t.CreatedAt.Add(max(age, a.Floor)))
	gap, worth := a.gap(t, age, a.Price)
	paid := 1 / gap.Hours()
	if a.Again > 0 {
		if paid = 0; worth {
			paid = 1.0 / 24
		}
		gap, worth = a.dayGap(t, age, now, worth)
	}
	if age >= a.Until || !worth {
		return Outlook{}
	}
	return Outlook{Lookups: 1 / gap.Hours(), Paid: paid, Unseen: rate * gap.Hours() / 2}
}

// spread returns a factor from 0.95 to 1.05, always the same for the same
// look-up of the same tweet, so that tweets looked up together drift apart.
func spread(t Tracking, now time.Time) float64 {
	h := fnv.New64a()
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(t.CreatedAt.UnixMilli()>>(8*i)), byte(now.UnixMilli()>>(8*i))
	}
	_, _ = h.Write([]byte(t.TweetID))
	_, _ = h.Write(b[:])
	return 0.95 + 0.1*float64(h.Sum64()>>11)/(1<<53)
}

// tierOf names a gap by the default tier whose gaps are about as long.
func tierOf(gap time.Duration) Tier {
	switch {
	case gap < 20*time.Minute:
		return UltraHot
	case gap < 45*time.Minute:
		return Hot
	default:
		return Warm
	}
}
