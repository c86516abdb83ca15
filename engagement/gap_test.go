package engagement_test

import (
	"math"
	"testing"
	"time"

	"gorgone/engagement"
)

// TestWhatAGapHidWasNotGainedAtItsEnd: a tweet gains 60 likes and 12 replies an hour, always.
// Its likes cannot be read for hours, and its replies for a part of them. No velocity, of a
// snapshot or of a rule whatever its window, is ever beyond what the tweet gains; and when
// all can be read on both sides, it is that.
func TestWhatAGapHidWasNotGainedAtItsEnd(t *testing.T) {
	t.Parallel()
	const perHour = 72
	posted := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	for name, gaps := range map[string]struct{ likes, replies [2]int }{ // minutes of age
		"likes":           {likes: [2]int{60, 400}},
		"one look-up":     {likes: [2]int{60, 70}},
		"both":            {likes: [2]int{60, 400}, replies: [2]int{60, 400}},
		"one after other": {likes: [2]int{60, 400}, replies: [2]int{200, 500}},
		"for good":        {likes: [2]int{60, 400}, replies: [2]int{100, 1 << 20}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hidden := func(gap [2]int, age int) bool { return age >= gap[0] && age < gap[1] }
			u, err := engagement.Track(engagement.DefaultTierPolicy(), engagement.Tracking{CreatedAt: posted}, posted)
			if err != nil {
				t.Fatal(err)
			}
			state := u.Tracking
			var points []engagement.Reference
			for age := 10; age < 700; age += 10 {
				at := posted.Add(time.Duration(age) * time.Minute)
				m := engagement.Metrics{Retweets: engagement.Known(0), Quotes: engagement.Known(0)}
				if !hidden(gaps.likes, age) {
					m.Likes = engagement.Known(int64(age))
				}
				if !hidden(gaps.replies, age) {
					m.Replies = engagement.Known(int64(age / 5))
				}
				before := state
				u, err := engagement.Observe(engagement.DefaultTierPolicy(), state, engagement.Observation{At: at, Metrics: m}, at)
				if err != nil {
					t.Fatal(err)
				}
				state = u.Tracking
				check := func(what string, v float64) {
					t.Helper()
					if v > perHour+0.01 {
						t.Errorf("%s at the age of %d min: %.0f an hour, and the tweet gains %d", what, age, v, perHour)
					}
					late := age > 600 && gaps.replies[1] < 600
					if late && math.Abs(v-perHour) > 0.01 {
						t.Errorf("%s at the age of %d min: %.0f an hour, want %d", what, age, v, perHour)
					}
				}
				if v := u.Snapshot.Velocity; v != nil {
					check("the snapshot", *v)
				}
				for _, window := range []time.Duration{10 * time.Minute, 30 * time.Minute, 3 * time.Hour} {
					rule := engagement.AlertRule{Kind: engagement.AlertVelocity, Threshold: 500, Window: window}
					input := engagement.AlertInput{Before: before, After: state, Observed: true, Snapshot: u.Snapshot}
					ref, found, _ := rule.Reference(input)
					if !found {
						for _, p := range points { // as the history has it: the newest that is old enough
							if at.Sub(p.At) >= window {
								ref = p
							}
						}
					}
					if reading, ok := rule.Velocity(input, ref); ok {
						check("a rule over "+window.String(), reading.Value)
					}
				}
				points = append(points, engagement.Reference{At: at, Total: u.Snapshot.Metrics.Total()})
			}
		})
	}
}
