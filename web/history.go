package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

const (
	defaultPoints = 2000
	maxPoints     = 10_000

	defaultTop = 20
	maxTop     = 200

	// The stretch of time that a list of top tweets is about, in engine time.
	defaultTopSince = 24 * time.Hour
	maxTopSince     = 14 * 24 * time.Hour
)

// point is one snapshot, named as in the product's tables.
type point struct {
	At time.Time `json:"snapshot_at"`
	metrics
	DeltaRetweets engagement.Count `json:"delta_retweets"`
	DeltaReplies  engagement.Count `json:"delta_replies"`
	DeltaLikes    engagement.Count `json:"delta_likes"`
	DeltaQuotes   engagement.Count `json:"delta_quotes"`
	DeltaViews    engagement.Count `json:"delta_views"`
	Velocity      *float64         `json:"engagement_velocity"` // null on the first, and across a change of the provider
	Provider      string           `json:"provider,omitempty"`
	Changed       bool             `json:"provider_changed"` // the snapshot before is another provider's
}

func pointOf(s engagement.Snapshot) point {
	d := s.Deltas
	return point{s.At, metricsOf(s.Metrics), d.Retweets, d.Replies, d.Likes, d.Quotes, d.Views, s.Velocity, s.Provider, s.ProviderChanged}
}

// chart is the history of a tweet.
type chart struct {
	TweetID        uuid.UUID       `json:"tweet_id"`
	TwitterTweetID string          `json:"twitter_tweet_id"`
	ZoneID         uuid.UUID       `json:"zone_id"`
	Text           string          `json:"text"`
	PostedAt       time.Time       `json:"twitter_created_at"`
	Metrics        metrics         `json:"metrics"`
	Tier           engagement.Tier `json:"tier"`
	UpdateCount    int             `json:"update_count"`
	LastUpdated    *time.Time      `json:"last_updated"`
	NextUpdateAt   *time.Time      `json:"next_update_at"`
	Baseline       *point          `json:"baseline"` // the first snapshot; null when the range leaves it out
	Snapshots      []point         `json:"snapshots"`
	Truncated      bool            `json:"truncated"` // only the latest are here

	Predictions *engagement.Forecast `json:"predictions"` // null: none yet
}

// history answers with the snapshots of a tweet, for a chart; as CSV when the
// path ends in .csv.
func (s *Server) history(w http.ResponseWriter, r *request) error {
	ref, asCSV := strings.CutSuffix(r.PathValue("id"), ".csv")
	tweet, err := r.tweet(ref)
	if err != nil {
		return err
	}
	within, err := r.between()
	if err != nil {
		return err
	}
	limit, err := r.number("limit", defaultPoints, 1, maxPoints)
	if err != nil {
		return err
	}
	within.Limit = limit + 1
	if asCSV {
		within.Limit = 0
	}
	snapshots, err := s.parts.Tweets.History(r.Context(), tweet.Row, within)
	if err != nil {
		return err
	}
	if asCSV {
		return writeTweetCSV(w, tweet, snapshots)
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool  `json:"success"`
		Data    chart `json:"data"`
	}{true, chartOf(tweet, snapshots, within, limit)})
}

func chartOf(t store.Tweet, snapshots []engagement.Snapshot, within store.HistoryRange, limit int) chart {
	k := t.Tracking
	c := chart{
		TweetID: t.Row, TwitterTweetID: t.TweetID, ZoneID: t.ZoneID, Text: t.Text, PostedAt: k.CreatedAt,
		Metrics: metricsOf(k.Metrics), Tier: k.Tier, UpdateCount: k.UpdateCount,
		LastUpdated: moment(k.ObservedAt), NextUpdateAt: moment(k.NextUpdateAt), Snapshots: []point{},
		Predictions: t.Forecast,
	}
	if len(snapshots) > limit {
		c.Truncated = true
		snapshots = snapshots[len(snapshots)-limit:]
	}
	for _, s := range snapshots {
		c.Snapshots = append(c.Snapshots, pointOf(s))
	}
	if !c.Truncated && within.From.IsZero() && len(c.Snapshots) > 0 {
		c.Baseline = &c.Snapshots[0]
	}
	return c
}

// topTweet is a line of the list of top tweets.
type topTweet struct {
	TweetID        uuid.UUID       `json:"tweet_id"`
	TwitterTweetID string          `json:"twitter_tweet_id"`
	ZoneID         uuid.UUID       `json:"zone_id"`
	Text           string          `json:"text"`
	PostedAt       time.Time       `json:"twitter_created_at"`
	Tier           engagement.Tier `json:"tier"`
	Metrics        metrics         `json:"metrics"`
	Velocity       *float64        `json:"engagement_velocity"`
	VelocityAt     *time.Time      `json:"velocity_at"`
}

// top answers with the tweets that move most.
func (s *Server) top(w http.ResponseWriter, r *request) error {
	q := store.TopQuery{By: store.ByVelocity}
	if by := r.URL.Query().Get("by"); by != "" {
		q.By = store.TopBy(by)
	}
	if q.By != store.ByVelocity && q.By != store.ByEngagement {
		return badRequest("by is neither velocity nor engagement")
	}
	var err error
	if q.Limit, err = r.number("limit", defaultTop, 1, maxTop); err != nil {
		return err
	}
	if q.Since, err = r.since(defaultTopSince, maxTopSince); err != nil {
		return err
	}
	if q.Zones, err = r.zonesFor(); err != nil {
		return err
	}
	found, err := s.parts.Tweets.Top(r.Context(), q)
	if err != nil {
		return err
	}
	list := make([]topTweet, len(found))
	for i, t := range found {
		list[i] = topTweet{t.Row, t.TweetID, t.ZoneID, t.Text, t.CreatedAt, t.Tier, metricsOf(t.Metrics), t.Velocity, moment(t.VelocityAt)}
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool        `json:"success"`
		By      store.TopBy `json:"by"`
		Since   time.Time   `json:"since"`
		Data    []topTweet  `json:"data"`
	}{true, q.By, q.Since, list})
}

// since reads the beginning of a stretch up to now: a time, or how long it is.
func (r *request) since(otherwise, longest time.Duration) (time.Time, error) {
	now := r.server.parts.Clock.Now()
	text := r.URL.Query().Get("since")
	if text == "" {
		return now.Add(-otherwise), nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		if d <= 0 || d > longest {
			return time.Time{}, badRequest("since is not a duration up to %s", longest)
		}
		return now.Add(-d), nil
	}
	t, err := r.timeOf("since")
	if err == nil && now.Sub(t) > longest {
		return t, badRequest("since is more than %s ago", longest)
	}
	return t, err
}
