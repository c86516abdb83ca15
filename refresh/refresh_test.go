package refresh_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/enginetest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/throttle"
)

func TestMain(m *testing.M) {
	testkit.Main(m)
}

// stack is the service on a database and a queue of its own. No worker runs.
type stack struct {
	*enginetest.Ground
	service *refresh.Service
	sql     *pgx.Conn
	tweets  []store.Tweet // one row each
}

func newStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{Ground: enginetest.New(t, queue.Config{})}
	s.sql = pgtest.Connect(t, s.URL)
	s.service = &refresh.Service{Requests: s.Store, Queue: s.Queue, Clock: s.Clock, Log: zerolog.Nop()}
	var add []store.NewTweet
	for _, id := range []string{"20", "21", "22"} {
		add = append(add, store.NewTweet{TweetID: id, CreatedAt: s.Clock.Now().Add(-time.Hour), Text: "tweet"})
	}
	_, err := s.Store.Track(t.Context(), s.Zone.ID, add)
	testkit.Must(t, err)
	for _, a := range add {
		s.tweets = append(s.tweets, s.find(t, a.TweetID)...)
	}
	return s
}

func (s *stack) find(t *testing.T, id string) []store.Tweet {
	t.Helper()
	tweets, err := s.Store.FindTweet(t.Context(), id)
	testkit.Must(t, err)
	return tweets
}

// requests returns the callers of the requests that are open.
func (s *stack) requests(t *testing.T) []string {
	t.Helper()
	rows, err := s.sql.Query(t.Context(), `select requester from gorgone.refresh_requests where closed_at is null order by id`)
	testkit.Must(t, err)
	callers, err := pgx.CollectRows(rows, pgx.RowTo[string])
	testkit.Must(t, err)
	return callers
}

// pending returns the number of refresh messages in the queue.
func (s *stack) pending(t *testing.T) int {
	t.Helper()
	depth, err := s.Queue.Depth(t.Context())
	testkit.Must(t, err)
	return depth.Refresh.Pending
}

func (s *stack) request(n int) refresh.Request {
	return refresh.Request{Tweets: s.tweets[n : n+1], Caller: refresh.Caller{Name: "test"}}
}

// TestARequestIsRecordedAndPublishedOnce has two requests for one tweet share a message.
func TestARequestIsRecordedAndPublishedOnce(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	first, err := s.service.Do(t.Context(), s.request(0), 0)
	testkit.Must(t, err)
	if first.Row != s.tweets[0].Row || first.Request.Outcome != engagement.RequestOpen || first.Coalesced || first.Cached {
		t.Errorf("%+v", first)
	}
	second, err := s.service.Submit(t.Context(), s.request(0))
	testkit.Must(t, err)
	if !second.Coalesced || second.Request.ID == first.Request.ID {
		t.Errorf("%+v", second)
	}
	if callers := s.requests(t); len(callers) != 2 || callers[0] != "test" || s.pending(t) != 1 {
		t.Errorf("requests %v, %d messages", callers, s.pending(t))
	}
}

// TestOverALimitNothingIsRequested, neither of one caller nor of all together.
func TestOverALimitNothingIsRequested(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	limited := s.request(0)
	limited.Caller.Limits.Allowance = 1
	_, err := s.service.Submit(t.Context(), limited)
	testkit.Must(t, err)
	limited.Tweets = s.tweets[1:2]
	var limit *store.LimitError
	if _, err := s.service.Submit(t.Context(), limited); !errors.As(err, &limit) || limit.Budget || limit.After <= 0 {
		t.Errorf("over the allowance: %v", err)
	}
	limited.Caller.Name = "another"
	_, err = s.service.Submit(t.Context(), limited)
	testkit.Must(t, err)

	_, err = s.sql.Exec(t.Context(), `insert into gorgone.ledger (day, provider, zone_id, refresh, calls, tweets, credits, dollars)
		values ($1, 'twitterapi', $2, true, 1, 1, 15, 0.5)`, s.Clock.Now().UTC(), s.Zone.ID)
	testkit.Must(t, err)
	s.service.Requests = store.New(s.DB, s.Clock, store.Options{Budget: store.Budget{RefreshDay: 0.5}})
	if _, err := s.service.Do(t.Context(), s.request(2), time.Minute); !errors.As(err, &limit) || !limit.Budget {
		t.Errorf("over the budget: %v", err)
	}
	if len(s.requests(t)) != 2 || s.pending(t) != 2 {
		t.Errorf("requests %v, %d messages", s.requests(t), s.pending(t))
	}
}

// TestTheFirstTrackedRowIsRequested: one zone of several may be inactive.
func TestTheFirstTrackedRowIsRequested(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	other, err := s.Store.CreateZone(t.Context(), store.Zone{Name: "a zone before the other"})
	testkit.Must(t, err)
	_, err = s.Store.Track(t.Context(), other.ID, []store.NewTweet{{TweetID: "20", CreatedAt: s.Clock.Now().Add(-time.Hour)}})
	testkit.Must(t, err)
	_, err = s.sql.Exec(t.Context(), `update zones set is_active = false where id = $1`, other.ID)
	testkit.Must(t, err)
	r := s.request(0)
	r.Tweets = s.find(t, "20")
	if len(r.Tweets) != 2 || r.Tweets[0].ZoneID != other.ID {
		t.Fatalf("%+v", r.Tweets)
	}
	result, err := s.service.Submit(t.Context(), r)
	if err != nil || result.Row != s.tweets[0].Row {
		t.Errorf("%+v, %v", result, err)
	}
	r.Tweets = r.Tweets[:1]
	if _, err := s.service.Submit(t.Context(), r); !errors.Is(err, store.ErrNotTracked) {
		t.Errorf("of an inactive zone only: %v", err)
	}
}

