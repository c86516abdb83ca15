package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"gorgone/engagement"
	"gorgone/internal/traceparent"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/web/auth"
)

const (
	// refreshLife is how long a request may be answered: as long as the queue
	// keeps it.
	refreshLife = time.Minute

	defaultRefreshWait = 10 * time.Second
	maxRefreshWait     = 30 * time.Second

	// fresh is how old, in engine time, an observation may be that answers a
	// refresh without a look-up.
	fresh = 15 * time.Second

	// rereadEvery is how often a request is looked at by somebody who waits for
	// it, in case the event that announces its end was lost.
	rereadEvery = time.Second
)

// refreshed is the answer to a refresh.
type refreshed struct {
	Success   bool         `json:"success"`
	Message   string       `json:"message"`
	Cached    bool         `json:"cached"` // it was seen a moment ago: no look-up was made
	Timestamp time.Time    `json:"timestamp"`
	Data      *refreshData `json:"data,omitempty"`
}

type refreshData struct {
	TweetID         uuid.UUID       `json:"tweet_id"` // of the row
	TwitterTweetID  string          `json:"twitter_tweet_id"`
	Metrics         metrics         `json:"metrics"`
	SnapshotCreated bool            `json:"snapshot_created"`
	TierUpdated     bool            `json:"tier_updated"`
	Tier            engagement.Tier `json:"tier"`
	NextUpdateAt    *time.Time      `json:"next_update_at"` // null: not looked at any more
	SnapshotAt      *time.Time      `json:"snapshot_at"`    // of the last snapshot
	LastUpdated     *time.Time      `json:"last_updated"`
}

func refreshDataOf(t store.Tweet) *refreshData {
	k := t.Tracking
	return &refreshData{
		TweetID: t.Row, TwitterTweetID: t.TweetID, Metrics: metricsOf(k.Metrics), Tier: k.Tier,
		NextUpdateAt: moment(k.NextUpdateAt), SnapshotAt: moment(k.SnapshotAt), LastUpdated: moment(k.ObservedAt),
	}
}

// refresh has a tweet looked up before everything else, and waits for the answer.
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
		return &failure{status: http.StatusForbidden, code: "not_permitted", message: "force is not allowed to users here"}
	}
	if err := takeTime(w, wait); err != nil {
		return err
	}
	if !force && s.isFresh(tweet) {
		return s.answerCached(w, tweet)
	}
	if err := s.callsPaused(wait); err != nil {
		return err
	}
	if !s.parts.Connection.Connected() {
		return queueAway(nil)
	}
	// First listen, then ask.
	results, stop, err := s.parts.Queue.WatchDone(r.Context(), tweet.TweetID)
	if err != nil {
		return queueAway(err)
	}
	defer stop()
	request, seen, err := s.ask(r, tweet, force)
	switch {
	case err != nil:
		return err
	case seen: // while we were on our way
		if tweet, err = s.parts.Tweets.Tweet(r.Context(), tweet.Row); err != nil {
			return err
		}
		return s.answerCached(w, tweet)
	}
	ended, err := s.awaitRefresh(r.Context(), request.ID, results, wait)
	if err != nil {
		return err
	}
	return s.answerRefresh(w, r, ended)
}

func (s *Server) isFresh(t store.Tweet) bool {
	at := t.Tracking.ObservedAt
	return t.Tracked && !at.IsZero() && s.parts.Clock.Now().Sub(at) < fresh
}

// callsPaused returns why no call will be made within the wait, if that is known.
func (s *Server) callsPaused(wait time.Duration) error {
	stop, stopped := s.parts.Calls.Stopped()
	if !stopped {
		return nil
	}
	left := stop.Until.Sub(s.parts.Clock.Database())
	if stop.Cause == queue.CauseRateLimited && left < wait {
		return nil // it is worth waiting for
	}
	return notAnswered(stop.Cause, "calls to the provider are stopped: "+stop.Reason, left)
}

