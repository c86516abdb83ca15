package web

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/report"
	"gorgone/web/answers"
)

const (
	defaultPoints = 2000
	maxPoints     = 10_000

	defaultTop = 20
	maxTop     = 200

	// How far back a list of top tweets reaches, in engine time.
	defaultTopSince = 24 * time.Hour
	maxTopSince     = 14 * 24 * time.Hour
)

// chart is the history of a tweet.
type chart struct {
	ID           uuid.UUID       `json:"id"`       // of the row
	TweetID      string          `json:"tweet_id"` // the platform's
	ZoneID       uuid.UUID       `json:"zone_id"`
	ZoneName     string          `json:"zone_name"`
	URL          string          `json:"url"`    // of the tweet at the platform
	Author       *author         `json:"author"` // null: not known
	Text         string          `json:"text"`
	PostedAt     time.Time       `json:"twitter_created_at"`
	Metrics      answers.Metrics `json:"metrics"`
	Tier         engagement.Tier `json:"tier"`
	UpdateCount  int             `json:"update_count"`
	LastUpdated  *time.Time      `json:"last_updated"`
	NextUpdateAt *time.Time      `json:"next_update_at"`
	Baseline     *answers.Point  `json:"baseline"` // the first snapshot; null when the range leaves it out
	Snapshots    []answers.Point `json:"snapshots"`
	Truncated    bool            `json:"truncated"` // only the latest are included

	Predictions *engagement.Forecast `json:"predictions"` // null: none yet
}

// author is who wrote a tweet. What is not known is empty.
type author struct {
	ID       string `json:"id"` // the platform's
	Name     string `json:"name"`
	Username string `json:"username"`
}

// history responds with the snapshots of a tweet, as CSV when the path ends in .csv.
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
	snapshots, err := s.parts.History.History(r.Context(), tweet.Row, within)
	if err != nil {
		return err
	}
	if asCSV {
		return writeTweetCSV(w, tweet, snapshots)
	}
	by, err := s.parts.Reports.Author(r.Context(), tweet.Row)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool  `json:"success"`
		Data    chart `json:"data"`
	}{true, chartOf(tweet, by, snapshots, within, limit)})
}

func chartOf(t store.Tweet, by report.Author, snapshots []engagement.Snapshot, within history.Range, limit int) chart {
	k := t.Tracking
	c := chart{
		ID: t.Row, TweetID: t.TweetID, ZoneID: t.ZoneID, ZoneName: t.ZoneName, Text: t.Text, PostedAt: k.CreatedAt,
		URL: "https://x.com/" + cmp.Or(by.Username, "i/web") + "/status/" + t.TweetID, Metrics: answers.MetricsOf(k.Metrics), Tier: k.Tier, UpdateCount: k.UpdateCount,
		LastUpdated: answers.TimeOrNull(k.ObservedAt), NextUpdateAt: answers.TimeOrNull(k.NextUpdateAt), Snapshots: []answers.Point{},
		Predictions: t.Forecast,
	}
	if by != (report.Author{}) {
		c.Author = &author{by.ID, by.Name, by.Username}
	}
	if len(snapshots) > limit {
		c.Truncated = true
		snapshots = snapshots[len(snapshots)-limit:]
	}
	for _, s := range snapshots {
		c.Snapshots = append(c.Snapshots, answers.PointOf(s))
	}
	if !c.Truncated && within.From.IsZero() && len(c.Snapshots) > 0 {
		c.Baseline = &c.Snapshots[0]
	}
	return c
}

// topTweet is one entry of the list of top tweets.
type topTweet struct {
	ID         uuid.UUID       `json:"id"`       // of the row
	TweetID    string          `json:"tweet_id"` // the platform's
	ZoneID     uuid.UUID       `json:"zone_id"`
	Text       string          `json:"text"`
	PostedAt   time.Time       `json:"twitter_created_at"`
	Tier       engagement.Tier `json:"tier"`
	Metrics    answers.Metrics `json:"metrics"`
	Velocity   *float64        `json:"engagement_velocity"`
	VelocityAt *time.Time      `json:"velocity_at"`
}

// top responds with the tweets that gain most.
func (s *Server) top(w http.ResponseWriter, r *request) error {
	q := report.TopQuery{By: report.ByVelocity}
	if by := r.URL.Query().Get("by"); by != "" {
		q.By = report.TopBy(by)
	}
	if q.By != report.ByVelocity && q.By != report.ByEngagement {
		return badRequest("by is neither velocity nor engagement")
	}
	var err error
	if q.Limit, err = r.number("limit", defaultTop, 1, maxTop); err != nil {
		return err
	}
	if q.Offset, err = r.number("offset", 0, 0, maxOffset); err != nil {
		return err
	}
	if q.Since, err = r.since(defaultTopSince, maxTopSince); err != nil {
		return err
	}
	if q.Zones, err = r.zonesFor(); err != nil {
		return err
	}
	found, err := s.parts.Reports.Top(r.Context(), q)
	if err != nil {
		return err
	}
	list := make([]topTweet, len(found))
	for i, t := range found {
		list[i] = topTweet{t.Row, t.TweetID, t.ZoneID, t.Text, t.CreatedAt, t.Tier, answers.MetricsOf(t.Metrics), t.Velocity, answers.TimeOrNull(t.VelocityAt)}
	}
	total, err := s.parts.Reports.CountTop(r.Context(), q)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool         `json:"success"`
		By      report.TopBy `json:"by"`
		Since   time.Time    `json:"since"`
		paging
		Data []topTweet `json:"data"`
	}{true, q.By, q.Since, r.paging(total, q.Offset, len(list)), list})
}

// since reads the start of a period that ends now: a time, or a duration.
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