// TestWhatWasJustSeenIsNotRequested, unless that is forced.
func TestWhatWasJustSeenIsNotRequested(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	now := s.Clock.Now()
	_, err := s.Store.ApplyRefresh(t.Context(), []store.RefreshResult{{
		TweetID: "20", RequestedAt: now, Kind: store.Found,
		Observation: engagement.Observation{At: now, Metrics: engagement.Metrics{Likes: engagement.Known(5)}},
	}})
	testkit.Must(t, err)
	r := s.request(0) // read before the observation: the store knows better
	for range 2 {
		if result, err := s.service.Do(t.Context(), r, time.Minute); err != nil || !result.Cached || result.Row != s.tweets[0].Row {
			t.Errorf("%+v, %v", result, err)
		}
		r.Tweets = s.find(t, "20")
	}
	r.Force = true
	if result, err := s.service.Submit(t.Context(), r); err != nil || result.Cached {
		t.Errorf("forced: %+v, %v", result, err)
	}
	if len(s.requests(t)) != 1 {
		t.Errorf("requests %v", s.requests(t))
	}
}

// TestTheEndIsTold by the event with what changed, and without it by the row.
func TestTheEndIsTold(t *testing.T) {
	t.Parallel()
	for name, announce := range map[string]bool{"event": true, "lost event": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			r := s.request(0)
			r.Detail = true
			in, err := s.Queue.ConsumeRefreshes(t.Context())
			testkit.Must(t, err)
			defer in.Stop()
			var worker conc.WaitGroup
			defer worker.Wait()
			worker.Go(func() {
				group, err := in.Fetch(t.Context(), 1)
				if err != nil {
					t.Error(err)
					return
				}
				failure := store.RefreshFailure{TweetID: "20", Cause: "provider", Reason: "for a test"}
				err = s.Store.FailRefreshes(t.Context(), []store.RefreshFailure{failure})
				if announce {
					err = errors.Join(err, s.Queue.PublishResult(t.Context(), queue.RefreshResult{
						TweetID: "20", Outcome: engagement.RequestFailed, Reason: "for a test", Rows: []queue.ResultRow{{RowID: s.tweets[0].Row}},
					}))
				}
				if err := errors.Join(err, group[0].Ack(t.Context())); err != nil {
					t.Error(err)
				}
			})
			result, err := s.service.Do(t.Context(), r, time.Minute)
			if err != nil || result.Request.Outcome != engagement.RequestFailed || result.Done.Outcome != engagement.RequestFailed || result.Done.Reason != "for a test" {
				t.Errorf("%+v, %v", result, err)
			}
			if got := len(result.Done.Rows) > 0; got != announce {
				t.Errorf("rows %v", result.Done.Rows)
			}
		})
	}
}

// TestWithoutAQueueNoRequestIsLeft, whether it fails before or after the row.
func TestWithoutAQueueNoRequestIsLeft(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.NATS.Stop()
	defer s.NATS.Resume()
	if _, err := s.service.Do(t.Context(), s.request(0), time.Minute); !errors.Is(err, refresh.ErrQueueUnavailable) {
		t.Errorf("do: %v", err)
	}
	if _, err := s.service.Submit(t.Context(), s.request(0)); !errors.Is(err, refresh.ErrQueueUnavailable) {
		t.Errorf("submit: %v", err)
	}
	if callers := s.requests(t); len(callers) > 0 {
		t.Errorf("requests %v", callers)
	}
}

type stopped throttle.Stop

func (s stopped) StoppedIn(uuid.UUID) (throttle.Stop, bool) { return throttle.Stop(s), true }

// TestStoppedCalls refuse a request at once, except a rate limit that ends in time.
func TestStoppedCalls(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var stop *refresh.StoppedError
	soon := s.Clock.Database().Add(10 * time.Second)
	s.service.Calls = stopped{Cause: engagement.CauseOutOfCredit, Reason: "no credit", Until: soon}
	if _, err := s.service.Do(t.Context(), s.request(0), time.Minute); !errors.As(err, &stop) || stop.Cause != engagement.CauseOutOfCredit || stop.After <= 0 {
		t.Errorf("out of credit: %v", err)
	}
	s.service.Calls = stopped{Cause: engagement.CauseRateLimited, Reason: "429", Until: soon}
	if _, err := s.service.Do(t.Context(), s.request(0), time.Second); !errors.As(err, &stop) || stop.Cause != engagement.CauseRateLimited {
		t.Errorf("rate-limited for longer than the wait: %v", err)
	}
	soon = s.Clock.Database().Add(100 * time.Millisecond)
	s.service.Calls = stopped{Cause: engagement.CauseRateLimited, Reason: "429", Until: soon}
	if _, err := s.service.Do(t.Context(), s.request(0), time.Second); err != nil {
		t.Errorf("rate-limited for less than the wait: %v", err)
	}
	if _, err := s.service.Submit(t.Context(), refresh.Request{}); !errors.Is(err, store.ErrTweetNotFound) {
		t.Errorf("of no tweet: %v", err)
	}
}
