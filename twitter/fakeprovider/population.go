package fakeprovider

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"gorgone/engagement"
)

// MaxTweets is how many tweets a population can have: their ids carry their
// number in the 22 bits below the time.
const MaxTweets = 1 << 22

// Options shape a population.
type Options struct {
	// N is the number of tweets, 1 to [MaxTweets].
	N int
	// Seed makes one population differ from another. The same options give the same
	// population.
	Seed uint64
	// Start and Spread: tweets are posted evenly over [Start, Start+Spread), in no
	// particular order. A zero Spread posts all at Start.
	Start  time.Time
	Spread time.Duration
	// AgedShare of the tweets, 0 to 1, are posted before Start instead: evenly over
	// the time AgedBy before it.
	AgedShare float64
	AgedBy    time.Duration
}

func (o Options) validate() error {
	var faults []error
	if o.N < 1 || o.N > MaxTweets {
		faults = append(faults, fmt.Errorf("%d tweets: must be 1 to %d", o.N, MaxTweets))
	}
	if o.Start.IsZero() {
		faults = append(faults, errors.New("the start of the population is not set"))
	}
	if o.Spread < 0 || o.AgedBy < 0 {
		faults = append(faults, fmt.Errorf("spread %s, aged by %s: must not be negative", o.Spread, o.AgedBy))
	}
	if !(o.AgedShare >= 0 && o.AgedShare <= 1) {
		faults = append(faults, fmt.Errorf("share of aged tweets %g: must be 0 to 1", o.AgedShare))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("make a population: %w", err)
	}
	return nil
}

// Population is a set of tweets whose counters grow with time. It does not change
// once made, and is safe for concurrent use.
//
// Only retweets are known of real tweets. The other counters are derived from
// them, continuously between two retweets: in the median 4 likes, 0.3 replies, 0.12
// quotes, 0.5 bookmarks and 250 views a retweet, each ratio drawn once a tweet with
// a log-normal spread of 0.5, and some views before any retweet. All are whole
// numbers and never fall.
type Population struct {
	tweets []tweet
}

// tweet is one tweet of a population. There may be millions.
type tweet struct {
	id     int64
	posted int64 // Unix milliseconds
	author int32
	curve  curve
	ratios ratios
}

// Tweet is what does not change about a tweet of a population.
type Tweet struct {
	ID        string
	AuthorID  string
	Username  string // of the author
	CreatedAt time.Time
	Text      string
}

// newPopulation posts tweets whose curves are made by draw, which is called once
// for each number in order.
func newPopulation(o Options, draw func(i int, random *rand.Rand) curve) (*Population, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(o.Seed, 0x676f7267))
	p := &Population{tweets: make([]tweet, o.N)}
	authors := max(o.N/20, 1)
	for i := range p.tweets {
		posted := o.Start.Add(time.Duration(random.Float64() * float64(o.Spread)))
		if random.Float64() < o.AgedShare {
			posted = o.Start.Add(-time.Duration((1 - random.Float64()) * float64(o.AgedBy)))
		}
		id, err := strconv.ParseInt(engagement.TweetIDAt(posted, int64(i)), 10, 64)
		if err != nil || id <= 0 {
			return nil, fmt.Errorf("make a population: no tweet has an id that was posted at %s", posted)
		}
		p.tweets[i] = tweet{
			id:     id,
			posted: posted.UnixMilli(),
			author: int32(random.IntN(authors)),
			curve:  draw(i, random),
			ratios: drawRatios(random),
		}
	}
	return p, nil
}

// Len returns the number of tweets.
func (p *Population) Len() int { return len(p.tweets) }

// All returns the tweets in order of their numbers, which is no order of time.
func (p *Population) All() iter.Seq[Tweet] {
	return func(yield func(Tweet) bool) {
		for i := range p.tweets {
			if !yield(p.tweet(i)) {
				return
			}
		}
	}
}

// Tweet returns a tweet by its id.
func (p *Population) Tweet(id string) (Tweet, bool) {
	i, ok := p.find(id)
	if !ok {
		return Tweet{}, false
	}
	return p.tweet(i), true
}

// MetricsAt returns the counters of a tweet at time t, all six of them. There are
// none, and exists is false, when the population has no such tweet or it is not
// posted yet. It takes well under a microsecond.
func (p *Population) MetricsAt(id string, t time.Time) (m engagement.Metrics, exists bool) {
	i, ok := p.find(id)
	if !ok || t.UnixMilli() < p.tweets[i].posted {
		return engagement.Metrics{}, false
	}
	c := p.tweets[i].countsAt(t)
	return engagement.Metrics{
		Retweets:  engagement.Known(c.retweets),
		Replies:   engagement.Known(c.replies),
		Likes:     engagement.Known(c.likes),
		Quotes:    engagement.Known(c.quotes),
		Views:     engagement.Known(c.views),
		Bookmarks: engagement.Known(c.bookmarks),
	}, true
}

func (p *Population) find(id string) (int, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0, false
	}
	i := int(n & (MaxTweets - 1))
	return i, i < len(p.tweets) && p.tweets[i].id == n
}

func (p *Population) tweet(i int) Tweet {
	t := &p.tweets[i]
	return Tweet{
		ID:        strconv.FormatInt(t.id, 10),
		AuthorID:  strconv.FormatInt(authorID(t.author), 10),
		Username:  "reader_" + strconv.FormatInt(int64(t.author), 10),
		CreatedAt: time.UnixMilli(t.posted).UTC(),
		Text:      texts[i%len(texts)],
	}
}

func authorID(author int32) int64 { return 1_000_000_007 + int64(author)*7919 }

// counts are the counters of a tweet at one moment.
type counts struct {
	retweets, replies, likes, quotes, views, bookmarks int64
}

func (t *tweet) countsAt(at time.Time) counts {
	age := float64(at.UnixMilli()-t.posted) / 1000
	retweets, spread := t.curve.at(age)
	r := &t.ratios
	return counts{
		retweets:  retweets,
		replies:   int64(float64(r.replies) * spread),
		likes:     int64(float64(r.likes) * spread),
		quotes:    int64(float64(r.quotes) * spread),
		views:     int64(float64(r.views)*spread + float64(r.reach)*(1-3600/(age+3600))),
		bookmarks: int64(float64(r.bookmarks) * spread),
	}
}

// ratios are how many of each counter a retweet brings, and how many views a
// tweet gets without any.
type ratios struct {
	replies, likes, quotes, views, bookmarks, reach float32
}

func drawRatios(random *rand.Rand) ratios {
	around := func(median float64) float32 {
		return float32(median * math.Exp(0.5*random.NormFloat64()))
	}
	return ratios{
		replies:   around(0.3),
		likes:     around(4),
		quotes:    around(0.12),
		views:     around(250),
		bookmarks: around(0.5),
		reach:     around(60),
	}
}
