package drill

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gorgone/internal/clock"
	"gorgone/twitter/fakeprovider"
)

const (
	// burstShare of the rate may come on top of it in a second, as a provider
	// allows callers whose network is not even.
	burstShare = 0.1

	// pauseGrace is how long after a pause was shared a call may begin.
	pauseGrace = 250 * time.Millisecond

	// pauseEnd is how much before the end of a pause a call may come: the clocks of
	// processes are as far apart as a busy machine lets them be.
	pauseEnd = 25 * time.Millisecond
)

// checkRate checks that in no second more calls came than the rate and its burst
// allow, and that none came while calls were paused. Where the drill itself held
// calls up on their way, that many more may come together.
func checkRate(f *facts) checkResult {
	v := checkResult{name: "rate"}
	burst := math.Ceil(f.Rate * burstShare)
	most, first := 0, 0
	for i := range f.calls {
		for f.calls[i].Started.Sub(f.calls[first].Started) >= time.Second {
			first++
		}
		n, end := i-first+1, f.calls[i].Started
		allowed := int(f.Rate + burst + math.Ceil(f.Rate*f.heldUp(end.Add(-time.Second), end).Seconds()))
		if !f.lostState(paceBucket, end.Add(-time.Second-pauseGrace), end).IsZero() {
			allowed += int(f.Rate + burst) // a second's worth again: what was used up is not known
		}
		if n > allowed {
			v.fault("%d calls within the second before %s, %d are allowed", n, end.Format(clockTime), allowed)
		}
		most = max(most, n)
	}
	var early int
	for _, p := range f.pauses {
		if f.clockWrong(p.at) {
			continue // its end may be by a clock that is void later
		}
		if at := f.lostState(pauseBucket, p.at.Add(-pauseGrace), p.until); !at.IsZero() {
			p.until = at // from when on it was known to none
		}
		for i := range f.calls {
			c := &f.calls[i]
			from := p.at.Add(pauseGrace + f.heldUp(p.at, c.Started))
			if isLookup(c) && c.Started.After(from) && c.Started.Before(p.until.Add(-pauseEnd)) {
				early++
				v.fault("%s called at %s, %s after a pause until %s was written (%s)", c.Remote, c.Started.Format(clockTime), c.Started.Sub(p.at).Round(time.Millisecond), p.until.Format(clockTime), p.reason)
			}
		}
	}
	v.counts = fmt.Sprintf("%d calls, at most %d in a second of %g + %g; %d pauses, %d calls in them", len(f.calls), most, f.Rate, burst, len(f.pauses), early)
	return v
}

// clockWrong reports whether a process may have gone by a wrong clock of the database.
func (f *facts) clockWrong(at time.Time) bool {
	return slices.ContainsFunc(f.events, func(e event) bool {
		return e.kind == step && e.touches(at.Add(-2*clock.SyncEvery), at)
	})
}

// lostState returns when the drill lost a bucket in a stretch of time; zero: it did not.
func (f *facts) lostState(bucket string, from, to time.Time) time.Time {
	for _, e := range f.events {
		if e.kind == wipe && e.link == bucket && e.touches(from, to) {
			return e.from
		}
	}
	return time.Time{}
}

// lookupPaths are where the providers look tweets up.
func lookupPaths() []string {
	return []string{"/twitter/tweets", "/2/tweets", "/twitter/tweets-by-ids"}
}

// isLookup reports whether a call asks for tweets, and not for the account's balance.
func isLookup(c *fakeprovider.Record) bool { return slices.Contains(lookupPaths(), c.Path) }

// heldUp is how long the drill held calls up on their way in a stretch of time.
func (f *facts) heldUp(from, to time.Time) (longest time.Duration) {
	for _, e := range f.events {
		if e.kind == delay && e.link == partProvider && e.touches(from.Add(-time.Second), to) {
			longest = max(longest, time.Duration(e.number)*time.Millisecond/2)
		}
	}
	return longest
}
