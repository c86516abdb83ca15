package simulate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorgone/engagement"
	"gorgone/twitter/fakeprovider"
)

// MinTweets is how small a half of a [Population] may be.
const MinTweets = 20

// Population is the tweets of a simulation, split in two by tweet.
type Population struct {
	Name  string
	Train []Tweet // for whatever is fitted or tuned
	Test  []Tweet // for what is reported
}

// split parts tweets in two halves by a seeded shuffle.
func split(name string, tweets []Tweet, seed uint64) Population {
	r := rand.New(rand.NewPCG(seed, 1))
	order := r.Perm(len(tweets))
	p := Population{Name: name}
	for i, j := range order {
		if i < len(order)/2 {
			p.Train = append(p.Train, tweets[j])
		} else {
			p.Test = append(p.Test, tweets[j])
		}
	}
	return p
}

// Cascades makes a population of real retweet cascades as they were.
func Cascades(cascades []fakeprovider.Cascade, seed uint64) Population {
	tweets := make([]Tweet, len(cascades))
	for i, c := range cascades {
		events := make([]float64, len(c.Retweets))
		for j, at := range c.Retweets {
			events[j] = float64(at)
		}
		tweets[i] = Tweet{ID: c.Name, Parent: i, Posted: c.Posted, Events: clean(events)}
	}
	return split("cascades", tweets, seed)
}

// Thinning says how ordinary tweets are made of popular ones.
type Thinning struct {
	PerParent int // tweets made of each cascade, half of them for training
	Seed      uint64
}

// authorShare is how much of the variance of a tweet's size (as a normal score) is
// its author's. With the sizes of pareto the rest leaves the tweets of one author a
// log-standard deviation of 1.0.
const authorShare = 0.37

// KnownUntil returns the population with those test tweets only of which it is known
// what came up to an age.
func (p Population) KnownUntil(age time.Duration) Population {
	p.Test = slices.DeleteFunc(slices.Clone(p.Test), func(t Tweet) bool { return !t.known(age) })
	return p
}

// ByParent splits a population again, so that tweets of the same parent are in the same
// half.
func (p Population) ByParent(seed uint64) Population {
	all := append(append([]Tweet(nil), p.Train...), p.Test...)
	parents := 0
	for _, t := range all {
		parents = max(parents, t.Parent+1)
	}
	order := rand.New(rand.NewPCG(seed, 1)).Perm(parents)
	learns := make(map[int]bool, parents)
	for _, parent := range order[:parents/2] {
		learns[parent] = true
	}
	parted := Population{Name: p.Name + ", by parent"}
	for _, t := range all {
		if learns[t.Parent] {
			parted.Train = append(parted.Train, t)
		} else {
			parted.Test = append(parted.Test, t)
		}
	}
	return parted
}

// Thinned makes a population of ordinary tweets: every event of a cascade is kept
// with the same small probability, which keeps the real rhythm. The sizes aimed at
// are Pareto (index 0.7, from 2 to 1000, mean about 25). A parent stands for an
// author, whose tweets have sizes alike up to log-normal noise of 1.0: so much does
// what the author's training tweets got say about another.
func Thinned(cascades []fakeprovider.Cascade, o Thinning) Population {
	p := Population{Name: "thinned"}
	order := rand.New(rand.NewPCG(o.Seed, 2)).Perm(len(cascades))
	for parent, c := range cascades {
		r := rand.New(rand.NewPCG(o.Seed, uint64(parent)+1000))
		// Authors are spread evenly over their distribution, or the mean would
		// hang on whether a few of them happen to be large.
		author := normalQuantile((float64(order[parent]) + r.Float64()) / float64(len(cascades)))
		for i := range o.PerParent {
			score := math.Sqrt(authorShare)*author + math.Sqrt(1-authorShare)*r.NormFloat64()
			size := pareto(math.Erfc(-score/math.Sqrt2) / 2)
			t := Tweet{ID: fmt.Sprintf("%s.%d", c.Name, i), Parent: parent, Posted: c.Posted, Events: thin(c.Retweets, size, r)}
			if i%2 == 0 {
				p.Train = append(p.Train, t)
			} else {
				p.Test = append(p.Test, t)
			}
		}
	}
	return p
}

func normalQuantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// pareto returns the size below which a share of all lies.
func pareto(share float64) float64 {
	const index, least, most = 0.7, 2, 1000
	cut := 1 - math.Pow(float64(least)/most, index)
	return least * math.Pow(1-cut*share, -1/index)
}

func thin(events []int32, size float64, r *rand.Rand) []float64 {
	keep := min(size/float64(max(len(events), 1)), 1)
	var kept []float64
	for _, at := range events {
		if r.Float64() < keep {
			kept = append(kept, float64(at))
		}
	}
	return kept
}

