package simulate

import (
	"time"

	"gorgone/engagement"
)

// BurstCount says what an alert rule does on tweets.
type BurstCount struct {
	Lookups int
	Alerts  int
	Flat    int     // alerts after which, within an hour, less than twice the expected came
	Days    float64 // tweets times the days that each was followed
}

// flatBy is the factor over what was expected that an alert must be followed by.
const flatBy = 2

// Bursts follows tweets by a policy and raises the alerts of a rule, one of the kind burst
// or velocity. What was expected of the hour after an alert is what the model said before
// the look-up that raised it.
func Bursts(m engagement.Model, p engagement.Policy, tweets []Tweet, horizon time.Duration, rule engagement.AlertRule) (c BurstCount) {
	for i := range tweets {
		t := &tweets[i]
		c.Days += horizon.Hours() / 24
		var state engagement.AlertState
		replay(engagement.Learning{Policy: p, Model: m}, t, horizon.Seconds(), func(before, after engagement.Tracking) {
			c.Lookups++
			at := after.Activity.At
			look := engagement.AlertInput{Before: before, After: after, Observed: true, Snapshot: &engagement.Snapshot{At: at, Metrics: after.Metrics}}
			reading, ok := engagement.AlertReading{}, false
			if rule.Kind == engagement.AlertVelocity {
				if ref, found, _ := rule.Reference(look); found {
					reading, ok = rule.Velocity(look, ref)
				}
			} else {
				if s, surprised := m.Surprise(before, after); surprised {
					look.Surprise = &s
				}
				reading, ok = rule.Read(look, false)
			}
			if !ok {
				return
			}
			var move engagement.AlertTransition
			if state, move = rule.Step(state, reading, at); move != engagement.AlertRaised {
				return
			}
			c.Alerts++
			age := at.Sub(after.CreatedAt)
			came := t.CountAt((age + time.Hour).Seconds()) - t.CountAt(age.Seconds())
			if float64(came) < flatBy*expectedIn(m, before, age, time.Hour) {
				c.Flat++
			}
		})
	}
	return c
}

// expectedIn is what the model expected, from what was known, of a stretch from an age on.
func expectedIn(m engagement.Model, known engagement.Tracking, age, stretch time.Duration) float64 {
	size, _ := m.Size(known.Activity)
	return size * (m.Engagement.Kernel.Share(age+stretch) - m.Engagement.Kernel.Share(age))
}
