package fakeprovider_test

import (
	"container/heap"
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/twitter/fakeprovider"
)

// lives are tweets as an engine looks them up: on its tiers, those that are due together in
// one call.
type lives struct {
	population *fakeprovider.Population
	random     *rand.Rand
	tweets     []*life

	answers, doubted  int           // with two tweets or more
	readings, refused int           // of tweets
	longest           time.Duration // from the first refusal of a tweet to its next reading
	lost              int           // tweets whose last reading was refused
}

type life struct {
	engagement.Tracking

	refusedSince time.Time
}

func (l *life) due() time.Time {
	if l.RetryAt.After(l.NextUpdateAt) {
		return l.RetryAt
	}
	return l.NextUpdateAt
}

// play looks the tweets of a population up until all are cold. Nothing is looked up in the
// given outage; change, which may be nil, makes other counts of true ones.
func play(t *testing.T, p *fakeprovider.Population, outage [2]time.Time, change func(at time.Time, m engagement.Metrics) engagement.Metrics) *lives {
	t.Helper()
	const perCall = 50
	s := &lives{population: p, random: rand.New(rand.NewPCG(1, 13))}
	queue := new(dueQueue)
	for tw := range p.All() {
		collected := tw.CreatedAt.Add(time.Duration(1+s.random.IntN(300)) * time.Second)
		tracking := engagement.Tracking{TweetID: tw.ID, CreatedAt: tw.CreatedAt}
		if s.random.IntN(2) == 0 { // with the counts of its collection
			tracking.Metrics, _ = p.MetricsAt(tw.ID, collected)
		}
		u, err := engagement.Track(engagement.DefaultTierPolicy(), tracking, collected)
		if err != nil {
			t.Fatal(err)
		}
		l := &life{Tracking: u.Tracking}
		s.tweets = append(s.tweets, l)
		heap.Push(queue, l)
	}
	for queue.Len() > 0 {
		now := (*queue)[0].due().Truncate(5 * time.Second).Add(5 * time.Second) // the dispatcher's tick
		if !now.Before(outage[0]) && now.Before(outage[1]) {
			now = outage[1]
		}
		var together []*life
		for queue.Len() > 0 && len(together) < perCall && !(*queue)[0].due().After(now) {
			together = append(together, heap.Pop(queue).(*life)) //nolint:forcetypeassert // it holds nothing else
		}
		s.answer(t, now, together, change)
		for _, l := range together {
			if !l.NextUpdateAt.IsZero() {
				heap.Push(queue, l)
			} else if !l.refusedSince.IsZero() {
				s.lost++
			}
		}
	}
	return s
}

func (s *lives) answer(t *testing.T, now time.Time, together []*life, change func(time.Time, engagement.Metrics) engagement.Metrics) {
	t.Helper()
	observations := make([]engagement.Observation, len(together))
	changes := make([]engagement.Change, len(together))
	for i, l := range together {
		m, _ := s.population.MetricsAt(l.TweetID, now)
		if change != nil {
			m = change(now, m)
		}
		observations[i] = engagement.Observation{At: now, Metrics: m}
		changes[i] = engagement.NewChange(l.Tracking, observations[i])
	}
	zeroed := engagement.FindZeroed(changes)
	if len(together) > 1 {
		s.answers++
	}
	doubted := false
	for i, l := range together {
		s.readings++
		m, err := zeroed.Clean(changes[i])
		if err != nil {
			if !errors.Is(err, engagement.ErrImplausible) {
				t.Fatalf("%v of a true reading", err)
			}
			s.refused++
			doubted = true
			if l.refusedSince.IsZero() {
				l.refusedSince = now
			}
			wait := engagement.Backoff(l.Attempts+1, 30*time.Second, time.Hour, s.random.Float64())
			l.Tracking = engagement.Fail(l.Tracking, now.Add(wait))
			continue
		}
		observations[i].Metrics = m
		u, err := engagement.Observe(engagement.DefaultTierPolicy(), l.Tracking, observations[i], now)
		if err != nil {
			t.Fatal(err)
		}
		if l.Tracking = u.Tracking; !l.refusedSince.IsZero() {
			s.longest = max(s.longest, now.Sub(l.refusedSince))
			l.refusedSince = time.Time{}
		}
	}
	if doubted {
		s.doubted++
	}
}

// dueQueue is a heap of tweets, of which the first is due first.
type dueQueue []*life

