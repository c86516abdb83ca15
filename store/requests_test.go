package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/store"
	"gorgone/store/postgres"
)

// ask asks for a refresh of a row as a caller without limits.
func (e *env) ask(tb testing.TB, row uuid.UUID) store.RefreshRequest {
	tb.Helper()
	request, fresh, err := e.OpenRefresh(tb.Context(), store.RequestRefresh{ID: uuid.New(), Row: row, Requester: "test", Wait: time.Minute})
	if err != nil || fresh {
		tb.Fatalf("fresh %v, error %v", fresh, err)
	}
	return request
}

func (e *env) request(tb testing.TB, id uuid.UUID) store.RefreshRequest {
	tb.Helper()
	return must(e.RefreshRequest(tb.Context(), id))(tb)
}

func TestRefreshClosesItsRequests(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 3)
		first, second := e.ask(t, tracked[0].Row), e.ask(t, tracked[0].Row)
		missing, other := e.ask(t, tracked[1].Row), e.ask(t, tracked[2].Row)
		if open := must(e.RefreshUnderWay(t.Context(), first.TweetID))(t); !open {
			t.Error("no refresh is under way")
		}
		e.clock.advance(time.Second)
		e.refresh(t, e.refreshed(first.TweetID, 5), store.RefreshResult{
			TweetID: missing.TweetID, RequestedAt: e.clock.Now(), Kind: store.Missing, Reason: "gone\x00, they say",
		})
		for _, id := range []uuid.UUID{first.ID, second.ID} {
			if r := e.request(t, id); r.Outcome != engagement.RequestUpdated || !r.SnapshotCreated || r.TweetID != first.TweetID {
				t.Errorf("after the answer: %+v", r)
			}
		}
		if r := e.request(t, missing.ID); r.Outcome != engagement.RequestMissing || r.Reason != "gone, they say" {
			t.Errorf("after a miss: %+v", r)
		}
		if r := e.request(t, other.ID); r.Outcome != engagement.RequestOpen {
			t.Errorf("another tweet's request: %+v", r)
		}
		if open := must(e.RefreshUnderWay(t.Context(), first.TweetID))(t); open {
			t.Error("a refresh is still under way")
		}
		answered := must(e.AnsweredRefreshes(t.Context(), []uuid.UUID{first.ID, other.ID, uuid.New()}))(t)
		if len(answered) != 1 || answered[0] != first.ID {
			t.Errorf("answered: %v", answered)
		}
	})
}

func TestFailedRefreshes(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 1)
		r := e.ask(t, tracked[0].Row)
		retry := e.clock.Now().Add(time.Minute)
		err := e.FailRefreshes(t.Context(), []store.RefreshFailure{{TweetID: r.TweetID, Cause: "rate_limited", Reason: "paused", RetryAt: retry}})
		if err != nil {
			t.Fatal(err)
		}
		got := e.request(t, r.ID)
		if got.Outcome != engagement.RequestFailed || got.Cause != "rate_limited" || got.Reason != "paused" || !got.RetryAt.Equal(retry) {
			t.Errorf("after the failure: %+v", got)
		}
		// What was told stays told.
		e.refresh(t, e.refreshed(r.TweetID, 5))
		if got := e.request(t, r.ID); got.Outcome != engagement.RequestFailed {
			t.Errorf("a later answer changed it: %+v", got)
		}
	})
}

func TestRefreshRequestExpires(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	tracked := e.track(t, 1)
	r := e.ask(t, tracked[0].Row)
	// A clock that is wrong for a while makes no request late, and opens none.
	const wrong = 17 * time.Hour
	e.clock.Leap(wrong)
	if got := e.request(t, r.ID); got.Outcome != engagement.RequestOpen {
		t.Errorf("while the time is in doubt: %+v", got)
	}
	ask := store.RequestRefresh{ID: uuid.New(), Row: tracked[0].Row, Requester: "test", Wait: time.Minute}
	if _, _, err := e.OpenRefresh(t.Context(), ask); !errors.Is(err, clock.ErrDisagreement) {
		t.Errorf("opened while the time is in doubt: %v", err)
	}
	e.clock.Leap(-wrong)
	e.clock.advance(time.Minute + time.Second)
	if got := e.request(t, r.ID); got.Outcome != engagement.RequestExpired {
		t.Errorf("past its deadline: %+v", got)
	}
	e.refresh(t, e.refreshed(r.TweetID, 5))
	if got := e.request(t, r.ID); got.Outcome != engagement.RequestExpired {
		t.Errorf("a late answer changed it: %+v", got)
	}
	e.clock.advance(2 * time.Hour)
	if n := must(e.PruneRequests(t.Context(), e.clock.Now()))(t); n != 1 {
		t.Errorf("pruned %d", n)
	}
	if _, err := e.RefreshRequest(t.Context(), r.ID); !errors.Is(err, store.ErrRequestNotFound) {
		t.Errorf("after pruning: %v", err)
	}
}

