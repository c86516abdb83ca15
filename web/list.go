package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

const (
	defaultPage = 50
	maxPage     = 200

	// maxOffset is how far one can leaf. Whoever looks further searches.
	maxOffset = 1_000_000

	maxSearch = 200 // letters

	// curvePoints is how many snapshots a small curve shows: all of a tweet's life
	// by the default schedule.
	curvePoints = 24
)

// listedTweet is a line of the list of tweets.
type listedTweet struct {
	TweetID        uuid.UUID       `json:"tweet_id"`
	TwitterTweetID string          `json:"twitter_tweet_id"`
	ZoneID         uuid.UUID       `json:"zone_id"`
	ZoneName       string          `json:"zone_name"`
	Text           string          `json:"text"`
	PostedAt       time.Time       `json:"twitter_created_at"`
	Tier           engagement.Tier `json:"tier"`
	Metrics        metrics         `json:"metrics"`
	Velocity       *float64        `json:"engagement_velocity"`
	LastUpdated    *time.Time      `json:"last_updated"`
	NextUpdateAt   *time.Time      `json:"next_update_at"`
	Curve          []curvePoint    `json:"curve"` // the last snapshots, the oldest first
}

type curvePoint struct {
	At    time.Time `json:"at"`
	Total int64     `json:"total"`
}

// list answers with a page of the tracked tweets.
func (s *Server) list(w http.ResponseWriter, r *request) error {
	q, err := r.listQuery()
	if err != nil {
		return err
	}
	// Who may see the same zones may be given the same answer.
	page, err := s.lists.get(r.Context(), fmt.Sprintf("%+q", fmt.Sprintf("%v %v", q.Zones == nil, q)), func(ctx context.Context) (store.List, error) {
		return s.parts.Tweets.List(ctx, q)
	})
	if err != nil {
		return err
	}
	tweets := make([]listedTweet, len(page.Tweets))
	for i, t := range page.Tweets {
		tweets[i] = listedTweet{
			t.Row, t.TweetID, t.ZoneID, t.ZoneName, t.Text, t.CreatedAt, t.Tier, metricsOf(t.Metrics), t.Velocity,
			moment(t.ObservedAt), moment(t.NextUpdateAt), make([]curvePoint, len(t.Points)),
		}
		for j, p := range t.Points {
			tweets[i].Curve[j] = curvePoint{p.At, p.Total}
		}
	}
	return writeJSON(w, http.StatusOK, struct {
		Success  bool          `json:"success"`
		Clock    sessionClock  `json:"clock"`
		Matching int           `json:"matching"`
		Offset   int           `json:"offset"`
		Data     []listedTweet `json:"data"`
	}{true, s.clock(), page.Matching, q.Offset, tweets})
}

func (r *request) listQuery() (q store.ListQuery, err error) {
	values := r.URL.Query()
	q = store.ListQuery{By: store.ListByVelocity, Search: values.Get("q"), Tier: engagement.Tier(values.Get("tier")), Points: curvePoints}
	if by := values.Get("by"); by != "" {
		q.By = store.ListBy(by)
	}
	orders := []store.ListBy{store.ListByVelocity, store.ListByEngagement, store.ListByPosted}
	switch {
	case !slices.Contains(orders, q.By):
		return q, badRequest("by is none of %v", orders)
	case q.Tier != "" && !slices.Contains(engagement.Tiers(), q.Tier):
		return q, badRequest("tier is none of %v", engagement.Tiers())
	case !utf8.ValidString(q.Search) || utf8.RuneCountInString(q.Search) > maxSearch:
		return q, badRequest("q is longer than %d letters, or no text", maxSearch)
	}
	for _, c := range q.Search {
		if c == 0 {
			return q, badRequest("q has a null character")
		}
	}
	if q.Offset, err = r.number("offset", 0, 0, maxOffset); err != nil {
		return q, err
	}
	if q.Limit, err = r.number("limit", defaultPage, 1, maxPage); err != nil {
		return q, err
	}
	q.Zones, err = r.zonesFor()
	return q, err
}
