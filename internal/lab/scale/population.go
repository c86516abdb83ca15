package scale

import (
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
)

const (
	zones   = 1000
	span    = 30 * 24 * time.Hour // within which the tweets were posted, evenly
	liveIn  = 0.1                 // share of the tweets, the youngest, that are live
	horizon = 72 * time.Hour      // their age; the tiers end there

	// tiers are the schedule of the runs.
	tiers = "ultra_hot 1h 10m, hot 4h 30m, warm 72h 12h"

	// dueEvery is which of the live rows are due: one in so many.
	dueEvery = 10

	// longEvery is which of the tweets have many points: one in so many; the others have one.
	longEvery = 50
)

// population makes up the tweets of a database. A tweet is a function of its number, so that
// any part can be made again: by a run that goes on, and by the provider, for an id.
type population struct {
	tracked int
	long    int // points of a tweet that has many
	now     time.Time
	step    time.Duration // between the posts of two tweets
}

func newPopulation(tracked int, points float64, now time.Time) population {
	return population{tracked, 1 + int((points-1)*longEvery), now, span / time.Duration(tracked)}
}

// tweet is a made-up tweet.
type tweet struct {
	n      int
	row    uuid.UUID
	id     string
	zone   int // 0 is the largest
	posted time.Time
	final  [engagement.NumCounters]int32 // counts that it tends to
	seed   uint64
}

// live is how many tweets are live, the last ones.
func (p population) live() int { return int(float64(p.tracked) * liveIn) }

func (p population) isLive(n int) bool { return n >= p.tracked-p.live() }
func (p population) isDue(n int) bool  { return p.isLive(n) && n%dueEvery == 0 }

// pointsOf is how many points of history a tweet has.
func (p population) pointsOf(n int) int {
	if n%longEvery == 0 {
		return p.long
	}
	return 1
}

// zoneID is the id of a zone.
func zoneID(n int) uuid.UUID { return randomID(mix(uint64(n) + 1)) }

// tweet makes up a tweet. Zones follow Zipf's law with exponent 1 (the largest has a tenth),
// and so do counts: likes of a tweet in a thousand exceed 3,000.
func (p population) tweet(n int) tweet {
	seed := mix(uint64(n) + 1<<40)
	posted := p.now.Add(-span + time.Duration(n)*p.step).Truncate(time.Millisecond)
	t := tweet{n: n, id: engagement.TweetIDAt(posted, int64(n)), posted: posted, seed: seed, row: orderedID(posted, seed)}
	t.zone = min(int(math.Pow(zones, unit(seed)))-1, zones-1)
	likes := min(3/math.Pow(1-unit(mix(seed+1)), 1.0), 2e7)
	for i, share := range [engagement.NumCounters]float64{0.2, 0.1, 1, 0.02, 60, 0.05} {
		t.final[i] = int32(likes * share)
	}
	return t
}

// of returns the tweet with an id.
func (p population) of(id string) (tweet, bool) {
	posted, err := engagement.TweetCreatedAt(id)
	if err != nil {
		return tweet{}, false
	}
	n := int(posted.Sub(p.now.Add(-span)) / p.step)
	for _, n := range []int{n, n + 1} {
		if n >= 0 && n < p.tracked {
			if t := p.tweet(n); t.id == id {
				return t, true
			}
		}
	}
	return tweet{}, false
}

// counts are what the tweet has at an age: most come in the first hours.
func (t tweet) counts(age time.Duration) (c [engagement.NumCounters]int32) {
	grown := 1 - math.Exp(-age.Hours()/6)
	for i, n := range t.final {
		c[i] = int32(float64(n) * grown)
	}
	return c
}

// velocity is how many engagements an hour it gains at an age.
func (t tweet) velocity(age time.Duration) float64 {
	return float64(engagementOf(t.final)) / 6 * math.Exp(-age.Hours()/6)
}

func engagementOf(c [engagement.NumCounters]int32) int64 {
	return int64(c[engagement.Retweets]) + int64(c[engagement.Replies]) + int64(c[engagement.Likes]) + int64(c[engagement.Quotes])
}

// ageOf is the age at which point k of a tweet was taken: close to each other at first.
func (p population) ageOf(t tweet, k int) time.Duration {
	whole := min(p.now.Sub(t.posted), horizon)
	share := float64(k) / float64(p.pointsOf(t.n))
	return time.Duration(share * share * float64(whole))
}

// words make texts; "council" is what searches look for, in a tweet of a thousand.
func words() []string {
	return strings.Fields(`the a to of in and for on with at from by night city train station people market school minister
		report says after before storm river bridge team match final goal player music album release today tomorrow
		morning https://t.co/AbCdEf123 breaking thread photo video update local council`)
}

// text is of 20 to 280 characters.
func (t tweet) text(words []string) string {
	var b strings.Builder
	want := 20 + int(260*math.Pow(unit(mix(t.seed+2)), 1.5))
	rare := len(words) - 1
	if mix(t.seed+3)%1000 == 0 {
		b.WriteString(words[rare])
	}
	for i := uint64(10); b.Len() < want; i++ {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[mix(t.seed+i)%uint64(rare)])
	}
	s := b.String()
	return s[:min(len(s), 280)]
}

// author is the number of who wrote it: some write much.
func (t tweet) author() int { return int(math.Pow(200_000, unit(mix(t.seed+4)))) }

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit is in [0, 1).
func unit(seed uint64) float64 { return float64(seed>>11) / (1 << 53) }

// randomID is a version 4 UUID.
func randomID(seed uint64) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], seed)
	binary.BigEndian.PutUint64(id[8:], mix(seed+1))
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// orderedID is a version 7 UUID, as the engine makes them.
func orderedID(at time.Time, seed uint64) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|seed&0x0fff)
	binary.BigEndian.PutUint64(id[8:], mix(seed+1))
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}