// WithAuthors returns the population with [Tweet.Expected] of the test tweets from
// the training tweets of the same parent, and that of the training tweets from the
// parent's other training tweets.
func (p Population) WithAuthors(m engagement.Model, age float64) Population {
	past := map[int][]engagement.PastTweet{}
	for _, t := range p.Train {
		past[t.Parent] = append(past[t.Parent], engagement.PastTweet{Total: int64(t.CountAt(age)), Age: seconds(age)})
	}
	with := Population{Name: p.Name + ", author known", Train: append([]Tweet(nil), p.Train...), Test: append([]Tweet(nil), p.Test...)}
	for i := range with.Test {
		with.Test[i].Expected = m.Expect(past[with.Test[i].Parent])
	}
	nth := map[int]int{}
	for i := range with.Train {
		t := &with.Train[i]
		k := nth[t.Parent]
		nth[t.Parent]++
		others := append(append([]engagement.PastTweet(nil), past[t.Parent][:k]...), past[t.Parent][k+1:]...)
		t.Expected = m.Expect(others)
	}
	return with
}

// FoundAt returns the population with all test tweets collected at an age.
func (p Population) FoundAt(age time.Duration) Population {
	p.Test = append([]Tweet(nil), p.Test...)
	for i := range p.Test {
		p.Test[i].Found = age.Seconds()
	}
	return p
}

// Threads makes a population of reply threads. The time of the tweet itself is not
// known: the first reply stands for it, and its hour is drawn.
func Threads(r io.Reader, seed uint64) (Population, error) {
	in := bufio.NewReader(r)
	if magic, err := in.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return Population{}, fmt.Errorf("read threads: %w", err)
		}
		in = bufio.NewReader(unzipped)
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 4<<20)
	var tweets []Tweet
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 3 {
			return Population{}, fmt.Errorf("read threads: line %d: %d fields parted by tabs, want 3: id, number of replies, seconds from one to the next", n, len(fields))
		}
		var (
			events []float64
			at     float64
		)
		for i, text := range strings.Fields(fields[2]) {
			gap, err := strconv.ParseFloat(text, 64)
			if err != nil || gap < 0 {
				return Population{}, fmt.Errorf("read threads: line %d: reply %d: %q is not a number of seconds", n, i+1, text)
			}
			at += gap
			if i > 0 {
				events = append(events, at)
			}
		}
		tweets = append(tweets, Tweet{ID: fields[0], Parent: len(tweets), Posted: anyHour(seed, len(tweets)), Events: events})
	}
	if err := lines.Err(); err != nil {
		return Population{}, fmt.Errorf("read threads: %w", err)
	}
	if len(tweets) == 0 {
		return Population{}, errors.New("read threads: there are none in it")
	}
	return split("replies", tweets, seed), nil
}

// Synthetic draws n tweets from fitted kernels: sizes Pareto (index 0.7 from 2 to
// 1000), one in ten popular with 300 to 20,000, ages log-normal with sigma 2 around
// a median that varies from tweet to tweet (54 min, log-standard deviation 1.2).
func Synthetic(n int, seed uint64) Population {
	tweets := make([]Tweet, n)
	for i := range tweets {
		r := rand.New(rand.NewPCG(seed, uint64(i)+1))
		size := pareto(r.Float64())
		if r.Float64() < 0.1 {
			size = 300 * math.Pow(20000.0/300, r.Float64())
		}
		median := 54 * 60 * math.Exp(1.2*r.NormFloat64())
		events := make([]float64, 0, int(size))
		for range int(size) {
			if at := median * math.Exp(2*r.NormFloat64()); at < 7*24*3600 {
				events = append(events, at)
			}
		}
		tweets[i] = Tweet{ID: "s" + strconv.Itoa(i), Parent: i, Posted: anyHour(seed, i), Events: clean(events)}
	}
	return split("synthetic", tweets, seed)
}

// anyHour draws the time of the day of a post.
func anyHour(seed uint64, i int) time.Duration {
	return time.Duration(rand.New(rand.NewPCG(seed, uint64(i)+1_000_000)).Float64() * float64(24*time.Hour))
}

// countryClock is how active the audience of one country is by hour of the day: at
// night a seventh of the evening's rate.
func countryClock(hour float64) float64 {
	return (4 - 3*math.Cos((hour-3)*math.Pi/12)) / 7
}

// SyntheticCountry is [Synthetic] in one country: its tweets are posted and get their
// engagement when it is awake.
func SyntheticCountry(n int, seed uint64) Population {
	p := Synthetic(n, seed)
	p.Name = "synthetic, one country"
	for _, tweets := range [][]Tweet{p.Train, p.Test} {
		for i := range tweets {
			t := &tweets[i]
			r := rand.New(rand.NewPCG(seed+2, uint64(t.Parent)))
			for r.Float64() > countryClock(t.Posted.Hours()) {
				t.Posted = time.Duration(r.Float64() * float64(24*time.Hour))
			}
			t.Events = slices.DeleteFunc(t.Events, func(at float64) bool {
				return r.Float64() > countryClock(t.Posted.Hours()+at/3600)
			})
		}
	}
	return p
}
