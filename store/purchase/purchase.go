// Package purchase tells what the adaptive schedule costs and shows at a price, from a sample
// of the tweets that are looked up.
package purchase

import (
	"time"

	"gorgone/engagement"
)

// Purchase is what a schedule at a price costs and buys.
type Purchase struct {
	Price          float64       // what a look must be worth
	LookupsPerHour float64       // tweets looked up
	PaidPerHour    float64       // of these, those that cost money
	DollarsPerDay  float64       // at the main provider's price
	Delay          time.Duration // mean time until an engagement is seen
}

// Choices tells what the adaptive schedule costs at its price now, and what half
// and double the looks that are paid would buy. The zero value is that of no live row.
type Choices struct {
	Now, Half, Double Purchase  // Half and Double are zero where the sample does not tell
	AdjustedAt        time.Time // when the price was last moved; zero: never
}

// sensible drops estimates that less money shows engagements sooner, or more of it later:
// tweets that are not looked up at a price have no delay in it.
func (p *Choices) sensible() {
	if p.Half.DollarsPerDay >= p.Now.DollarsPerDay || p.Half.Delay < p.Now.Delay {
		p.Half = Purchase{}
	}
	if p.Double.DollarsPerDay <= p.Now.DollarsPerDay || p.Double.Delay > p.Now.Delay {
		p.Double = Purchase{}
	}
}

// Choices estimates what the price now and other money would buy, at so many dollars a look-up
// that is paid. The price was moved at adjusted.
func (d *Sample) Choices(price, dollars float64, adjusted time.Time) Choices {
	at := func(price float64) Purchase {
		o := d.Outlook(price)
		return Purchase{
			Price: price, LookupsPerHour: o.Lookups, PaidPerHour: o.Paid, DollarsPerDay: o.Paid * 24 * dollars,
			Delay: time.Duration(o.Unseen / max(d.Rate(), 1e-9) * float64(time.Hour)),
		}
	}
	p := Choices{AdjustedAt: adjusted, Now: at(price)}
	p.Half = at(engagement.PriceFor(p.Now.PaidPerHour/2, d.Outlook))
	p.Double = at(engagement.PriceFor(p.Now.PaidPerHour*2, d.Outlook))
	p.sensible()
	return p
}

// Sample is some of the live rows, with the policies of their zones.
type Sample struct {
	At     time.Time
	Scale  float64 // live rows for each in the sample
	tweets []engagement.Tracking
	models []engagement.Model

	// Policy is that of a model at a price.
	Policy func(m engagement.Model, price float64) engagement.Adaptive
	Firsts float64 // tweets an hour whose first look-up is paid for beside what the policy's outlook has
}

// Add adds a tweet and its zone's model.
func (d *Sample) Add(t engagement.Tracking, m engagement.Model) {
	d.tweets, d.models = append(d.tweets, t), append(d.models, m)
}

// Live is how many live rows there are, about.
func (d *Sample) Live() float64 { return float64(len(d.tweets)) * d.Scale }

// Outlook is what the adaptive schedule does to all live rows at a price.
func (d *Sample) Outlook(price float64) (sum engagement.Outlook) {
	for i, t := range d.tweets {
		sum = sum.Add(d.Policy(d.models[i], price).Outlook(t, d.At))
	}
	return engagement.Outlook{Lookups: sum.Lookups * d.Scale, Paid: sum.Paid*d.Scale + d.Firsts, Unseen: sum.Unseen * d.Scale}
}

// Rate is the engagements an hour that all live rows get.
func (d *Sample) Rate() (sum float64) {
	for i, t := range d.tweets {
		sum += d.models[i].Rate(t, d.At)
	}
	return sum * d.Scale
}
