package engagement_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"gorgone/engagement"
)

// outage is a fault of the provider.
type outage struct {
	kind     string
	share    float64 // of the tweets, or of the calls
	from, to time.Duration
}

func (o outage) String() string {
	return fmt.Sprintf("%s %.0f%% %s-%s", o.kind, o.share*100, o.from.Round(time.Minute), o.to.Round(time.Minute))
}

const (
	partial = "partial" // the same tweets are left out of each answer
	drops   = "drops"   // other tweets are left out of each answer
	lag     = "lag"     // tweets posted since are left out
	empty   = "empty"   // an answer has no tweet
	failing = "failing" // a call fails
)

// world is a model of everything but the rule: tweets, what their authors delete, a
// provider with its faults, and replicas that share what package store has them share.
type world struct {
	random  *rand.Rand
	tweets  []*tweet
	outages []outage
	perCall int
	now     time.Duration // since it began

	replicas []replica
	baseline engagement.Baseline // shared through the database

	population engagement.Population // counted every five minutes
	counted    time.Duration
	live       map[int]int // most live tweets, by the hour
	held       bool
	everHeld   bool
	lookups    int
}

type tweet struct {
	engagement.Tracking

	id      string
	posted  time.Duration
	deleted time.Duration // -1: it is not
	account int
}

type replica struct {
	recent   engagement.SampleWindow
	baseline engagement.Baseline
}

var dayZero = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func (w *world) at(d time.Duration) time.Time { return dayZero.Add(d) }

func (w *world) add(posted time.Duration, account int) {
	t := &tweet{id: fmt.Sprintf("tweet %d", len(w.tweets)), posted: posted, account: account, deleted: -1}
	u, err := engagement.Track(engagement.DefaultTierPolicy(), engagement.Tracking{CreatedAt: w.at(posted)}, w.at(max(posted, 0)))
	if err != nil {
		panic(err)
	}
	t.Tracking = u.Tracking
	w.tweets = append(w.tweets, t)
}

func (t *tweet) there(now time.Duration) bool { return t.deleted < 0 || now < t.deleted }

// due is when the tweet is looked up next; false: never. A tweet that is gone is looked up when
// its check is due.
func (t *tweet) due() (time.Time, bool) {
	switch {
	case t.Gone():
		return t.RetryAt, !t.RetryAt.IsZero()
	case t.NextUpdateAt.IsZero():
		return time.Time{}, false
	case t.RetryAt.After(t.NextUpdateAt):
		return t.RetryAt, true
	default:
		return t.NextUpdateAt, true
	}
}

// tick is how often the model's dispatcher claims what is due.
const tick = 30 * time.Second

// run lets time pass until the end; check is called after every round.
func (w *world) run(end time.Duration, check func()) {
	for {
		next, ok := time.Time{}, false
		for _, t := range w.tweets {
			if at, is := t.due(); is && (!ok || at.Before(next)) {
				next, ok = at, true
			}
		}
		if !ok || next.Sub(dayZero) >= end {
			w.now = end
			return
		}
		w.now = max(w.now, next.Sub(dayZero)) + tick
		w.round()
		check()
	}
}

// round looks up everything that is due.
func (w *world) round() {
	var due []*tweet
	for _, t := range w.tweets {
		if at, is := t.due(); is && !at.After(w.at(w.now)) {
			due = append(due, t)
		}
	}
	w.random.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	for call := range slices.Chunk(due, w.perCall) {
		w.call(call)
	}
}

