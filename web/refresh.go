package web

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/web/answers"
	"gorgone/web/auth"
)

const (
	defaultRefreshWait = 10 * time.Second
	maxRefreshWait     = 30 * time.Second

	// pollRefresh is the Retry-After of a request that is still open.
	pollRefresh = time.Second
)

// refreshed is the response to a refresh.
type refreshed struct {
	Success   bool         `json:"success"`
	Message   string       `json:"message"`
	Cached    bool         `json:"cached"` // it was looked up a moment ago; no look-up was made
	Timestamp time.Time    `json:"timestamp"`
	Data      *refreshData `json:"data,omitempty"`
}

type refreshData struct {
	ID              uuid.UUID       `json:"id"`               // of the row
	TweetID         string          `json:"tweet_id"`         // the platform's
	TwitterTweetID  string          `json:"twitter_tweet_id"` // deprecated: TweetID, by the name that the replaced system gave it
	Metrics         answers.Metrics `json:"metrics"`
	SnapshotCreated bool            `json:"snapshot_created"`
	TierUpdated     bool            `json:"tier_updated"`
	Tier            engagement.Tier `json:"tier"`
	NextUpdateAt    *time.Time      `json:"next_update_at"` // null: no further look-ups
	SnapshotAt      *time.Time      `json:"snapshot_at"`    // of the last snapshot
	LastUpdated     *time.Time      `json:"last_updated"`
}

func refreshDataOf(t store.Tweet) *refreshData {
	k := t.Tracking
	return &refreshData{
		ID: t.Row, TweetID: t.TweetID, TwitterTweetID: t.TweetID, Metrics: answers.MetricsOf(k.Metrics), Tier: k.Tier,
		NextUpdateAt: answers.TimeOrNull(k.NextUpdateAt), SnapshotAt: answers.TimeOrNull(k.SnapshotAt), LastUpdated: answers.TimeOrNull(k.ObservedAt),
	}
}

// refresh has a tweet looked up ahead of all batches, and waits for the result.
func (s *Server) refresh(w http.ResponseWriter, r *request) error {
	tweet, err := r.tweet(r.PathValue("id"))
	if err != nil {
		return err
	}
	force, err := r.boolean("force")
	if err != nil {
		return err
	}
	wait, err := r.duration("wait", defaultRefreshWait, 0, maxRefreshWait)
	if err != nil {
		return err
	}
	if force && r.caller.Kind == auth.KindUser && !s.config.UserForce {
		return &failure{status: http.StatusForbidden, code: "not_permitted", message: "users may not force a refresh on this server"}
	}
	if err := extendDeadlines(w, wait); err != nil {
		return err
	}
	result, err := s.parts.Refreshes.Do(r.Context(), refresh.Request{
		Tweets: []store.Tweet{tweet}, Caller: s.refreshCaller(r), Force: force,
	}, wait)
	switch {
	case err != nil:
		return err
	case result.Cached:
		return s.answerCached(w, r, tweet)
	}
	return s.answerRefresh(w, r, result.Request)
}

// refreshCaller names the caller of a refresh. Only users have limits.
func (s *Server) refreshCaller(r *request) refresh.Caller {
	c := refresh.Caller{Name: string(r.caller.Kind) + ":" + r.caller.Name}
	if r.caller.Kind == auth.KindUser {
		c.Limits = s.config.UserLimits
	}
	return c
}

// answerRefresh responds with the state of a request.
func (s *Server) answerRefresh(w http.ResponseWriter, r *request, request store.RefreshRequest) error {
	effect := request.Outcome.Effect()
	switch {
	case effect.Status == http.StatusAccepted:
		w.Header().Set("Location", "/api/twitter/tweets/"+request.Row.String()+"/refresh/"+request.ID.String())
		setRetryAfter(w.Header(), pollRefresh)
		return writeJSON(w, effect.Status, refreshed{Success: true, Message: effect.Words, Timestamp: s.parts.Clock.Database()})
	case effect.Status != http.StatusOK:
		return s.requestFailure(request)
	}
	tweet, err := s.parts.Tweets.Tweet(r.Context(), request.Row)
	if err != nil {
		return err
	}
	answer := refreshed{Success: true, Message: effect.Words, Timestamp: s.parts.Clock.Database(), Data: refreshDataOf(tweet)}
	answer.Data.SnapshotCreated, answer.Data.TierUpdated = request.SnapshotCreated, request.TierUpdated
	return writeJSON(w, effect.Status, answer)
}

// requestFailure is why a request that has ended brought no counts.
func (s *Server) requestFailure(r store.RefreshRequest) *failure {
	outcome := r.Outcome
	if outcome == engagement.RequestFailed {
		var after time.Duration
		if !r.RetryAt.IsZero() {
			after = r.RetryAt.Sub(s.parts.Clock.Database())
		}
		return causeFailure(engagement.FailureCause(r.Cause), r.Reason, after)
	}
	effect := outcome.Effect()
	message := effect.Words
	switch {
	case message == "":
		message = r.Reason
	case outcome == engagement.RequestDeleted:
		message += ": " + r.Reason
	}
	return &failure{status: effect.Status, code: effect.Code, message: message, retryAfter: effect.RetryAfter}
}

// answerCached responds with the counts in the database, which may be newer than t.
func (s *Server) answerCached(w http.ResponseWriter, r *request, t store.Tweet) error {
	t, err := s.parts.Tweets.Tweet(r.Context(), t.Row)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, refreshed{
		Success: true, Cached: true, Message: "the tweet was looked up a moment ago", Timestamp: s.parts.Clock.Database(), Data: refreshDataOf(t),
	})
}

// current responds with the latest counts.
func (s *Server) current(w http.ResponseWriter, r *request) error {
	tweet, err := r.tweet(r.PathValue("id"))
	if err != nil {
		return err
	}
	underWay, err := s.parts.Requests.RefreshUnderWay(r.Context(), tweet.TweetID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Success   bool      `json:"success"`
		Timestamp time.Time `json:"timestamp"`
		Data      any       `json:"data"`
	}{true, s.parts.Clock.Database(), struct {
		*refreshData
		UpdateCount int  `json:"update_count"`
		Refreshing  bool `json:"refreshing"`
	}{refreshDataOf(tweet), tweet.Tracking.UpdateCount, underWay}})
}

// poll responds with the state of a request that was not answered in time.
func (s *Server) poll(w http.ResponseWriter, r *request) error {
	tweet, err := r.tweet(r.PathValue("id"))
	if err != nil {
		return err
	}
	id, err := pathID(r.PathValue("request"))
	if err != nil {
		return err
	}
	request, err := s.parts.Requests.RefreshRequest(r.Context(), id)
	if err != nil {
		return err
	}
	if named, err := engagement.ParseTweetRef(r.PathValue("id")); err == nil && named == request.TweetID && request.Row != tweet.Row {
		// The platform's id names the rows of all zones: the request is for one of the others.
		if tweet, err = r.tweet(request.Row.String()); err != nil {
			return err
		}
	}
	if request.Row != tweet.Row {
		return store.ErrRequestNotFound
	}
	return s.answerRefresh(w, r, request)
}
