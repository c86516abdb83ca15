package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

// maxTrack is how many tweets one request may bring.
const maxTrack = 1000

// newTweet is a tweet as a caller brings it.
type newTweet struct {
	TweetID   string          `json:"tweet_id"`
	CreatedAt *time.Time      `json:"created_at"` // null: read from the id
	Text      string          `json:"text"`
	Metrics   *givenMetrics   `json:"metrics"` // as known at collection; null: not known
	Raw       json.RawMessage `json:"raw"`
}

type givenMetrics struct {
	Retweets  engagement.Count `json:"retweet_count"`
	Replies   engagement.Count `json:"reply_count"`
	Likes     engagement.Count `json:"like_count"`
	Quotes    engagement.Count `json:"quote_count"`
	Views     engagement.Count `json:"view_count"`
	Bookmarks engagement.Count `json:"bookmark_count"`
}

// tracked is the answer to new tweets.
type tracked struct {
	Success   bool           `json:"success"`
	Message   string         `json:"message"`
	Timestamp time.Time      `json:"timestamp"`
	ZoneID    uuid.UUID      `json:"zone_id"`
	Tracked   int            `json:"tracked"` // from now on
	Already   int            `json:"already_tracked"`
	Held      int            `json:"held_by_another_zone"`
	Data      []trackedTweet `json:"data"`
	Skipped   []string       `json:"skipped,omitempty"` // why elements were left out
}

type trackedTweet struct {
	TwitterTweetID string            `json:"twitter_tweet_id"`
	TweetID        uuid.UUID         `json:"tweet_id"`
	Status         store.TrackStatus `json:"status"`
}

// track takes tweets in that a collector found.
func (s *Server) track(w http.ResponseWriter, r *request) error {
	var body struct {
		ZoneID   uuid.UUID  `json:"zone_id"`
		TweetIDs []string   `json:"tweet_ids"`
		Tweets   []newTweet `json:"tweets"`
	}
	if err := readJSON(r.body, &body); err != nil {
		return err
	}
	for _, id := range body.TweetIDs {
		body.Tweets = append(body.Tweets, newTweet{TweetID: id})
	}
	switch n := len(body.Tweets); {
	case body.ZoneID == uuid.Nil:
		return badRequest("zone_id is missing")
	case n < 1 || n > maxTrack:
		return badRequest("%d tweets in the body, want 1 to %d, as tweets or tweet_ids", n, maxTrack)
	}
	if err := r.mayIn(body.ZoneID); err != nil {
		return err
	}
	tweets := make([]store.NewTweet, len(body.Tweets))
	for i, t := range body.Tweets {
		var err error
		if tweets[i], err = t.read(); err != nil {
			return badRequest("tweet %d of %d: %s", i+1, len(body.Tweets), err)
		}
	}
	answer, err := s.take(r, body.ZoneID, tweets)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (t newTweet) read() (store.NewTweet, error) {
	n := store.NewTweet{TweetID: t.TweetID, Text: t.Text, Raw: t.Raw}
	if t.Metrics != nil {
		n.Metrics = engagement.Metrics(*t.Metrics)
	}
	if t.CreatedAt != nil {
		n.CreatedAt = *t.CreatedAt
		return n, engagement.CheckTweetID(t.TweetID)
	}
	at, err := engagement.TweetCreatedAt(t.TweetID)
	if err != nil {
		return n, fmt.Errorf("%w; give created_at with it", err)
	}
	n.CreatedAt = at
	return n, nil
}

// take begins to track tweets in a zone.
func (s *Server) take(r *request, zone uuid.UUID, tweets []store.NewTweet) (tracked, error) {
	list, err := s.parts.Tracker.Track(r.Context(), zone, tweets)
	switch {
	case errors.Is(err, store.ErrZoneNotFound) || store.Unavailable(err):
		return tracked{}, err
	case errors.Is(err, store.ErrBadTweet):
		return tracked{}, badRequest("%s", err)
	case err != nil:
		return tracked{}, err
	}
	answer := tracked{Success: true, Timestamp: s.parts.Clock.Database(), ZoneID: zone, Data: make([]trackedTweet, len(list))}
	for i, t := range list {
		answer.Data[i] = trackedTweet{t.TweetID, t.Row, t.Status}
		switch t.Status {
		case store.StatusTracked:
			answer.Tracked++
		case store.StatusAlready:
			answer.Already++
		case store.StatusOtherZone:
			// The row is another zone's; its id is not for everybody.
			answer.Data[i].TweetID = uuid.Nil
			answer.Held++
		}
	}
	answer.Message = fmt.Sprintf("%d of %d tweets are tracked from now on", answer.Tracked, len(list))
	return answer, nil
}