// call is one call of one replica, and what follows from its answer.
func (w *world) call(tweets []*tweet) {
	r := &w.replicas[w.random.IntN(len(w.replicas))]
	w.lookups += len(tweets)
	canary := w.canary(tweets)
	answered := !w.hits(failing)
	none := w.hits(empty)
	found := func(t *tweet) bool { return !none && t.there(w.now) && !w.lacks(t) }
	var a engagement.Answer
	if canary != nil {
		a.Add(engagement.PriorState{Observed: true}, found(canary))
	}
	lacking := make(map[*tweet]bool)
	for _, t := range tweets {
		lacking[t] = !found(t)
		a.Add(t.PriorState(), !lacking[t])
	}
	now := w.at(w.now)
	credible := a.Credibility(r.baseline, r.recent.Sum(now))
	if answered {
		r.recent.Add(now, a.RecentSample())
		if credible != engagement.Faulty {
			s := a.BaselineSample()
			w.baseline.Lookups += float64(s.Lookups)
			w.baseline.Misses = max(w.baseline.Misses+float64(s.Misses), 0)
		}
		r.baseline = w.baseline
	}
	policy := engagement.DefaultTierPolicy()
	for _, t := range tweets {
		back := now.Add(engagement.Backoff(t.Attempts+1, 30*time.Second, time.Hour, w.random.Float64()))
		absence := engagement.Absence{At: now}
		switch {
		case !answered, lacking[t] && credible == engagement.Faulty && !t.Gone():
			t.Tracking = engagement.CoolDown(policy, engagement.Fail(t.Tracking, back), now)
			if lacking[t] && answered {
				t.Doubts++
			}
		case !lacking[t]:
			u, err := engagement.Observe(policy, t.Tracking, engagement.Observation{At: now, Metrics: engagement.Metrics{Likes: engagement.Known(1)}}, now)
			if err != nil {
				panic(err)
			}
			t.Tracking = u.Tracking
		case credible == engagement.Credible:
			rule := usual
			rule.Held = w.count()
			t.Tracking = engagement.Miss(t.Tracking, absence, rule, now)
		default:
			t.Tracking = engagement.CoolDown(policy, engagement.MissUnproven(t.Tracking, absence, back), now)
		}
	}
}

// canary is a tweet that is known to exist, where the call holds none but such as are in
// doubt; nil otherwise, and when there is none.
func (w *world) canary(call []*tweet) *tweet {
	if slices.ContainsFunc(call, func(t *tweet) bool { return !t.PriorState().InDoubt }) {
		return nil
	}
	var known []*tweet
	for _, t := range w.tweets {
		if s := t.PriorState(); s.Observed && !s.InDoubt && !slices.Contains(call, t) {
			known = append(known, t)
		}
	}
	slices.SortStableFunc(known, func(a, b *tweet) int { return b.ObservedAt.Compare(a.ObservedAt) })
	if len(known) == 0 {
		return nil
	}
	return known[w.random.IntN(min(len(known), 64))]
}

// hits reports whether a fault of whole calls hits this one.
func (w *world) hits(kind string) bool {
	for _, o := range w.outages {
		if o.kind == kind && o.from <= w.now && w.now < o.to && w.random.Float64() < o.share {
			return true
		}
	}
	return false
}

// lacks reports whether a fault leaves the tweet out.
func (w *world) lacks(t *tweet) bool {
	for i, o := range w.outages {
		if w.now < o.from || w.now >= o.to {
			continue
		}
		h := fnv.New64a()
		fmt.Fprint(h, i, t.id)
		switch {
		case o.kind == partial && float64(h.Sum64()%1e6) < o.share*1e6,
			o.kind == drops && w.random.Float64() < o.share,
			o.kind == lag && t.posted >= o.from:
			return true
		}
	}
	return false
}

// count counts the population, as package store does, and reports whether deletions
// are held.
func (w *world) count() bool {
	if w.counted > 0 && w.now-w.counted < 5*time.Minute {
		return w.held
	}
	w.counted, w.population = w.now, engagement.Population{}
	live := 0
	for _, t := range w.tweets {
		switch {
		case t.Gone() && w.at(w.now).Sub(t.LastMissedAt) < engagement.GoneWindow:
			w.population.Gone++
		case t.Gone(), t.NextUpdateAt.IsZero(), t.posted > w.now:
		default:
			live++
			if t.Misses > 0 {
				w.population.Missing++
			}
		}
	}
	hour := int(w.now / time.Hour)
	w.live[hour] = max(w.live[hour], live)
	for h, n := range w.live {
		if time.Duration(hour-h)*time.Hour < engagement.PopulationMemory {
			w.population.Live = max(w.population.Live, n)
		}
	}
	w.held = w.population.Held(w.held)
	w.everHeld = w.everHeld || w.held
	return w.held
}

// lastOutage is when the last fault ends.
func (w *world) lastOutage() time.Duration {
	if len(w.outages) == 0 {
		return 0
	}
	return slices.MaxFunc(w.outages, func(a, b outage) int { return cmp.Compare(a.to, b.to) }).to
}
