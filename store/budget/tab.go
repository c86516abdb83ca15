package budget

import (
	"encoding/json"
	"math"

	"github.com/google/uuid"

	"gorgone/store/fair"
)

// Tab is what one claim spends of the caps. A nil Tab lets everything pass.
type Tab struct {
	tenants *Tenants
	price   float64                 // of a tweet, with its part of the canaries
	left    map[*tenant]float64     // dollars, of those that have a hard cap
	zoneOf  map[uuid.UUID]uuid.UUID // of the rows that are claimed
	rules   *fair.Rules
}

// NewTab begins what a claim spends, at a price of a tweet and in batches of a size; nil when
// there are no tenants.
func NewTab(t *Tenants, books Books, price float64, batchTweets int) *Tab {
	if t.Empty() {
		return nil
	}
	tab := &Tab{
		tenants: t, price: price * withCanaries, left: make(map[*tenant]float64), zoneOf: make(map[uuid.UUID]uuid.UUID),
		rules: t.rules(books, func(dollars float64) int { return Affordable(dollars, price, batchTweets) }),
	}
	for _, all := range []map[uuid.UUID]*tenant{t.clients, t.zones} {
		for _, x := range all {
			if left, _ := x.caps.left(books.of(x), false); !math.IsInf(left, 1) {
				tab.left[x] = left
			}
		}
	}
	return tab
}

// withCanaries is what a tweet of a batch costs with its part of the canaries.
const withCanaries = 1.02

// Rules returns by which rules zones share the claim.
func (t *Tab) Rules() *fair.Rules {
	if t == nil {
		return nil
	}
	return t.rules
}

// Take has a zone pay for a row of its own that is claimed.
func (t *Tab) Take(row, zone uuid.UUID) {
	if t == nil || t.tenants.zones[zone] == nil {
		return
	}
	t.zoneOf[row] = zone
	for _, x := range t.tenants.capsOf(zone) {
		if _, capped := t.left[x]; capped {
			t.left[x] -= t.price
		}
	}
}

// Join has a zone pay for a row that another zone's look-up serves too, if its caps have the
// money; else the row is not served.
func (t *Tab) Join(row, zone uuid.UUID) bool {
	if t == nil {
		return true
	}
	for _, x := range t.tenants.capsOf(zone) {
		if left, capped := t.left[x]; capped && left < t.price {
			return false
		}
	}
	t.Take(row, zone)
	return true
}

// Shares returns how many of the tweets of a batch, each given by its rows, count for each
// zone whose spending counts for a cap, when so many tweets are billed for all of it. A tweet
// counts in equal parts for the zones that it serves. It is JSON; nil: for none.
func (t *Tab) Shares(tweets [][]uuid.UUID, billed int) *string {
	if t == nil {
		return nil
	}
	var sum map[string]float64
	for _, rows := range tweets {
		for _, row := range rows {
			zone, ok := t.zoneOf[row]
			if !ok || !t.tenants.counts(zone) {
				continue
			}
			if sum == nil {
				sum = make(map[string]float64)
			}
			sum[zone.String()] += float64(billed) / float64(len(tweets)) / float64(len(rows))
		}
	}
	return sharesJSON(sum)
}

// Shares returns how many of a number of tweets count for each zone, by the zones' shares of
// the whole. It is JSON; nil: for none.
func Shares(shares map[uuid.UUID]float64, tweets int) *string {
	var sum map[string]float64
	for zone, share := range shares {
		if zone == uuid.Nil {
			continue
		}
		if sum == nil {
			sum = make(map[string]float64)
		}
		sum[zone.String()] = share * float64(tweets)
	}
	return sharesJSON(sum)
}

func sharesJSON(sum map[string]float64) *string {
	if sum == nil {
		return nil
	}
	text, err := json.Marshal(sum)
	if err != nil {
		return nil // never: numbers that are finite
	}
	return new(string(text))
}

// rules returns what zones may have of a claim, where tweets says how many so many dollars
// buy.
func (t *Tenants) rules(books Books, tweets func(dollars float64) int) *fair.Rules {
	r := &fair.Rules{Zones: make(map[uuid.UUID]fair.Rule, len(t.zones)), Groups: make(map[uuid.UUID]fair.Rule, len(t.clients))}
	rule := func(x *tenant) fair.Rule {
		s := books.of(x)
		rule := fair.Rule{Weight: x.caps.Weight, Most: math.MaxInt, Group: x.client}
		if left, _ := x.caps.left(s, false); !math.IsInf(left, 1) {
			rule.Most = tweets(left)
		}
		if x.Kind == "zone" && rule.Weight == 0 {
			rule.Weight = 1
		}
		if x.caps.soft(s) {
			rule.Weight *= softWeight
		}
		return rule
	}
	for id, x := range t.clients {
		r.Groups[id] = rule(x)
	}
	for id, x := range t.zones {
		z := rule(x)
		// A client whose zones count for themselves has no weight of its own to take from.
		if c := t.clients[x.client]; c != nil && c.caps.Weight == 0 && c.caps.soft(books.of(c)) {
			z.Weight *= softWeight
		}
		r.Zones[id] = z
	}
	return r
}
