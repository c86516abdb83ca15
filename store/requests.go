package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/budget"
	"gorgone/store/postgres"
)

// ErrRequestNotFound is returned for the id of a refresh request that was never
// made, or was forgotten since.
var ErrRequestNotFound = errors.New("refresh request not found")

// ErrNotTracked is returned for a tweet that cannot be refreshed: it was
// collected and is not tracked, or its zone is not active.
var ErrNotTracked = errors.New("tweet is not tracked in an active zone")

// Limits bound what a caller's refreshes may cost. Zero fields do not limit.
type Limits struct {
	Cooldown  time.Duration // real time between two of the caller's refreshes
	Allowance int           // the caller's refreshes in any real hour
}

// RequestRefresh asks for a refresh to be recorded.
type RequestRefresh struct {
	ID        uuid.UUID
	Row       uuid.UUID     // id of twitter_tweets
	Requester string        // who asks, for the limits
	Limits    Limits        // of that requester
	Wait      time.Duration // real time until the deadline
	Fresh     time.Duration // an observation younger than this (engine time) is good enough; 0: none is
}

// RefreshRequest is a refresh that was asked for, or that was not needed.
type RefreshRequest struct {
	ID          uuid.UUID
	Row         uuid.UUID
	TweetID     string
	RequestedAt time.Time
	Deadline    time.Time
	Client      uuid.UUID // of the zone, where it has or had a key of its own; only of open ones

	Outcome         engagement.RequestOutcome
	Cause           string // of a failure, as the worker named it
	Reason          string
	RetryAt         time.Time // database time at which to ask again; zero: not known
	SnapshotCreated bool
	TierUpdated     bool
}

// LimitError is returned to a caller who asks too often.
type LimitError struct {
	After  time.Duration // real time after which to ask again
	Reason string
	Budget bool // a budget or cap is used up, not a limit of this caller

	Cap *budget.Shortage // of a zone or client; nil: another limit
}

func (e *LimitError) Error() string { return e.Reason }

// OpenRefresh records a request for a refresh. fresh is true when the
// tweet was observed so lately that none is needed; then nothing is recorded and
// nothing counts against the limits.
//
// It waits for an answer about the row that is being written at this moment: the
// request either sees what that wrote, or is closed by it.
//
// The error is [ErrTweetNotFound], [ErrNotTracked] or a [LimitError], or that of a database
// which is not available, as one is whose clock is far off: its requests would be open for
// as long as that is wrong.
func (s *Store) OpenRefresh(ctx context.Context, r RequestRefresh) (request RefreshRequest, fresh bool, err error) {
	const insert = `
		insert into gorgone.refresh_requests (id, row_id, tweet_id, requester, requested_at, deadline, key_client)
		values ($1::uuid, $2::uuid, $3::text, $4::text, $5::timestamptz, $6::timestamptz, $7::uuid)`
	if err := s.clock.Agrees(); err != nil {
		return RefreshRequest{}, false, fmt.Errorf("record a refresh: %w", err)
	}
	if err := s.readPolicies(ctx, false); err != nil {
		return RefreshRequest{}, false, err
	}
	err = s.transactInTime(ctx, "record a refresh", func(ctx context.Context, t *postgres.Tx) error {
		used, row, err := s.readForRefresh(ctx, t, r)
		if err != nil {
			return err
		}
		now := s.clock.Now()
		if age := now.Sub(row.observed); !row.observed.IsZero() && age >= 0 && age < r.Fresh {
			fresh = true
			return nil
		}
		fresh = false
		if err := s.withinLimits(r.Limits, used, now); err != nil {
			return err
		}
		if err := s.withinRefreshBudget(ctx, t, row.zone, now); err != nil {
			return err
		}
		request = RefreshRequest{
			ID: r.ID, Row: r.Row, TweetID: row.tweetID,
			RequestedAt: now, Deadline: now.Add(s.clock.Engine(r.Wait)).Truncate(time.Microsecond),
		}
		b := t.Group()
		b.Queue(insert, request.ID, request.Row, request.TweetID, r.Requester, request.RequestedAt, request.Deadline, s.ownKey(row.zone))
		return t.Send(ctx, b)
	})
	return request, fresh, err
}

// ownKey is the client whose key alone may look a zone up; nil: the shared one may.
func (s *Store) ownKey(zone uuid.UUID) *uuid.UUID {
	if s.mayShare(zone) {
		return nil
	}
	return new(s.keys()[zone].Client)
}

// refreshable is the row that a refresh is asked for.
type refreshable struct {
	tweetID  string
	zone     uuid.UUID
	observed time.Time
}

// spent is what a requester asked for within the last hour.
type spent struct {
	count       int
	first, last time.Time
}

// allowanceWindow is the real time that an allowance is for.
const allowanceWindow = time.Hour