// ask records the request and passes it on. seen tells that the tweet has been
// looked at meanwhile, and nothing was asked.
func (s *Server) ask(r *request, tweet store.Tweet, force bool) (request store.RefreshRequest, seen bool, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return request, false, fmt.Errorf("make a request's id: %w", err)
	}
	asked := store.RequestRefresh{ID: id, Row: tweet.Row, Requester: string(r.caller.Kind) + ":" + r.caller.Name, Wait: refreshLife, Fresh: fresh}
	if force {
		asked.Fresh = 0
	}
	if r.caller.Kind == auth.KindUser {
		asked.Limits = s.config.UserLimits
	}
	if request, seen, err = s.parts.Requests.OpenRefresh(r.Context(), asked); err != nil || seen {
		return request, seen, err
	}
	// Whether it is coalesced makes no difference here: the look-up that it joins
	// closes it too.
	ctx, span := s.config.Tracer.Start(r.Context(), "ask for a refresh", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.Stringer("request", id)))
	defer span.End()
	_, err = s.parts.Queue.PublishRefresh(ctx, queue.Refresh{
		RequestID: id, TweetID: tweet.TweetID, RequestedAt: request.RequestedAt, Deadline: request.Deadline,
		Trace: traceparent.Of(ctx),
	})
	if err == nil {
		return request, false, nil
	}
	undoing, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), retryUnavailable)
	defer cancel()
	if e := s.parts.Requests.CancelRefresh(undoing, id); e != nil {
		s.log.Warn().Err(e).Msg("a request that was not passed on stays until it expires")
	}
	if !errors.Is(err, queue.ErrFull) && r.Context().Err() == nil {
		// Not connected, or a stream without a leader: it did not take it, and may soon.
		err = queueAway(err)
	}
	return request, false, err
}

// awaitRefresh waits until the request is closed, at most for the given time, and
// returns it as it stands then.
func (s *Server) awaitRefresh(ctx context.Context, id uuid.UUID, results <-chan queue.Done, wait time.Duration) (store.RefreshRequest, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	for over := wait <= 0; ; {
		if !over {
			select {
			case <-results:
			case <-tick.C:
			case <-timer.C:
				over = true
			case <-ctx.Done():
				return store.RefreshRequest{}, context.Cause(ctx)
			}
		}
		request, err := s.parts.Requests.RefreshRequest(ctx, id)
		if err != nil || over || request.Outcome != store.RequestOpen {
			return request, err
		}
	}
}

// answerRefresh tells how a request stands.
func (s *Server) answerRefresh(w http.ResponseWriter, r *request, request store.RefreshRequest) error {
	switch request.Outcome {
	case store.RequestOpen:
		w.Header().Set("Location", "/api/twitter/tweets/"+request.Row.String()+"/refresh/"+request.ID.String())
		setRetryAfter(w.Header(), rereadEvery)
		return writeJSON(w, http.StatusAccepted, refreshed{
			Success: true, Message: "the refresh is under way; ask again at the Location", Timestamp: s.parts.Clock.Database(),
		})
	case store.RequestUpdated, store.RequestCurrent:
		tweet, err := s.parts.Tweets.Tweet(r.Context(), request.Row)
		if err != nil {
			return err
		}
		answer := refreshed{Success: true, Message: "the tweet was looked up", Timestamp: s.parts.Clock.Database(), Data: refreshDataOf(tweet)}
		answer.Data.SnapshotCreated, answer.Data.TierUpdated = request.SnapshotCreated, request.TierUpdated
		return writeJSON(w, http.StatusOK, answer)
	case store.RequestDeleted:
		return &failure{status: http.StatusGone, code: "gone", message: "the tweet counts as deleted: " + request.Reason}
	case store.RequestMissing:
		message := "the provider's answer lacks the tweet: it may be deleted, or its account protected; it is looked for again before it counts as deleted"
		return &failure{status: http.StatusServiceUnavailable, code: "missing", message: message, retryAfter: engagement.MissGap}
	case store.RequestUntracked:
		return store.ErrNotTracked
	case store.RequestFailed:
		var after time.Duration
		if !request.RetryAt.IsZero() {
			after = request.RetryAt.Sub(s.parts.Clock.Database())
		}
		return notAnswered(queue.Cause(request.Cause), request.Reason, after)
	case store.RequestExpired:
		return &failure{status: http.StatusGatewayTimeout, code: "expired", message: request.Reason, retryAfter: retryUnavailable}
	case store.RequestUnresolved:
	}
	return notAnswered(queue.CauseProvider, "the provider's answer about the tweet could not be used", 0)
}

// answerCached answers with what is in the database.
func (s *Server) answerCached(w http.ResponseWriter, t store.Tweet) error {
	return writeJSON(w, http.StatusOK, refreshed{
		Success: true, Cached: true, Message: "the tweet was looked up a moment ago", Timestamp: s.parts.Clock.Database(), Data: refreshDataOf(t),
	})
}

// current answers with the counts as they were last seen.
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

// poll answers how a request stands that was not answered in time.
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
	if request.Row != tweet.Row {
		return store.ErrRequestNotFound
	}
	return s.answerRefresh(w, r, request)
}
