package simulate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sourcegraph/conc/iter"

	"gorgone/engagement"
)

// Traffic is the look-ups of one UTC day when as many tweets are posted on every day, at the
// hours at which those of a population are.
type Traffic struct {
	Summary // of one tweet up to [Horizon48]

	looks []moment // in order of time
}

// moment is one look-up.
type moment struct {
	at    float64 // seconds since midnight
	first bool    // of its tweet on its UTC day
}

// NewTraffic has a number of tweets a day, drawn again and again from some, live by a policy.
// Each is posted within half an hour of the time of day of the one that it repeats.
func NewTraffic(tweets []Tweet, perDay int, p engagement.Policy, seed uint64) Traffic {
	lives := make([]Tweet, perDay)
	for i := range lives {
		t := &tweets[i%len(tweets)]
		t.prepare()
		lives[i] = *t
		shift := time.Duration((rand.New(rand.NewPCG(seed, uint64(i))).Float64() - 0.5) * float64(time.Hour)) // #nosec G404 -- for an experiment that can be repeated
		lives[i].Posted = (t.Posted + shift + 24*time.Hour) % (24 * time.Hour)
	}
	scores, looks := make([]Score, perDay), make([][]float64, perDay)
	plan := Follow(p)
	iter.ForEachIdx(lives, func(i int, t *Tweet) {
		looks[i] = plan(t, Horizon48.Seconds(), nil)
		scores[i] = t.score(looks[i], Horizon48.Seconds(), false)
	})
	traffic := Traffic{Summary: Summarize(scores, nil)}
	const day = 24 * 60 * 60
	for i, ages := range looks {
		last := -1.0
		for _, age := range ages {
			at := lives[i].Posted.Seconds() + age
			today := math.Floor(at / day)
			traffic.looks = append(traffic.looks, moment{at: at - today*day, first: today != last})
			last = today
		}
	}
	slices.SortFunc(traffic.looks, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	return traffic
}

// Bill is what the traffic of a day costs.
type Bill struct {
	Dollars float64
	Calls   int
	Charged int // tweets
	Busiest int // calls in the busiest minute
}

// Bill returns what the traffic costs at a provider whose calls take a number of ids, when
// what is due is looked up at intervals. All tweets are returned.
func (t Traffic) Bill(b engagement.Billing, ids int, every time.Duration) (out Bill) {
	minutes := make(map[int]int)
	for i := 0; i < len(t.looks); {
		window := math.Floor(t.looks[i].at / every.Seconds())
		asked, paid := 0, 0
		for ; i < len(t.looks) && asked < ids && math.Floor(t.looks[i].at/every.Seconds()) == window; i++ {
			asked++
			if !t.looks[i].first {
				paid++
			}
		}
		out.Dollars += b.Call(asked, paid)
		out.Charged += b.Charged(asked, paid)
		out.Calls++
		minute := int(window * every.Minutes())
		minutes[minute]++
		out.Busiest = max(out.Busiest, minutes[minute])
	}
	return out
}
