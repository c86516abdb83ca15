package lookup

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// offer is what a provider would charge for a look-up.
type offer struct {
	dollars float64
	paused  bool
}

// byPrice returns the numbers of offers in the order in which they are taken: the cheaper first,
// of equal ones the one that comes first. An offer after the first that is paused comes last, so
// that no look-up waits for a pause that the first provider does not have.
func byPrice(offers []offer) []int {
	order := make([]int, len(offers))
	price := func(i int) float64 {
		if i > 0 && offers[i].paused {
			return math.Inf(1)
		}
		return offers[i].dollars
	}
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(price(a), price(b)) })
	return order
}

// inOrder returns the providers in the order in which they are asked for tweets: as they are
// set, or the one that charges least for this look-up first. That is found out once a look-up:
// halves of a call that failed are asked of the same provider, as long as that can be asked.
func (c *Client) inOrder(ctx context.Context, tweets []string) []*Provider {
	all := c.parts.Providers
	if len(all) < 2 || slices.ContainsFunc(all, func(p *Provider) bool { return p.Price == nil }) {
		return all
	}
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	offers := make([]offer, len(all))
	for i, p := range all {
		dollars, err := p.Price(ctx, tweets)
		if err != nil {
			c.parts.Log.Warn().Err(err).Str("provider", all[0].Name).Msg("cannot tell which provider is cheaper: asking the first")
			return all
		}
		_, _, paused := p.Limiter.Paused()
		offers[i] = offer{dollars, paused}
	}
	order := make([]*Provider, len(all))
	for i, n := range byPrice(offers) {
		order[i] = all[n]
	}
	return order
}
