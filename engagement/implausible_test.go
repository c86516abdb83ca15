package engagement_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gorgone/engagement"
)

// population is tweets with their true counts at two look-ups of an answer, made by a model
// of how tweets grow that the rule does not know.
type population struct {
	random *rand.Rand
	tweets []engagement.Change
}

// newPopulation draws n tweets. Sizes are log-normal over several powers of ten, growth is
// that of a saturating curve whose pace differs between tweets, and people undo a few likes.
func newPopulation(seed uint64, n int) population {
	r := rand.New(rand.NewPCG(seed, 8))
	p := population{random: r, tweets: make([]engagement.Change, n)}
	gap := time.Duration(5+r.IntN(240)) * time.Minute
	for i := range p.tweets {
		age := time.Duration(1+r.IntN(24*60)) * time.Minute
		size := math.Exp(r.NormFloat64()*2 + 4)
		half := float64(20+r.IntN(600)) * float64(time.Minute)
		power := 0.6 + r.Float64()
		grown := func(age time.Duration) float64 {
			x := math.Pow(float64(age)/half, power)
			return size * x / (1 + x)
		}
		before, now := grown(age), grown(age+gap)
		c := &p.tweets[i]
		c.AgeBefore, c.AgeNow = age, age+gap
		ratio := [6]float64{0.2, 0.1, 1, 0.03, 60, 0.05}
		for which, count := range fieldsOf(c) {
			was := int64(before * ratio[which])
			is := max(int64(now*ratio[which]), was)
			if r.IntN(4) == 0 {
				is -= was / 50 // undone
			}
			*count[0], *count[1] = engagement.Known(was), engagement.Known(is)
		}
	}
	return p
}

// fieldsOf returns each counter before and now.
func fieldsOf(c *engagement.Change) [6][2]*engagement.Count {
	b, n := &c.Before, &c.Now
	return [6][2]*engagement.Count{
		{&b.Retweets, &n.Retweets},
		{&b.Replies, &n.Replies},
		{&b.Likes, &n.Likes},
		{&b.Quotes, &n.Quotes},
		{&b.Views, &n.Views},
		{&b.Bookmarks, &n.Bookmarks},
	}
}

// times multiplies some counters of all tweets.
func (p population) times(factor float64, counters ...int) {
	for i := range p.tweets {
		for _, which := range counters {
			now := fieldsOf(&p.tweets[i])[which][1]
			*now = engagement.Known(min(int64(factor*float64(now.Value())), engagement.MaxCount/8))
		}
	}
}

func (p population) shuffle() {
	p.random.Shuffle(len(p.tweets), func(i, j int) { p.tweets[i].Now, p.tweets[j].Now = p.tweets[j].Now, p.tweets[i].Now })
}

// TestFaultsAcrossAnAnswerAreNotBelieved: of an answer whose counts a fault has changed no
// tweet is believed, and of an honest one all are, also one that loses most of its likes and
// one that goes viral.
func TestFaultsAcrossAnAnswerAreNotBelieved(t *testing.T) {
	t.Parallel()
	all := []int{0, 1, 2, 3, 4, 5}
	for name, tc := range map[string]struct {
		change func(population)
		fault  bool
	}{
		"honest":         {func(population) {}, false},
		"likes halved":   {func(p population) { p.times(0.5, 2) }, true},
		"all halved":     {func(p population) { p.times(0.5, all...) }, true},
		"a tenth":        {func(p population) { p.times(0.1, all...) }, true},
		"likes x 1000":   {func(p population) { p.times(1000, 2) }, true},
		"all x 1000":     {func(p population) { p.times(1000, all...) }, true},
		"views x 1000":   {func(p population) { p.times(1000, 4) }, true},
		"shuffled":       {population.shuffle, true},
		"all the same":   {func(p population) { same(p, p.tweets[0].Now) }, true},
		"likes as views": {likesAsViews, true},
		"a purge": {func(p population) {
			p.tweets[0].Now.Likes = engagement.Known(p.tweets[0].Now.Likes.Value() / 10)
		}, false},
		"a viral one": {func(p population) { p.viral(0) }, false},
		"both": {func(p population) {
			p.viral(0)
			p.tweets[1].Now = engagement.Metrics{
				Retweets: engagement.Known(1), Replies: engagement.Known(0), Likes: engagement.Known(3),
				Quotes: engagement.Known(0), Views: p.tweets[1].Now.Views, Bookmarks: engagement.Known(0),
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(300) {
				p := newPopulation(seed, 20+int(seed)%81)
				tc.change(p)
				z := engagement.FindZeroed(p.tweets)
				for i, c := range p.tweets {
					got, err := z.Clean(c)
					switch {
					case tc.fault && err == nil:
						t.Fatalf("seed %d, tweet %d: believed %+v", seed, i, c)
					case !tc.fault && (err != nil || got != c.Now):
						t.Fatalf("seed %d, tweet %d: %v, %+v of %+v", seed, i, err, got, c)
					}
				}
			}
		})
	}
}

func same(p population, m engagement.Metrics) {
	for i := range p.tweets {
		p.tweets[i].Now = m
	}
}

func likesAsViews(p population) {
	for i := range p.tweets {
		n := &p.tweets[i].Now
		n.Likes, n.Views = n.Views, n.Likes
	}
}

func (p population) viral(i int) {
	for _, count := range fieldsOf(&p.tweets[i]) {
		*count[1] = engagement.Known(1000*count[1].Value() + 5000)
	}
}

// TestWhatIsSaidLongEnoughIsBelieved: a provider that corrected its counts is believed when
// it has said so for two hours, and a single tweet at once.
func TestWhatIsSaidLongEnoughIsBelieved(t *testing.T) {
	t.Parallel()
	p := newPopulation(1, 50)
	p.times(0.5, 2)
	for i := range p.tweets {
		p.tweets[i].Refused = 7
	}
	if z := engagement.FindZeroed(p.tweets); !z.Any() {
		t.Error("believed after 7 times")
	}
	p.tweets[0].Refused = 8
	z := engagement.FindZeroed(p.tweets)
	if got, err := z.Clean(p.tweets[0]); err != nil || got != p.tweets[0].Now {
		t.Errorf("refused after 8 times: %v", err)
	}
	if _, err := z.Clean(p.tweets[1]); !errors.Is(err, engagement.ErrImplausible) {
		t.Errorf("another one is %v", err)
	}
	if z := engagement.FindZeroed(p.tweets[1:2]); z.Any() {
		t.Error("a single tweet is refused")
	}
}