// readForRefresh locks the requester and the row, and reads both.
func (s *Store) readForRefresh(ctx context.Context, t *postgres.Tx, r RequestRefresh) (used spent, row refreshable, err error) {
	const (
		// One request of a requester at a time, over all processes.
		lock = `select pg_advisory_xact_lock(hashtextextended('refresh ' || $1::text, 0))`
		past = `
			select count(*)::int4, min(requested_at), max(requested_at)
			from gorgone.refresh_requests where requester = $1::text and requested_at > $2::timestamptz and requested_at <= $3::timestamptz`
		tweet = `
			select w.tweet_id, w.zone_id, k.tweet_db_id is not null and ` + postgres.ActiveZone + `
			from public.twitter_tweets w
			join public.zones z on z.id = w.zone_id
			left join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
			where w.id = $1::uuid`
		observed = `select last_updated_at from public.twitter_engagement_tracking where tweet_db_id = $1::uuid for share`
	)
	var exists, tracked bool
	b := t.Group()
	if r.Limits != (Limits{}) {
		now := s.clock.Now() // of what a clock ahead of it wrote, nothing counts
		b.Queue(lock, r.Requester)
		b.Queue(past, r.Requester, now.Add(-s.clock.Engine(allowanceWindow)), now).QueryRow(func(row pgx.Row) error {
			var first, last *time.Time
			err := row.Scan(&used.count, &first, &last)
			used.first, used.last = postgres.TimeOf(first), postgres.TimeOf(last)
			return err
		})
	}
	b.Queue(tweet, r.Row).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			exists = true
			if err := rows.Scan(&row.tweetID, &row.zone, &tracked); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	b.Queue(observed, r.Row).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var at *time.Time
			if err := rows.Scan(&at); err != nil {
				return err
			}
			row.observed = postgres.TimeOf(at)
		}
		return rows.Err()
	})
	switch err := t.Send(ctx, b); {
	case err != nil:
		return used, row, err
	case !exists:
		return used, row, fmt.Errorf("%w: %s", ErrTweetNotFound, r.Row)
	case !tracked:
		return used, row, fmt.Errorf("%w: %s", ErrNotTracked, r.Row)
	}
	return used, row, nil
}

// withinLimits returns a [LimitError] for a requester who has to wait.
func (s *Store) withinLimits(l Limits, used spent, now time.Time) error {
	realTime := func(engine time.Duration) time.Duration {
		return time.Duration(float64(engine) * float64(time.Second) / float64(s.clock.Engine(time.Second)))
	}
	if used.count == 0 {
		return nil
	}
	if left := l.Cooldown - realTime(now.Sub(used.last)); left > 0 {
		return &LimitError{After: left, Reason: fmt.Sprintf("one refresh every %s, please", l.Cooldown)}
	}
	if l.Allowance > 0 && used.count >= l.Allowance {
		return &LimitError{
			After:  max(allowanceWindow-realTime(now.Sub(used.first)), time.Second),
			Reason: fmt.Sprintf("the allowance of %d refreshes an hour is used up", l.Allowance),
		}
	}
	return nil
}

// RefreshRequest returns a request by its id, as it stands: one that no worker
// answered before its deadline reads [engagement.RequestExpired], unless the time is in
// doubt: it is open then. An unknown id is [ErrRequestNotFound].
func (s *Store) RefreshRequest(ctx context.Context, id uuid.UUID) (RefreshRequest, error) {
	const sql = `
		select row_id, tweet_id, requested_at, deadline, closed_at is not null, coalesce(outcome, ''), coalesce(cause, ''),
			coalesce(reason, ''), retry_at, snapshot_created, tier_updated
		from gorgone.refresh_requests where id = $1::uuid`
	r := RefreshRequest{ID: id}
	var (
		closed bool
		retry  *time.Time
	)
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	err := s.db.QueryRow(ctx, sql, id).Scan(&r.Row, &r.TweetID, &r.RequestedAt, &r.Deadline, &closed,
		(*string)(&r.Outcome), &r.Cause, &r.Reason, &retry, &r.SnapshotCreated, &r.TierUpdated)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return r, fmt.Errorf("%w: %s", ErrRequestNotFound, id)
	case err != nil:
		return r, fmt.Errorf("read refresh request %s: %w", id, err)
	}
	r.RequestedAt, r.Deadline, r.RetryAt = r.RequestedAt.UTC(), r.Deadline.UTC(), postgres.TimeOf(retry)
	if !closed && s.clock.Now().After(r.Deadline) && s.clock.Agrees() == nil {
		r.Outcome, r.Reason = engagement.RequestExpired, "no answer came in time: is a worker running?"
	}
	return r, nil
}