func TestRefreshIsNotNeeded(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 1)
		e.clock.advance(time.Second)
		e.refresh(t, e.refreshed(tracked[0].TweetID, 5))
		e.clock.advance(14 * time.Second)
		ask := store.RequestRefresh{ID: uuid.New(), Row: tracked[0].Row, Requester: "u", Limits: store.Limits{Allowance: 1}, Wait: time.Minute, Fresh: 15 * time.Second}
		for range 3 { // does not count
			if _, fresh, err := e.OpenRefresh(t.Context(), ask); err != nil || !fresh {
				t.Fatalf("after 14 s: fresh %v, error %v", fresh, err)
			}
		}
		e.clock.advance(time.Second)
		if _, fresh, err := e.OpenRefresh(t.Context(), ask); err != nil || fresh {
			t.Fatalf("after 15 s: fresh %v, error %v", fresh, err)
		}
	})
}

func TestRefreshLimits(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		row := e.track(t, 1)[0].Row
		ask := func(who string) error {
			_, _, err := e.OpenRefresh(t.Context(), store.RequestRefresh{
				ID: uuid.New(), Row: row, Requester: who, Wait: time.Minute,
				Limits: store.Limits{Cooldown: 10 * time.Second, Allowance: 3},
			})
			return err
		}
		wait := func(err error) time.Duration {
			var limit *store.LimitError
			if !errors.As(err, &limit) {
				t.Fatalf("error %v, want a limit", err)
			}
			return limit.After
		}
		must("", ask("a"))(t)
		e.clock.advance(4 * time.Second)
		if after := wait(ask("a")); after != 6*time.Second {
			t.Errorf("cooldown: wait %s, want 6s", after)
		}
		must("", ask("b"))(t) // another's is its own
		e.clock.advance(6 * time.Second)
		must("", ask("a"))(t)
		e.clock.advance(time.Minute)
		must("", ask("a"))(t)
		e.clock.advance(time.Minute)
		if after := wait(ask("a")); after != time.Hour-130*time.Second {
			t.Errorf("allowance: wait %s", after)
		}
		e.clock.advance(time.Hour - 130*time.Second)
		must("", ask("a"))(t)
	})
}

// TestRefreshAllowanceHoldsAtOnce has many presses of one user arrive together.
func TestRefreshAllowanceHoldsAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	row := e.track(t, 1)[0].Row
	var all conc.WaitGroup
	for range 30 {
		all.Go(func() {
			_, _, err := e.OpenRefresh(t.Context(), store.RequestRefresh{
				ID: uuid.New(), Row: row, Requester: "u", Wait: time.Minute, Limits: store.Limits{Allowance: 5},
			})
			var limit *store.LimitError
			if err != nil && !errors.As(err, &limit) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := e.count(t, `select count(*) from gorgone.refresh_requests`); n != 5 {
		t.Errorf("%d requests were let through, want 5", n)
	}
}

func TestRefreshOfWhatIsNotTracked(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	tracked := e.track(t, 2)
	e.exec(t, `delete from twitter_engagement_tracking where tweet_db_id = $1`, tracked[0].Row)
	ask := func(row uuid.UUID) error {
		_, _, err := e.OpenRefresh(t.Context(), store.RequestRefresh{ID: uuid.New(), Row: row, Requester: "u", Wait: time.Minute})
		return err
	}
	if err := ask(uuid.New()); !errors.Is(err, store.ErrTweetNotFound) {
		t.Errorf("unknown row: %v", err)
	}
	if err := ask(tracked[0].Row); !errors.Is(err, store.ErrNotTracked) {
		t.Errorf("untracked row: %v", err)
	}
	e.exec(t, `update zones set is_active = false`)
	if err := ask(tracked[1].Row); !errors.Is(err, store.ErrNotTracked) {
		t.Errorf("row of an inactive zone: %v", err)
	}
}
