package simulate

import (
	"math"
	"sort"
	"time"

	"github.com/sourcegraph/conc/iter"

	"gorgone/engagement"
)

// epoch is the midnight after which simulated tweets are posted. Its value does not matter.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Plan says at which ages (seconds, ascending, above 0) a tweet is looked at, up
// to a horizon in seconds. It appends to looks.
type Plan func(t *Tweet, horizon float64, looks []float64) []float64

// Follow makes the plan of a policy: what the real rules would do, look-up by look-up.
// The tweet is collected with its counts at [Tweet.Found], for free; a look-up returns
// the true count.
func Follow(p engagement.Policy) Plan {
	return func(t *Tweet, horizon float64, looks []float64) []float64 {
		replay(p, t, horizon, func(_, after engagement.Tracking) {
			looks = append(looks, after.ObservedAt.Sub(after.CreatedAt).Seconds())
		})
		return looks
	}
}

// replay follows a policy from look-up to look-up, and calls seen with what was known
// before and after each.
func replay(p engagement.Policy, t *Tweet, horizon float64, seen func(before, after engagement.Tracking)) {
	count := func(n int) engagement.Metrics { return engagement.Metrics{Retweets: engagement.Known(int64(n))} }
	tweet := engagement.Tracking{TweetID: t.ID, CreatedAt: t.createdAt(), Metrics: count(t.CountAt(t.Found))}
	tweet.Activity.Expected = t.Expected
	u, err := engagement.Track(p, tweet, tweet.CreatedAt.Add(seconds(t.Found)))
	end := tweet.CreatedAt.Add(seconds(horizon))
	for err == nil {
		due := u.Tracking.NextUpdateAt
		if due.IsZero() || due.After(end) {
			return
		}
		before := u.Tracking
		look := engagement.Observation{At: due, Metrics: count(t.CountAt(due.Sub(tweet.CreatedAt).Seconds())), DayPass: true}
		if u, err = engagement.Observe(p, before, look, due); err == nil {
			seen(before, u.Tracking)
		}
	}
}

// Run scores a plan on tweets, on all cores. The scores are in the order of tweets.
// curve asks for [Score.Curve] too, which costs a pass over the events.
func Run(tweets []Tweet, plan Plan, horizon time.Duration, curve bool) []Score {
	scores := make([]Score, len(tweets))
	iter.ForEachIdx(tweets, func(i int, t *Tweet) {
		looks := plan(t, horizon.Seconds(), make([]float64, 0, 64))
		known := sort.SearchFloat64s(looks, math.Nextafter(t.Found, math.Inf(1)))
		scores[i] = t.score(looks[known:], horizon.Seconds(), curve)
	})
	return scores
}
