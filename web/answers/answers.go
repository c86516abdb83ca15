// Package answers has the forms of what callers are told: the HTTP API answers with them,
// and the commands print them with --json, so both have one name for one thing. The
// names are those of the OpenAPI document.
package answers

import (
	"math"
	"time"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store/pause"
	"gorgone/store/report"
)

// Metrics are counts with the names of the product's columns. An unknown count is null,
// never 0.
type Metrics struct {
	Retweets  engagement.Count `json:"retweet_count"`
	Replies   engagement.Count `json:"reply_count"`
	Likes     engagement.Count `json:"like_count"`
	Quotes    engagement.Count `json:"quote_count"`
	Views     engagement.Count `json:"view_count"`
	Bookmarks engagement.Count `json:"bookmark_count"`
	Total     int64            `json:"total_engagement"`
}

// MetricsOf names counts.
func MetricsOf(m engagement.Metrics) Metrics {
	return Metrics{m.Retweets, m.Replies, m.Likes, m.Quotes, m.Views, m.Bookmarks, m.Total()}
}

// Point is one snapshot, with the names of the product's columns.
type Point struct {
	At time.Time `json:"snapshot_at"`
	Metrics
	DeltaRetweets engagement.Count `json:"delta_retweets"`
	DeltaReplies  engagement.Count `json:"delta_replies"`
	DeltaLikes    engagement.Count `json:"delta_likes"`
	DeltaQuotes   engagement.Count `json:"delta_quotes"`
	DeltaViews    engagement.Count `json:"delta_views"`
	Velocity      *float64         `json:"engagement_velocity"` // null on the first, and after a change of provider
	Provider      string           `json:"provider,omitempty"`
	Changed       bool             `json:"provider_changed"` // the previous snapshot is another provider's
	Pushed        bool             `json:"pushed,omitempty"` // no look-up: its counts came inside another tweet
}

// PointOf names what is in a snapshot.
func PointOf(s engagement.Snapshot) Point {
	d := s.Deltas
	return Point{s.At, MetricsOf(s.Metrics), d.Retweets, d.Replies, d.Likes, d.Quotes, d.Views, s.Velocity, s.Provider, s.ProviderChanged, s.Pushed}
}

// Schedule is the state of the schedule.
type Schedule struct {
	Total    int `json:"total"`
	UltraHot int `json:"ultra_hot"`
	Hot      int `json:"hot"`
	Warm     int `json:"warm"`
	Cold     int `json:"cold"`

	NextBatchSize int        `json:"next_batch_size"` // tweets due and not claimed
	NextBatchDue  *time.Time `json:"next_batch_due"`  // when the first of them fell due, or falls due; null: never

	Claimed         int        `json:"claimed"` // due and being looked up
	LatenessSeconds float64    `json:"lateness_seconds"`
	TweetsPerSecond float64    `json:"tweets_per_second"`
	Failing         int        `json:"failing"`
	Missing         int        `json:"missing"`
	Gone            int        `json:"gone"`                 // count as deleted
	HeldSince       *time.Time `json:"deletions_held_since"` // too many are missing for any to be called deleted; null: they are not
	Parked          int        `json:"parked"`               // in inactive zones
	Unusable        int        `json:"unusable"`             // fell due and cannot be looked up: no usable id
}

// ScheduleOf names statistics.
func ScheduleOf(s report.Stats) Schedule {
	next := s.OldestDue
	if next.IsZero() {
		next = s.NextDue
	}
	return Schedule{
		Total:    s.Total(),
		UltraHot: s.Tier[engagement.UltraHot], Hot: s.Tier[engagement.Hot],
		Warm: s.Tier[engagement.Warm], Cold: s.Tier[engagement.Cold],
		NextBatchSize: s.DueUnclaimed, NextBatchDue: TimeOrNull(next),
		Claimed: s.DueClaimed, LatenessSeconds: s.Lateness().Seconds(), TweetsPerSecond: s.Outstanding.DonePerSecond,
		Failing: s.Failing, Missing: s.Missing, Gone: s.Gone, Parked: s.Parked, Unusable: s.Unusable, HeldSince: TimeOrNull(s.HeldSince),
	}
}

// Depth is what waits in the queue.
type Depth struct {
	Batches     LaneDepth `json:"batches"`
	Refreshes   LaneDepth `json:"refreshes"`
	DeadLetters int       `json:"dead_letters"`
}

// LaneDepth is what waits of a kind of messages.
type LaneDepth struct {
	Waiting int `json:"waiting"`
	InHand  int `json:"in_hand"`
}

// DepthOf names the depth of the queue.
func DepthOf(d queue.Depth) *Depth {
	return &Depth{
		Batches:     LaneDepth{d.Batch.Pending, d.Batch.AckPending},
		Refreshes:   LaneDepth{d.Refresh.Pending, d.Refresh.AckPending},
		DeadLetters: d.DeadLetters,
	}
}

// Pause is a pause by an operator.
type Pause struct {
	Lane   pause.Lane `json:"lane"`
	Until  *time.Time `json:"until"` // engine time; null: until it is resumed
	Reason string     `json:"reason"`
	By     string     `json:"by"`
	Since  time.Time  `json:"since"` // engine time
}

// PausesOf names pauses.
func PausesOf(list []pause.Pause) []Pause {
	pauses := make([]Pause, len(list))
	for i, p := range list {
		pauses[i] = Pause{p.Lane, TimeOrNull(p.Until), p.Reason, p.By, p.At}
	}
	return pauses
}

// Endless reports whether what is left of an account, in its unit, is no limit in practice, as
// at the fake provider: it is not shown then.
func Endless(left float64) bool { return left >= math.MaxInt32 }

// TimeOrNull returns nil, which JSON shows as null, for the zero time.
func TimeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Rounded rounds to six decimal places, which removes floating-point noise: shares of a
// call among zones add up to a whole again.
func Rounded(x float64) float64 { return math.Round(x*1e6) / 1e6 }
