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

	// DayPass charges for a tweet once a UTC day, and Policy must return an
	// [engagement.Adaptive]. Else each look-up is charged for.
	DayPass bool
}

// Spend is what the last day cost.
type Spend struct {
	Lookups int
	Paid    int       // of these, those that were charged for
	Hours   [24]int   // likewise, by hour
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

// project returns what a whole day costs at the price of the policy, by the outlook of the
// tweets that wait.
func (d Day) project(p engagement.Policy, waiting dues, now time.Time) float64 {
	adaptive, ok := p.(engagement.Adaptive)
	if !ok || !d.DayPass {
		return 0
	}
	var sum engagement.Outlook
	for _, x := range waiting {
		sum = sum.Add(adaptive.Outlook(x.track, now))
	}
	return 24*sum.Paid + float64(d.PerDay)
}

// Run plays the days. A look-up that is charged for costs one; the budget's money is those.
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
			u, err := engagement.Observe(policy, x.track, engagement.Observation{At: now, Metrics: count(x.tweet, now, x.track.CreatedAt), DayPass: d.DayPass}, now)
			if err != nil {
				return out, err
			}
			charged := 1
			if x.track.Activity.PaidOn(now) {
				charged = 0
			}
			period += charged
			today += charged
			if since := now.Sub(end.Add(-day)); since >= 0 && now.Before(end) {
				out.Lookups++
				out.Paid += charged
				out.Hours[int(since/time.Hour)] += charged
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
				Now: now, DayStart: start, SpentToday: float64(today), Spent: float64(period), Period: d.Period, Projected: d.project(policy, queue, now),
			})
			out.Prices = append(out.Prices, price)
			policy = d.Policy(price)
			period = 0
			nextAdjust = now.Add(d.Period)
		}
	}
	return out, nil
}
