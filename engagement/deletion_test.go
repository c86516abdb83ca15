package engagement_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// schedule draws a world whose faults begin and end within a day: always one of the
// nasty ones, and up to four more. All look-ups may be small ones, of one to three
// tweets, spread over up to 16 replicas.
func schedule(t *rapid.T) *world {
	const most = 24 * time.Hour
	w := &world{
		random:   rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)),
		perCall:  rapid.SampledFrom([]int{1, 2, 3, 20, 50, 50, 100}).Draw(t, "tweets a call"),
		replicas: make([]replica, rapid.IntRange(1, 16).Draw(t, "replicas")),
		live:     make(map[int]int),
	}
	hours := func(least, most time.Duration, name string) time.Duration {
		return time.Duration(rapid.IntRange(int(least/time.Minute), int(most/time.Minute)).Draw(t, name)) * time.Minute
	}
	for range rapid.IntRange(5, 80).Draw(t, "tweets") {
		w.add(hours(-12*time.Hour, most, "posted"), w.random.IntN(5))
	}
	add := func(o outage) {
		o.from = hours(0, most-time.Minute, "from")
		o.to = hours(o.from+time.Minute, most, "to")
		if rapid.Bool().Draw(t, "all day") {
			o.from, o.to = 0, most
		}
		w.outages = append(w.outages, o)
	}
	nasty := []outage{{kind: partial, share: 0.1}, {kind: partial, share: 0.5}, {kind: partial, share: 0.01}, {kind: lag}}
	add(rapid.SampledFrom(nasty).Draw(t, "nasty"))
	for range rapid.IntRange(0, 4).Draw(t, "more faults") {
		add(outage{
			kind:  rapid.SampledFrom([]string{partial, drops, lag, empty, failing}).Draw(t, "kind"),
			share: rapid.Float64Range(0, 1).Draw(t, "share"),
		})
	}
	for _, tw := range w.tweets {
		if w.random.IntN(20) == 0 {
			tw.deleted = max(tw.posted, 0) + time.Duration(w.random.Int64N(int64(most)))
		}
	}
	if rapid.Bool().Draw(t, "an account is deleted") {
		at := hours(0, most, "when")
		for _, tw := range w.tweets {
			if tw.account == 0 && tw.deleted < 0 {
				tw.deleted = max(at, tw.posted)
			}
		}
	}
	return w
}

// check fails when a live tweet counts as deleted.
func (w *world) check(t *rapid.T) {
	for _, tw := range w.tweets {
		if tw.Gone() && tw.there(w.now) {
			t.Fatalf("after %s: %s is there and counts as deleted: %+v; faults %v", w.now, tw.id, tw.Tracking, w.outages)
		}
	}
}

const (
	// foundWithin is how long after it was deleted, or the faults ended, a tweet that is
	// still looked after is known to be deleted: the time to its next look-up and the
	// back-offs after answers that prove nothing (an hour each, and a quarter of an
	// hour of remembered faults), the span of its misses, and the waits that it may be
	// late for.
	foundWithin  = 24*time.Hour + 6*time.Hour
	unseenWithin = 48*time.Hour + 18*time.Hour

	// While deletions are held it takes seven times as long.
	heldFoundWithin  = 7*24*time.Hour + 18*time.Hour
	heldUnseenWithin = 14*24*time.Hour + 18*time.Hour
)

// TestNoFaultDeletesATweet runs random schedules of faults, of up to a day, and of
// real deletions: no tweet that is there counts as deleted, and each that is deleted and
// still looked after is found within the stated time.
func TestNoFaultDeletesATweet(t *testing.T) {
	t.Parallel()
	var schedules, found, held, lookups, tweets int
	rapid.Check(t, func(rt *rapid.T) {
		w := schedule(rt)
		w.run(w.lastOutage()+heldUnseenWithin+2*24*time.Hour, func() {
			w.check(rt)
			for _, tw := range w.tweets {
				within := foundWithin
				switch unseen := tw.ObservedAt.IsZero(); {
				case unseen && w.everHeld:
					within = heldUnseenWithin
				case w.everHeld:
					within = heldFoundWithin
				case unseen:
					within = unseenWithin
				}
				open := !tw.there(w.now) && !tw.Gone() && !tw.NextUpdateAt.IsZero()
				if since := max(tw.deleted, w.lastOutage()); open && w.now-since > within {
					rt.Fatalf("%s is deleted since %s and not known to be after %s: %+v; faults %v", tw.id, tw.deleted, w.now, tw.Tracking, w.outages)
				}
			}
		})
		schedules++
		for _, tw := range w.tweets {
			if tw.Gone() {
				found++
			}
		}
		if w.everHeld {
			held++
		}
		lookups, tweets = lookups+w.lookups, tweets+len(w.tweets)
	})
	t.Logf("%d schedules, %d tweets, %d found deleted, deletions held in %d schedules, %.1f look-ups a tweet", schedules, tweets, found, held, float64(lookups)/float64(max(tweets, 1)))
}

// TestNoLongOutageOfManyDeletesATweet: the same tweets, a tenth or more of all, are left
// out for up to six days.
func TestNoLongOutageOfManyDeletesATweet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{
			random:   rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0)),
			perCall:  rapid.SampledFrom([]int{1, 3, 50}).Draw(rt, "tweets a call"),
			replicas: make([]replica, rapid.IntRange(1, 16).Draw(rt, "replicas")),
			live:     make(map[int]int),
		}
		for range 150 {
			w.add(-time.Duration(w.random.Int64N(int64(8*time.Hour))), 0)
		}
		from := time.Duration(rapid.IntRange(0, 4*60).Draw(rt, "from")) * time.Minute
		length := time.Duration(rapid.IntRange(60, 6*24*60).Draw(rt, "length")) * time.Minute
		w.outages = []outage{{partial, rapid.SampledFrom([]float64{0.12, 0.25, 0.5}).Draw(rt, "share"), from, from + length}}
		w.run(15*24*time.Hour, func() { w.check(rt) })
		for _, tw := range w.tweets {
			if !tw.NextUpdateAt.IsZero() {
				rt.Fatalf("%s is still looked after: %+v", tw.id, tw.Tracking)
			}
		}
	})
}
