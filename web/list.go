package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store/report"
	"gorgone/web/answers"
)

const (
	defaultPage = 50
	maxPage     = 200

	// maxOffset bounds paging; a search reaches further.
	maxOffset = 1_000_000

	maxSearch = 200 // characters

	// sparklinePoints is how many snapshots a small curve shows: a tweet's whole life on
	// the default schedule.
	sparklinePoints = 24
)

// listedTweet is one entry of the list of tweets.
type listedTweet struct {
	ID           uuid.UUID       `json:"id"`       // of the row
	TweetID      string          `json:"tweet_id"` // the platform's
	ZoneID       uuid.UUID       `json:"zone_id"`
	ZoneName     string          `json:"zone_name"`
	Text         string          `json:"text"`
	PostedAt     time.Time       `json:"twitter_created_at"`
	Tier         engagement.Tier `json:"tier"`
	Metrics      answers.Metrics `json:"metrics"`
	Velocity     *float64        `json:"engagement_velocity"`
	LastUpdated  *time.Time      `json:"last_updated"`
	NextUpdateAt *time.Time      `json:"next_update_at"`
	Curve        []curvePoint    `json:"curve"` // the last snapshots, the oldest first
}

type curvePoint struct {
	At    time.Time `json:"at"`
	Total int64     `json:"total"`
}

// list responds with a page of the tracked tweets.
func (s *Server) list(w http.ResponseWriter, r *request) error {
	q, err := r.listQuery()
	if err != nil {
		return err
	}
	// Callers who may see the same zones share an answer.
	page, err := s.lists.get(r.Context(), fmt.Sprintf("%+q", fmt.Sprintf("%v %v", q.Zones == nil, q)), func(ctx context.Context) (report.List, error) {
		defer s.reads.hold(r.quotas)() // also when the caller has left
		return s.parts.Reports.List(ctx, q)
	})
	if err != nil {
		return err
	}
	tweets := make([]listedTweet, len(page.Tweets))
	for i, t := range page.Tweets {
		tweets[i] = listedTweet{
			t.Row, t.TweetID, t.ZoneID, t.ZoneName, t.Text, t.CreatedAt, t.Tier, answers.MetricsOf(t.Metrics), t.Velocity,
			answers.TimeOrNull(t.ObservedAt), answers.TimeOrNull(t.NextUpdateAt), make([]curvePoint, len(t.Points)),
		}
		for j, p := range t.Points {
			tweets[i].Curve[j] = curvePoint{p.At, p.Total}
		}
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool         `json:"success"`
		Clock   sessionClock `json:"clock"`
		paging
		Data []listedTweet `json:"data"`
	}{true, s.clock(), r.paging(page.Matching, q.Offset, len(tweets)), tweets})
}

func (r *request) listQuery() (q report.ListQuery, err error) {
	values := r.URL.Query()
	q = report.ListQuery{By: report.ListByVelocity, Search: values.Get("q"), Tier: engagement.Tier(values.Get("tier")), Points: sparklinePoints}
	if by := values.Get("by"); by != "" {
		q.By = report.ListBy(by)
	}
	switch order := values.Get("order"); {
	case !slices.Contains(report.ListOrders(), q.By):
		return q, badRequest("by is none of %v", report.ListOrders())
	case order != "" && order != "asc" && order != "desc":
		return q, badRequest("order is neither asc nor desc")
	case q.Tier != "" && !slices.Contains(engagement.Tiers(), q.Tier):
		return q, badRequest("tier is none of %v", engagement.Tiers())
	case !utf8.ValidString(q.Search) || utf8.RuneCountInString(q.Search) > maxSearch:
		return q, badRequest("q is longer than %d characters, or not valid UTF-8", maxSearch)
	}
	for _, c := range q.Search {
		if c == 0 {
			return q, badRequest("q has a null character")
		}
	}
	q.Reverse = values.Get("order") == "asc"
	if text := values.Get("ids"); text != "" {
		ids := strings.Split(text, ",")
		if len(ids) > maxPage {
			return q, badRequest("ids are more than %d", maxPage)
		}
		for _, id := range ids {
			row, err := uuid.Parse(id)
			if err != nil {
				return q, badRequest("ids is no list of rows' ids (UUIDs), separated by commas")
			}
			q.Rows = append(q.Rows, row)
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
