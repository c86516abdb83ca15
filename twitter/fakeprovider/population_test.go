package fakeprovider_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
	"gorgone/twitter/fakeprovider"
)

// start is when the populations of tests begin.
func start() time.Time { return time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC) }

// cascades are two made-up cascades: one of a burst, one of a trickle.
func cascades() []fakeprovider.Cascade {
	burst := make([]int32, 3000)
	trickle := make([]int32, 500)
	for i := range burst {
		burst[i] = int32(i / 3)
	}
	for i := range trickle {
		trickle[i] = int32(600 * i)
	}
	return []fakeprovider.Cascade{
		{Name: "burst", Retweets: burst, Followers: 1200},
		{Name: "trickle", Retweets: trickle, Followers: 90},
	}
}

func populations(t *testing.T, o fakeprovider.Options) map[string]*fakeprovider.Population {
	t.Helper()
	synthetic, err := fakeprovider.NewSynthetic(o)
	if err != nil {
		t.Fatal(err)
	}
	replay, err := fakeprovider.NewReplay(cascades(), o)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*fakeprovider.Population{"synthetic": synthetic, "replay": replay}
}

func TestCountersNeverFall(t *testing.T) {
	t.Parallel()
	o := fakeprovider.Options{N: 400, Seed: 7, Start: start(), Spread: 6 * time.Hour, AgedShare: 0.3, AgedBy: 24 * time.Hour}
	for name, p := range populations(t, o) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tweets := slices.Collect(p.All())
			rapid.Check(t, func(t *rapid.T) {
				tweet := rapid.SampledFrom(tweets).Draw(t, "tweet")
				age := rapid.Int64Range(0, int64(96*time.Hour))
				a, b := time.Duration(age.Draw(t, "a")), time.Duration(age.Draw(t, "b"))
				earlier, ok1 := p.MetricsAt(tweet.ID, tweet.CreatedAt.Add(min(a, b)))
				later, ok2 := p.MetricsAt(tweet.ID, tweet.CreatedAt.Add(max(a, b)))
				if !ok1 || !ok2 {
					t.Fatal("a posted tweet does not exist")
				}
				if err := later.Validate(); err != nil {
					t.Fatal(err)
				}
				if !atLeast(later, earlier) {
					t.Fatalf("fell from %v to %v", earlier, later)
				}
			})
		})
	}
}

func atLeast(later, earlier engagement.Metrics) bool {
	pairs := [][2]engagement.Count{
		{later.Retweets, earlier.Retweets},
		{later.Replies, earlier.Replies},
		{later.Likes, earlier.Likes},
		{later.Quotes, earlier.Quotes},
		{later.Views, earlier.Views},
		{later.Bookmarks, earlier.Bookmarks},
	}
	for _, p := range pairs {
		if !p[0].Known() || p[0].Value() < p[1].Value() {
			return false
		}
	}
	return true
}

func TestSameOptionsSamePopulation(t *testing.T) {
	t.Parallel()
	o := fakeprovider.Options{N: 300, Seed: 1, Start: start(), Spread: time.Hour}
	first, again := populations(t, o), populations(t, o)
	o.Seed = 2
	other := populations(t, o)
	for name := range first {
		var differ int
		others := slices.Collect(other[name].All())
		i := 0
		for tweet := range first[name].All() {
			at := tweet.CreatedAt.Add(3 * time.Hour)
			a, _ := first[name].MetricsAt(tweet.ID, at)
			b, ok := again[name].MetricsAt(tweet.ID, at)
			if !ok || a != b {
				t.Fatalf("%s: tweet %s is %v, and made again %v", name, tweet.ID, a, b)
			}
			if others[i] != tweet {
				differ++
			}
			i++
		}
		if differ < 250 {
			t.Errorf("%s: another seed changes only %d of 300 tweets", name, differ)
		}
	}
}

