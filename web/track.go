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
	"gorgone/store/postgres"
)

// maxTrack is the most tweets of one request.
const maxTrack = 1000

// newTweet is a tweet as the caller describes it.
type newTweet struct {
	TweetID   string          `json:"tweet_id"`
	CreatedAt *time.Time      `json:"created_at"` // null: derived from the id
	Text      string          `json:"text"`
	Metrics   *knownMetrics   `json:"metrics"` // at collection; null: not known
	Raw       json.RawMessage `json:"raw"`
}

type knownMetrics struct {
	Retweets  engagement.Count `json:"retweet_count"`
	Replies   engagement.Count `json:"reply_count"`
	Likes     engagement.Count `json:"like_count"`
	Quotes    engagement.Count `json:"quote_count"`
	Views     engagement.Count `json:"view_count"`
	Bookmarks engagement.Count `json:"bookmark_count"`
}

// tracked is the response to new tweets.
type tracked struct {
	Success   bool           `json:"success"`
	Message   string         `json:"message"`
	Timestamp time.Time      `json:"timestamp"`
	ZoneID    *uuid.UUID     `json:"zone_id"` // null: the delivery was a test and has none
	Tracked   int            `json:"tracked"` // newly
	Already   int            `json:"already_tracked"`
	Held      int            `json:"held_by_another_zone"`
	Data      []trackedTweet `json:"data"`
	Skipped   []string       `json:"skipped,omitempty"` // why tweets were left out
}

type trackedTweet struct {
	ID      *uuid.UUID        `json:"id"`       // of the row; null: it is another zone's
	TweetID string            `json:"tweet_id"` // the platform's
	Status  store.TrackStatus `json:"status"`
}

// track tracks tweets that a collector found.
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
	var tweets []store.NewTweet
	var skipped []string
	for i, given := range body.Tweets {
		t, err := given.read()
		if err != nil {
			skipped = append(skipped, fmt.Sprintf("tweet %d of %d: %s", i+1, len(body.Tweets), err))
			continue
		}
		tweets = append(tweets, t)
	}
	answer, err := s.trackEach(r, body.ZoneID, tweets)
	if err != nil {
		return err
	}
	if answer.Skipped = append(skipped, answer.Skipped...); len(answer.Data) == 0 {
		return badRequest("none of the %d tweets can be tracked: %s", len(body.Tweets), answer.Skipped[0])
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (t newTweet) read() (store.NewTweet, error) {
	id, err := engagement.ParseTweetRef(t.TweetID)
	if err != nil {
		return store.NewTweet{}, err
	}
	n := store.NewTweet{TweetID: id, Text: t.Text, Raw: t.Raw}
	if t.Metrics != nil {
		n.Metrics = engagement.Metrics(*t.Metrics)
	}
	if t.CreatedAt != nil {
		n.CreatedAt = *t.CreatedAt
		return n, nil
	}
	at, err := engagement.TweetCreatedAt(id)
	if err != nil {
		return n, fmt.Errorf("%w; give created_at with it", err)
	}
	n.CreatedAt = at
	return n, nil
}

// trackEach tracks tweets and skips those that cannot be tracked: one bad tweet must not
// cost the others.
func (s *Server) trackEach(r *request, zone uuid.UUID, tweets []store.NewTweet) (tracked, error) {
	answer, err := s.trackTweets(r, zone, tweets)
	if err == nil || failureOf(err).status != http.StatusBadRequest {
		return answer, err
	}
	if len(tweets) == 1 {
		answer = tracked{Success: true, Timestamp: s.parts.Clock.Database(), ZoneID: &zone, Data: []trackedTweet{}}
		answer.Skipped = []string{fmt.Sprintf("tweet %s: %s", tweets[0].TweetID, err)}
		return answer, nil
	}
	half := len(tweets) / 2
	first, err := s.trackEach(r, zone, tweets[:half])
	if err != nil {
		return first, err
	}
	second, err := s.trackEach(r, zone, tweets[half:])
	if err != nil {
		return second, err
	}
	return first.plus(second), nil
}

// plus is both answers in one.
func (t tracked) plus(o tracked) tracked {
	t.Tracked += o.Tracked
	t.Already += o.Already
	t.Held += o.Held
	t.Data = append(t.Data, o.Data...)
	t.Skipped = append(t.Skipped, o.Skipped...)
	t.Message = "some tweets were skipped"
	return t
}

// trackTweets tracks tweets in a zone.
func (s *Server) trackTweets(r *request, zone uuid.UUID, tweets []store.NewTweet) (tracked, error) {
	list, err := s.parts.Tracker.Track(r.Context(), zone, tweets)
	switch {
	case errors.Is(err, store.ErrZoneNotFound) || postgres.Unavailable(err):
		return tracked{}, err
	case errors.Is(err, store.ErrBadTweet):
		return tracked{}, badRequest("%s", err)
	case err != nil:
		return tracked{}, err
	}
	answer := tracked{Success: true, Timestamp: s.parts.Clock.Database(), ZoneID: &zone, Data: make([]trackedTweet, len(list))}
	for i, t := range list {
		answer.Data[i] = trackedTweet{&list[i].Row, t.TweetID, t.Status}
		switch t.Status {
		case store.StatusTracked:
			answer.Tracked++
		case store.StatusAlready:
			answer.Already++
		case store.StatusOtherZone:
			// The row belongs to another zone, so its id is withheld.
			answer.Data[i].ID = nil
			answer.Held++
		}
	}
	answer.Message = fmt.Sprintf("%d of %d tweets are now tracked", answer.Tracked, len(list))
	return answer, nil
}
