package simulate

import (
	"container/heap"
	"time"

	"gorgone/engagement"
)

// Day plays days of tweets posted evenly through one adaptive schedule whose price a
// budget sets, as the engine does: one price for all, adjusted every Period.
type Day struct {
	Tweets []Tweet // posted one after another, evenly over each day, again and again
	PerDay int     // tweets posted a day
	Days   int     // the last one is reported; those before settle the price
	Period time.Duration
	Budget engagement.Budget
	Policy func(price float64) engagement.Policy
	Price  float64 // to begin with
}

// Spend is what the last day cost.
type Spend struct {
	Lookups int
	Hours   [24]int   // by hour
	Prices  []float64 // at each adjustment of all days
}

type due struct {
	at    time.Time
	tweet *Tweet
	track engagement.Tracking
}

type dues []due

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)        { *d = append(*d, x.(due)) }
func (d *dues) Pop() any {
	old := *d
	x := old[len(old)-1]
	*d = old[:len(old)-1]
	return x
}

// Run plays the days. A look-up costs one; the budget's money is look-ups.
func (d Day) Run() (Spend, error) {
	var (
		out    Spend
		queue  dues
		price  = d.Price
		policy = d.Policy(price)
		day    = 24 * time.Hour
		gap    = day / time.Duration(d.PerDay)
		end    = epoch.Add(time.Duration(d.Days) * day)
		period int
		today  int
	)
	nextPost, nextAdjust, n := epoch, epoch.Add(d.Period), 0
	count := func(t *Tweet, at, posted time.Time) engagement.Metrics {
		return engagement.Metrics{Retweets: engagement.Known(int64(t.CountAt(at.Sub(posted).Seconds())))}
	}
	for now := epoch; now.Before(end); {
		now = nextPost
		if nextAdjust.Before(now) {
			now = nextAdjust
		}
		if len(queue) > 0 && queue[0].at.Before(now) {
			now = queue[0].at
		}
		switch {
		case len(queue) > 0 && queue[0].at.Equal(now):
			x := heap.Pop(&queue).(due)
			u, err := engagement.Observe(policy, x.track, engagement.Observation{At: now, Metrics: count(x.tweet, now, x.track.CreatedAt)}, now)
			if err != nil {
				return out, err
			}
			period++
			today++
			if since := now.Sub(end.Add(-day)); since >= 0 && now.Before(end) {
				out.Lookups++
				out.Hours[int(since/time.Hour)]++
			}
			x.track, x.at = u.Tracking, u.Tracking.NextUpdateAt
			if !x.at.IsZero() {
				heap.Push(&queue, x)
			}
		case nextPost.Equal(now):
			t := &d.Tweets[n%len(d.Tweets)]
			n++
			u, err := engagement.Track(policy, engagement.Tracking{TweetID: t.ID, CreatedAt: now, Metrics: count(t, now, now)}, now)
			if err != nil {
				return out, err
			}
			heap.Push(&queue, due{at: u.Tracking.NextUpdateAt, tweet: t, track: u.Tracking})
			nextPost = now.Add(gap)
		default:
			start := epoch.Add(now.Sub(epoch).Truncate(day))
			if now.Equal(start) { // the day that ended is settled first
				today = 0
			}
			price = d.Budget.Adjust(price, engagement.BudgetUsage{
				Now: now, DayStart: start, SpentToday: float64(today), Spent: float64(period), Period: d.Period,
			})
			out.Prices = append(out.Prices, price)
			policy = d.Policy(price)
			period = 0
			nextAdjust = now.Add(d.Period)
		}
	}
	return out, nil
}
