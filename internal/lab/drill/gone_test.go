package drill

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/twitter/fakeprovider"
)

// TestTheBoundOfDeletionHoldsAndBites plays what becomes of a tweet that is deleted when the
// faults end, by the rule and by broken ones, until the usual run would end: the check lets
// the rule pass, and finds each broken one.
func TestTheBoundOfDeletionHoldsAndBites(t *testing.T) {
	t.Parallel()
	right := engagement.GoneRule{Misses: engagement.DefaultGoneAfter, Span: engagement.GoneSpan(goneSpan)}
	held := right
	held.Held = true
	days, many := right, right
	days.Span, many.Misses = engagement.DefaultGoneSpan, 20
	for name, c := range map[string]struct {
		rule    engagement.GoneRule
		missing int  // tweets that were deleted
		unseen  bool // the tweet was never looked up
		doubts  bool // its absences never count
		broken  bool
	}{
		"by the rule":              {rule: right, missing: 1},
		"never seen":               {rule: right, missing: 1, unseen: true},
		"held":                     {rule: held, missing: 9000},
		"held and never seen":      {rule: held, missing: 9000, unseen: true},
		"held for nothing":         {rule: held, missing: 1, broken: true},
		"only after days":          {rule: days, missing: 1, broken: true},
		"only after days and held": {rule: days, missing: 9000, broken: true},
		"after many misses":        {rule: many, missing: 1, broken: true},
		"never":                    {rule: right, missing: 1, doubts: true, broken: true},
		"never, of many":           {rule: held, missing: 9000, doubts: true, broken: true},
	} {
		start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		f := &facts{
			Options: Options{Tweets: 50_000, Every: time.Minute, Duration: 2 * time.Minute, Settle: 150 * time.Second},
			setting: clock.Setting{Database: start, Engine: start, Speed: speed},
			from:    start.Add(-2 * time.Minute), to: start, caughtUp: start, absences: make(map[string][]absence),
		}
		for range c.missing - 1 {
			f.absences[uuid.NewString()] = []absence{{from: start}}
		}
		f.absences["1"] = []absence{{from: start}}
		f.settled = start.Add(f.goneWithin(f.goneSpans(c.missing, true)) + goneSlack)
		r := &row{tweet: "1"}
		f.rows = []*row{r}
		state := engagement.Tracking{}
		if !c.unseen {
			state.ObservedAt = f.engine(start)
			r.lookups = []snapshot{{at: state.ObservedAt}}
		}
		const late = 2 * time.Second
		for at := start.Add(f.Every); at.Before(f.settled) && !state.Gone(); {
			now := f.engine(at)
			f.calls = append(f.calls, fakeprovider.Record{Started: at, Absent: []string{"1"}})
			if c.doubts {
				state = engagement.MissUnproven(state, engagement.Absence{At: now}, now.Add(speed*15*time.Second))
			} else {
				state = engagement.Miss(state, engagement.Absence{At: now}, c.rule, now)
			}
			at = f.real(state.RetryAt).Add(late)
		}
		if state.Gone() {
			r.gone, r.goneAt = state.GoneReason, state.LastMissedAt
		}
		if v := checkDeleted(f); (len(v.details) > 0) != c.broken {
			t.Errorf("%s: %s %q", name, v.counts, v.details)
		}
	}
}
