package budget

import (
	"math"
	"sort"
)

// canaryEvery is how many tweets at least share a canary, which is billed too: the
// smallest limit of ids a call of any provider.
const canaryEvery = 50

// MostBilled returns the most tweets that look-ups of tweets in batches are billed for: a
// canary a call at most, of which each batch has one that is not full.
func MostBilled(tweets, batches int) int { return tweets + batches + tweets/canaryEvery }

// Affordable returns how many tweets may be claimed, in batches of the given size, so that
// they cost no more than so many dollars at a price of a tweet, their canaries included; the
// last tweet that the money buys is claimed nevertheless, so that at most one canary is over
// it.
func Affordable(left, price float64, batchTweets int) int {
	if price <= 0 || left >= price*float64(MostBilled(math.MaxInt32, math.MaxInt32)) {
		return math.MaxInt32
	}
	billed := int(left/price + 1e-6) // what was added up in floating point may lack a trace
	n := sort.Search(billed, func(n int) bool {
		return MostBilled(n+1, (n+batchTweets)/batchTweets) > billed
	})
	return max(n, min(billed, 1))
}
