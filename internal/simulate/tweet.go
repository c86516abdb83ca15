package simulate

import (
	"math"
	"slices"
	"sort"
	"time"
)

// Tweet is the life of one tweet.
type Tweet struct {
	ID     string
	Parent int // tweets of the same parent share an author; an index, from 0

	// Posted is when it was posted, after an arbitrary midnight (UTC).
	Posted time.Duration

	// Events are when each engagement came, in seconds since the post; ascending,
	// none below 0.
	Events []float64

	// Expected is the total engagement to expect of the author; 0: not known.
	Expected float64

	// Found is the age in seconds at which the tweet is collected, with the counts it
	// has then, for free.
	Found float64

	// Until is the age in seconds up to which the events are known; 0: all are.
	Until float64

	life *life
}

// relativeFloor is the count below which staleness is not relative any more.
const relativeFloor = 10

// viewHalfLife is the half-life of the density of views over the age of a tweet,
// in seconds. Source: Pfeffer, Matter, Sargsyan, ICWSM 2023.
const viewHalfLife = 80 * 60

// life holds running integrals over the age of a tweet, so that a look-up costs a
// binary search however many events there are. Index i is the time of event i;
// between events everything is linear or exponential.
type life struct {
	sum    []float64 // Σ of the times of the first i events
	share  []float64 // ∫ N/max(N,10) dt
	weight []float64 // ∫ 1/max(N,10) dt
	vShare []float64 // the two, by density of views
	vWeigh []float64
}

// prepare makes the integrals.
func (t *Tweet) prepare() {
	if t.life != nil {
		return
	}
	n := len(t.Events)
	l := &life{
		sum: make([]float64, n+1), share: make([]float64, n+1), weight: make([]float64, n+1),
		vShare: make([]float64, n+1), vWeigh: make([]float64, n+1),
	}
	last := 0.0
	for i, at := range t.Events {
		count := float64(i)
		larger := max(count, relativeFloor)
		views := viewed(last, at)
		l.sum[i+1] = l.sum[i] + at
		l.share[i+1] = l.share[i] + (at-last)*count/larger
		l.weight[i+1] = l.weight[i] + (at-last)/larger
		l.vShare[i+1] = l.vShare[i] + views*count/larger
		l.vWeigh[i+1] = l.vWeigh[i] + views/larger
		last = at
	}
	t.life = l
}

// viewed is the share of views that fall between two ages.
func viewed(from, to float64) float64 {
	return math.Exp2(-from/viewHalfLife) - math.Exp2(-to/viewHalfLife)
}

// createdAt is when the tweet is posted in a replay.
func (t *Tweet) createdAt() time.Time { return epoch.Add(t.Posted) }

// CountAt returns the number of events up to an age in seconds.
func (t *Tweet) CountAt(age float64) int {
	return sort.Search(len(t.Events), func(i int) bool { return t.Events[i] > age })
}

// known tells whether what came up to an age is, or all but the last few minutes of it.
func (t *Tweet) known(age time.Duration) bool { return t.Until == 0 || t.Until >= 0.95*age.Seconds() }

// at returns the integrals at an age by which n events came.
func (l *life) at(t *Tweet, n int, age float64) (share, weight, vShare, vWeight float64) {
	last := 0.0
	if n > 0 {
		last = t.Events[n-1]
	}
	count := float64(n)
	larger := max(count, relativeFloor)
	views := viewed(last, age)
	return l.share[n] + (age-last)*count/larger, l.weight[n] + (age-last)/larger,
		l.vShare[n] + views*count/larger, l.vWeigh[n] + views/larger
}

// Crossings are the events whose detection is timed: the count reaching 100, 300
// and 1000, and a take-off, the first time that 100 engagements came within an hour.
const (
	Reach100 = iota
	Reach300
	Reach1000
	TakeOff
	NumCrossings
)

const (
	takeOffCount  = 100
	takeOffWindow = 3600.0
)

// crossings returns the ages of the crossings in seconds, infinite where there are
// none.
func (t *Tweet) crossings() [NumCrossings]float64 {
	var at [NumCrossings]float64
	for i, n := range [...]int{100, 300, 1000} {
		at[i] = math.Inf(1)
		if len(t.Events) >= n {
			at[i] = t.Events[n-1]
		}
	}
	at[TakeOff] = math.Inf(1)
	for i := takeOffCount - 1; i < len(t.Events); i++ {
		if t.Events[i]-t.Events[i-takeOffCount+1] <= takeOffWindow {
			at[TakeOff] = t.Events[i]
			break
		}
	}
	return at
}

// clean sorts events and drops those below 0.
func clean(events []float64) []float64 {
	slices.Sort(events)
	for len(events) > 0 && events[0] < 0 {
		events = events[1:]
	}
	return events
}
