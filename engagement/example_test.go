package engagement_test

import (
	"fmt"
	"time"

	"gorgone/engagement"
)

func Example() {
	policy := engagement.DefaultTierPolicy()
	posted := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

	u, err := engagement.Track(policy, engagement.Tracking{CreatedAt: posted}, posted.Add(time.Minute))
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, likes := range []int64{40, 100} {
		at := posted.Add(time.Duration(i+1) * 10 * time.Minute)
		o := engagement.Observation{At: at, Metrics: engagement.Metrics{Likes: engagement.Known(likes)}}
		if u, err = engagement.Observe(policy, u.Tracking, o, at); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("likes", u.Tracking.Metrics.Likes, "tier", u.Tracking.Tier, "next", u.Tracking.NextUpdateAt.Format(time.TimeOnly))
	fmt.Println("delta", u.Snapshot.Deltas.Likes, "velocity", *u.Snapshot.Velocity)
	// Output:
	// likes 100 tier ultra_hot next 12:30:00
	// delta 60 velocity 360
}

func ExampleAnswer_Credibility() {
	var a engagement.Answer
	for i := range 20 {
		a.Add(engagement.PriorState{Observed: true}, i >= 15) // 15 of 20 known tweets are missing
	}
	fmt.Println(a.Credibility(engagement.Baseline{}, engagement.Sample{}) == engagement.Faulty)
	// Output: true
}
