package answers

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
)

// CSVColumns are the columns of a history as CSV, with the names of the product's columns.
var CSVColumns = []string{
	"snapshot_at", "retweet_count", "reply_count", "like_count", "quote_count", "view_count", "bookmark_count", "total_engagement",
	"delta_retweets", "delta_replies", "delta_likes", "delta_quotes", "delta_views", "engagement_velocity",
	"provider", "provider_changed",
}

// CSVCells are the cells of a snapshot. An unknown count is empty, never 0.
func CSVCells(s engagement.Snapshot) []string {
	m, d := s.Metrics, s.Deltas
	cells := make([]string, 0, len(CSVColumns))
	cells = append(cells, s.At.Format(time.RFC3339Nano))
	count := func(counts ...engagement.Count) {
		for _, c := range counts {
			text := ""
			if c.Known() {
				text = c.String()
			}
			cells = append(cells, text)
		}
	}
	count(m.Retweets, m.Replies, m.Likes, m.Quotes, m.Views, m.Bookmarks, engagement.Known(m.Total()))
	count(d.Retweets, d.Replies, d.Likes, d.Quotes, d.Views)
	velocity := ""
	if s.Velocity != nil {
		velocity = strconv.FormatFloat(*s.Velocity, 'f', -1, 64)
	}
	return append(cells, velocity, s.Provider, strconv.FormatBool(s.ProviderChanged))
}

// ExportColumns are the columns of an export of many tweets.
func ExportColumns() []string {
	return append([]string{"id", "tweet_id", "twitter_created_at"}, CSVColumns...)
}

// ExportCells are the cells of a snapshot in such an export.
func ExportCells(row uuid.UUID, tweetID string, posted time.Time, s engagement.Snapshot) []string {
	return append([]string{row.String(), tweetID, posted.Format(time.RFC3339)}, CSVCells(s)...)
}