// RefreshUnderWay reports whether a refresh of the tweet was asked for and is not
// answered yet.
func (s *Store) RefreshUnderWay(ctx context.Context, tweetID string) (bool, error) {
	const sql = `
		select exists (select from gorgone.refresh_requests
			where tweet_id = $1::text and closed_at is null and deadline >= $2::timestamptz)`
	var open bool
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	if err := s.db.QueryRow(ctx, sql, tweetID, s.clock.Now()).Scan(&open); err != nil {
		return false, fmt.Errorf("look for a refresh of tweet %s: %w", tweetID, err)
	}
	return open, nil
}

// AnsweredRefreshes returns those of the requests that have been closed: another
// look-up answered them, and one of their own would be paid for nothing.
func (s *Store) AnsweredRefreshes(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	const sql = `select id from gorgone.refresh_requests where id = any($1::uuid[]) and closed_at is not null`
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	rows, err := s.db.Query(ctx, sql, ids)
	if err != nil {
		return nil, fmt.Errorf("look which refreshes are answered: %w", err)
	}
	answered, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("look which refreshes are answered: %w", err)
	}
	return answered, nil
}

// OpenRequests returns the requests for tweets that are open and not past their
// deadline, oldest first; for any tweet when tweetIDs is nil.
func (s *Store) OpenRequests(ctx context.Context, tweetIDs []string) ([]RefreshRequest, error) {
	const (
		all = `
			select id, row_id, tweet_id, requested_at, deadline, coalesce((
				select k.client_id from public.twitter_tweets w join public.zones z on z.id = w.zone_id
				join gorgone.client_keys k on k.client_id = z.client_id where w.id = row_id), '00000000-0000-0000-0000-000000000000')
			from gorgone.refresh_requests
			where closed_at is null and deadline >= $1::timestamptz`
		byAge = ` order by requested_at, id limit 10000`
	)
	sql, args := all+byAge, []any{s.clock.Now()}
	if tweetIDs != nil {
		sql, args = all+` and tweet_id = any($2::text[])`+byAge, append(args, tweetIDs)
	}
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	rows, err := s.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read open refresh requests: %w", err)
	}
	open, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r RefreshRequest, err error) {
		err = row.Scan(&r.ID, &r.Row, &r.TweetID, &r.RequestedAt, &r.Deadline, &r.Client)
		r.RequestedAt, r.Deadline = r.RequestedAt.UTC(), r.Deadline.UTC()
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read open refresh requests: %w", err)
	}
	return open, nil
}

// RefreshFailure is why the refresh of a tweet has no answer.
type RefreshFailure struct {
	TweetID string
	Cause   string    // short, for programs
	Reason  string    // for people
	RetryAt time.Time // database time, which is the provider's too; zero: not known

	// Youngest is when the last of the requests was made that the look-up was for.
	// Later ones stay open. Zero: no request does.
	Youngest time.Time
}

// FailRefreshes closes the open requests of the tweets with the reason of the
// failure.
func (s *Store) FailRefreshes(ctx context.Context, failures []RefreshFailure) error {
	if len(failures) == 0 {
		return nil
	}
	var a requestArrays
	for _, f := range failures {
		a.add(closing{tweetID: f.TweetID, outcome: engagement.RequestFailed, cause: f.Cause, reason: f.Reason, retryAt: f.RetryAt, youngest: f.Youngest})
	}
	return s.db.Transact(ctx, "close failed refreshes", func(ctx context.Context, t *postgres.Tx) error {
		b := t.Group()
		a.queue(b, s.clock.Now())
		return t.Send(ctx, b)
	})
}

// PruneRequests forgets refresh requests and trigger answers from before the given
// engine time, which should be more than an hour ago. It returns how many.
func (s *Store) PruneRequests(ctx context.Context, before time.Time) (int, error) {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	pruned := 0
	for _, sql := range []string{
		`delete from gorgone.refresh_requests where requested_at < $1::timestamptz`,
		`delete from gorgone.trigger_answers where begun_at < $1::timestamptz`,
	} {
		tag, err := s.db.Exec(ctx, sql, before)
		if err != nil {
			return pruned, fmt.Errorf("prune refresh requests: %w", err)
		}
		pruned += int(tag.RowsAffected())
	}
	return pruned, nil
}

// CancelRefresh closes a request that could not be passed on, and does not count it
// against the limits, even if it was passed on after all and answered.
// The row stays: should its message be in the queue after all, the
// worker finds no one waiting and makes no call.
func (s *Store) CancelRefresh(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	const sql = `
		update gorgone.refresh_requests set requester = '', closed_at = coalesce(closed_at, $2::timestamptz),
			outcome = case when closed_at is null then 'failed' else outcome end,
			cause = case when closed_at is null then 'queue' else cause end,
			reason = case when closed_at is null then 'the queue did not take it' else reason end
		where id = $1::uuid`
	if _, err := s.db.Exec(ctx, sql, id, s.clock.Now()); err != nil {
		return fmt.Errorf("cancel refresh request %s: %w", id, err)
	}
	return nil
}