func TestTweetsOfAPopulation(t *testing.T) {
	t.Parallel()
	o := fakeprovider.Options{N: 2000, Seed: 3, Start: start(), Spread: 2 * time.Hour, AgedShare: 0.25, AgedBy: 10 * time.Hour}
	for name, p := range populations(t, o) {
		seen := make(map[string]bool)
		var aged int
		for tweet := range p.All() {
			created, err := engagement.TweetCreatedAt(tweet.ID)
			if err != nil || !created.Equal(tweet.CreatedAt) || seen[tweet.ID] || tweet.Text == "" || tweet.AuthorID == "" {
				t.Fatalf("%s: %+v: id says %s, %v", name, tweet, created, err)
			}
			seen[tweet.ID] = true
			age := start().Sub(tweet.CreatedAt)
			if age > 0 {
				aged++
			}
			if age > o.AgedBy || -age >= o.Spread {
				t.Fatalf("%s: posted at %s", name, tweet.CreatedAt)
			}
			if _, exists := p.MetricsAt(tweet.ID, tweet.CreatedAt.Add(-time.Millisecond)); exists {
				t.Fatalf("%s: %s is there before it is posted", name, tweet.ID)
			}
		}
		if len(seen) != o.N || aged < 400 || aged > 600 {
			t.Errorf("%s: %d tweets, %d aged; want 2000 and about 500", name, len(seen), aged)
		}
		if _, exists := p.MetricsAt("1", start()); exists {
			t.Errorf("%s: knows tweet 1", name)
		}
	}
}

// TestReplayIsExact checks the first tweets of a replay against their cascades.
func TestReplayIsExact(t *testing.T) {
	t.Parallel()
	p, err := fakeprovider.NewReplay(cascades(), fakeprovider.Options{N: 500, Start: start()})
	if err != nil {
		t.Fatal(err)
	}
	tweets := slices.Collect(p.All())
	for i, c := range cascades() {
		for _, second := range []int{0, 1, 59, 60, 599, 600, 601, 5000, 1_000_000} {
			var want int64
			for _, at := range c.Retweets {
				if int(at) <= second {
					want++
				}
			}
			m, _ := p.MetricsAt(tweets[i].ID, start().Add(time.Duration(second)*time.Second))
			if m.Retweets.Value() != want {
				t.Errorf("%s at %d s: %s retweets, want %d", c.Name, second, m.Retweets, want)
			}
		}
	}
	// The others are thinned copies of ordinary size.
	var sum, small int64
	for _, tweet := range tweets[2:] {
		m, _ := p.MetricsAt(tweet.ID, start().Add(1000*time.Hour))
		sum += m.Retweets.Value()
		if m.Retweets.Value() < 10 {
			small++
		}
	}
	if mean := float64(sum) / 498; mean < 12 || mean > 45 || small < 249 {
		t.Errorf("thinned copies: mean %.1f retweets, %d of 498 below 10; want about 25 and most", mean, small)
	}
}

// TestSyntheticFollowsTheKernel compares the whole population with the fitted
// log-normal kernel: of what comes in 48 h, half is there after about 40 min to 1 h.
func TestSyntheticFollowsTheKernel(t *testing.T) {
	t.Parallel()
	p, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: 20000, Seed: 11, Start: start()})
	if err != nil {
		t.Fatal(err)
	}
	share := func(age time.Duration) float64 {
		var part, whole float64
		for tweet := range p.All() {
			a, _ := p.MetricsAt(tweet.ID, start().Add(age))
			b, _ := p.MetricsAt(tweet.ID, start().Add(48*time.Hour))
			// Likes are finer-grained than retweets, so small tweets count too.
			part += float64(a.Likes.Value()) / max(1, float64(b.Likes.Value()))
			whole++
		}
		return part / whole
	}
	for age, want := range map[time.Duration]float64{10 * time.Minute: .26, time.Hour: .55, 4 * time.Hour: .78, 12 * time.Hour: .90} {
		if got := share(age); got < want-.1 || got > want+.1 {
			t.Errorf("at %s %.2f of the engagement is there, want about %.2f", age, got, want)
		}
	}
}

func TestPopulationOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]fakeprovider.Options{
		"no tweets":        {Start: start()},
		"too many tweets":  {N: fakeprovider.MaxTweets + 1, Start: start()},
		"no start":         {N: 1},
		"before Twitter":   {N: 1, Start: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)},
		"negative spread":  {N: 1, Start: start(), Spread: -1},
		"share of aged":    {N: 1, Start: start(), AgedShare: 1.5},
		"negative aged by": {N: 1, Start: start(), AgedBy: -1},
	} {
		if _, err := fakeprovider.NewSynthetic(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := fakeprovider.NewReplay(nil, fakeprovider.Options{N: 1, Start: start()}); err == nil {
		t.Error("a replay of nothing is accepted")
	}
}

const cascadeFile = "#cascade\tstart\tseconds\tfollowers\n" +
	"RT1\t0.5\t0 3 3 900\t1200 5 0 77\n" +
	"\n" +
	"RT2\t1.25\t0\t9\n"

func TestLoadCascades(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(cascadeFile)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"plain": cascadeFile, "gzip": zipped.String()} {
		got, err := fakeprovider.LoadCascades(strings.NewReader(file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := []fakeprovider.Cascade{{Name: "RT1", Retweets: []int32{3, 3, 900}, Followers: 1200, Posted: 12 * time.Hour}, {Name: "RT2", Retweets: []int32{}, Followers: 9, Posted: 30 * time.Hour}}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v", name, got)
		}
	}
	for name, c := range map[string]struct{ file, says string }{
		"nothing":     {"", "none"},
		"comments":    {"# only\n", "none"},
		"fields":      {"RT1\t0.5\t0\n", "line 1: 3 fields"},
		"number":      {"RT1\t0.5\t0 x\t1\n", "line 1: event 2"},
		"order":       {"RT1\t0.5\t0 9 8\t1\n", "before the one in front"},
		"first event": {"RT1\t0.5\t4 9\t1\n", "the tweet itself"},
		"no events":   {"RT1\t0.5\t\t1\n", "no events"},
		"followers":   {"# x\nRT1\t0.5\t0\tmany\n", "line 2: followers"},
		"broken gzip": {"\x1f\x8b garbage", "gzip"},
	} {
		if _, err := fakeprovider.LoadCascades(strings.NewReader(c.file)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want it to say %q", name, err, c.says)
		}
	}
}

func FuzzLoadCascades(f *testing.F) {
	f.Add([]byte(cascadeFile))
	f.Fuzz(func(t *testing.T, file []byte) {
		cascades, err := fakeprovider.LoadCascades(bytes.NewReader(file))
		if err != nil {
			return
		}
		if _, err := fakeprovider.NewReplay(cascades, fakeprovider.Options{N: len(cascades), Start: start()}); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkMetricsAt(b *testing.B) {
	p, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: 100_000, Start: start(), Spread: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	var ids []string
	for tweet := range p.All() {
		ids = append(ids, tweet.ID)
	}
	at := start().Add(5 * time.Hour)
	for i := 0; b.Loop(); i++ {
		p.MetricsAt(ids[i%len(ids)], at)
	}
}

// TestSteady looks at each tweet twice, two minutes apart: the counters of a tweet have
// grown or stayed, and which is known beforehand.
func TestSteady(t *testing.T) {
	t.Parallel()
	o := fakeprovider.Options{N: 1000, Seed: 3, Start: start(), Spread: time.Hour}
	p, err := fakeprovider.NewSteady(o, 0.75)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for tweet := range p.All() {
		at := start().Add(2 * time.Hour)
		before, _ := p.MetricsAt(tweet.ID, at)
		after, _ := p.MetricsAt(tweet.ID, at.Add(2*time.Minute))
		grown := after.Retweets.Value() > before.Retweets.Value() && after.Likes.Value() > before.Likes.Value() && after.Views.Value() > before.Views.Value()
		if idle := i%100 < 75; idle != (before == after) || idle == grown {
			t.Fatalf("tweet %d: %+v, then %+v", i, before, after)
		}
		i++
	}
	if _, err := fakeprovider.NewSteady(o, 1.1); err == nil {
		t.Error("a share of 1.1 is taken")
	}
}