func (q *dueQueue) Len() int           { return len(*q) }
func (q *dueQueue) Less(i, j int) bool { return (*q)[i].due().Before((*q)[j].due()) }
func (q *dueQueue) Swap(i, j int)      { (*q)[i], (*q)[j] = (*q)[j], (*q)[i] }
func (q *dueQueue) Push(l any)         { *q = append(*q, l.(*life)) } //nolint:forcetypeassert // of a heap of these
func (q *dueQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// longestHold is how long a tweet's true reading may be refused at most: eight refusals, each
// followed by twice the wait of the one before, from 30 s to an hour, and the dispatcher's tick.
const longestHold = 125 * time.Minute

// TestAJumpThatIsTrueIsBelievedWithinTwoHours: the counts of all tweets change at once and
// stay so, as when a provider has corrected them. Every tweet shows the new ones before long,
// and none goes cold before.
func TestAJumpThatIsTrueIsBelievedWithinTwoHours(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for name, factor := range map[string]float64{"halved": 0.5, "times 50": 50} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: 2000, Seed: 3, Start: start, Spread: 24 * time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			since := start.Add(20 * time.Hour)
			s := play(t, p, [2]time.Time{}, func(at time.Time, m engagement.Metrics) engagement.Metrics {
				if at.Before(since) {
					return m
				}
				times := func(c engagement.Count) engagement.Count { return engagement.Known(int64(factor * float64(c.Value()))) }
				return engagement.Metrics{
					Retweets: times(m.Retweets), Replies: times(m.Replies), Likes: times(m.Likes),
					Quotes: times(m.Quotes), Views: times(m.Views), Bookmarks: times(m.Bookmarks),
				}
			})
			t.Logf("%d of %d answers doubted, %d readings refused, for %s at most, %d lost", s.doubted, s.answers, s.refused, s.longest, s.lost)
			if s.refused == 0 || s.longest > longestHold || s.lost > 0 {
				t.Errorf("%d readings refused, for %s at most, %d tweets went cold with counts that were refused", s.refused, s.longest, s.lost)
			}
		})
	}
}

// TestTrueCountsAreBelieved: over the lives of synthetic tweets, and of real cascades where
// GORGONE_CASCADES names a file of them, hardly an answer is doubted, no tweet for long, and
// none goes cold with counts that were refused; with few tweets and with many, and after an
// outage of three hours.
func TestTrueCountsAreBelieved(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	populations := map[string]func(n int, seed uint64) (*fakeprovider.Population, error){
		"synthetic": func(n int, seed uint64) (*fakeprovider.Population, error) {
			return fakeprovider.NewSynthetic(fakeprovider.Options{N: n, Seed: seed, Start: start, Spread: 24 * time.Hour})
		},
	}
	if name := os.Getenv("GORGONE_CASCADES"); name != "" {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cascades, err := fakeprovider.LoadCascades(f)
		if err != nil {
			t.Fatal(err)
		}
		populations["real cascades"] = func(n int, seed uint64) (*fakeprovider.Population, error) {
			return fakeprovider.NewReplay(cascades, fakeprovider.Options{N: n, Seed: seed, Start: start, Spread: 24 * time.Hour})
		}
	}
	for name, population := range populations {
		for _, n := range []int{30, 300, 3000} {
			for _, outage := range []time.Duration{0, 3 * time.Hour} {
				var all lives
				for seed := range uint64(max(3000/n, 1)) {
					p, err := population(n, seed)
					if err != nil {
						t.Fatal(err)
					}
					from := start.Add(9 * time.Hour)
					s := play(t, p, [2]time.Time{from, from.Add(outage)}, nil)
					all.answers, all.doubted, all.readings, all.refused = all.answers+s.answers, all.doubted+s.doubted, all.readings+s.readings, all.refused+s.refused
					all.longest, all.lost = max(all.longest, s.longest), all.lost+s.lost
				}
				if 1000*all.doubted > all.answers || all.longest > longestHold || all.lost > 0 {
					t.Errorf("%s, %d a day, outage of %s: too much is refused, or for too long", name, n, outage)
				}
				t.Logf("%s, %d a day, outage of %s: %d of %d answers doubted (%.3f%%), %d of %d readings refused (%.4f%%), for %s at most, %d lost",
					name, n, outage, all.doubted, all.answers, 100*float64(all.doubted)/float64(all.answers), all.refused, all.readings,
					100*float64(all.refused)/float64(all.readings), all.longest.Round(time.Second), all.lost)
			}
		}
	}
}
