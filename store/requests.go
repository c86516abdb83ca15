package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ErrRequestNotFound is returned for the id of a refresh request that was never
// made, or was forgotten since.
var ErrRequestNotFound = errors.New("refresh request not found")

// ErrNotTracked is returned for a tweet that cannot be refreshed: it was
// collected and is not tracked, or its zone is not active.
var ErrNotTracked = errors.New("tweet is not tracked in an active zone")

// RequestOutcome is how a refresh request ended. The zero value is a request that
// is still open.
type RequestOutcome string

// The outcomes of a request.
const (
	RequestOpen       RequestOutcome = ""
	RequestUpdated    RequestOutcome = "updated"    // looked at, and written
	RequestCurrent    RequestOutcome = "current"    // a newer observation was there already
	RequestMissing    RequestOutcome = "missing"    // an answer lacked the tweet, which may still be there
	RequestDeleted    RequestOutcome = "deleted"    // the tweet is gone; reason says why
	RequestUnresolved RequestOutcome = "unresolved" // no usable answer about the tweet
	RequestFailed     RequestOutcome = "failed"     // the look-up failed; cause and reason say why
	RequestUntracked  RequestOutcome = "untracked"  // no active zone tracks the tweet
	RequestExpired    RequestOutcome = "expired"    // nobody answered before the deadline
)

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

	Outcome         RequestOutcome
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
}

func (e *LimitError) Error() string { return e.Reason }

// OpenRefresh records that somebody asks for a refresh. fresh is true when the
// tweet was observed so lately that none is needed; then nothing is recorded and
// nothing counts against the limits.
//
// It waits for an answer about the row that is being written at this moment: the
// request either sees what that wrote, or is closed by it.
//
// The error is [ErrTweetNotFound], [ErrNotTracked] or a [LimitError].
func (s *Store) OpenRefresh(ctx context.Context, r RequestRefresh) (request RefreshRequest, fresh bool, err error) {
	const insert = `
		insert into gorgone.refresh_requests (id, row_id, tweet_id, requester, requested_at, deadline)
		values ($1::uuid, $2::uuid, $3::text, $4::text, $5::timestamptz, $6::timestamptz)`
	if err := s.readPolicies(ctx, false); err != nil {
		return request, false, err
	}
	err = s.db.transact(ctx, "record a refresh", func(ctx context.Context, t *tx) error {
		used, row, err := s.readForRefresh(ctx, t, r)
		if err != nil {
			return err
		}
		now := s.clock.Now()
		if r.Fresh > 0 && !row.observed.IsZero() && now.Sub(row.observed) < r.Fresh {
			fresh = true
			return nil
		}
		fresh = false
		if err := s.withinLimits(r.Limits, used, now); err != nil {
			return err
		}
		if s.spentLately().UsedRefreshes() >= 1 {
			left := utcDay(now).AddDate(0, 0, 1).Sub(now)
			return &LimitError{After: s.clock.Real(left), Reason: "today's budget of refreshes is used up"}
		}
		request = RefreshRequest{
			ID: r.ID, Row: r.Row, TweetID: row.tweetID,
			RequestedAt: now, Deadline: now.Add(s.clock.Engine(r.Wait)).Truncate(time.Microsecond),
		}
		b := t.group()
		b.Queue(insert, request.ID, request.Row, request.TweetID, r.Requester, request.RequestedAt, request.Deadline)
		return t.send(ctx, b)
	})
	return request, fresh, err
}

// refreshable is the row that a refresh is asked for.
type refreshable struct {
	tweetID  string
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
func (s *Store) readForRefresh(ctx context.Context, t *tx, r RequestRefresh) (used spent, row refreshable, err error) {
	const (
		// One request of a requester at a time, over all processes.
		lock = `select pg_advisory_xact_lock(hashtextextended('refresh ' || $1::text, 0))`
		past = `
			select count(*)::int4, min(requested_at), max(requested_at)
			from gorgone.refresh_requests where requester = $1::text and requested_at > $2::timestamptz`
		tweet = `
			select w.tweet_id, k.tweet_db_id is not null and coalesce(z.is_active, true)
			from public.twitter_tweets w
			join public.zones z on z.id = w.zone_id
			left join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
			where w.id = $1::uuid`
		observed = `select last_updated_at from public.twitter_engagement_tracking where tweet_db_id = $1::uuid for share`
	)
	var exists, tracked bool
	b := t.group()
	if r.Limits != (Limits{}) {
		since := s.clock.Now().Add(-s.clock.Engine(allowanceWindow))
		b.Queue(lock, r.Requester)
		b.Queue(past, r.Requester, since).QueryRow(func(row pgx.Row) error {
			var first, last *time.Time
			err := row.Scan(&used.count, &first, &last)
			used.first, used.last = timeOf(first), timeOf(last)
			return err
		})
	}
	b.Queue(tweet, r.Row).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			exists = true
			if err := rows.Scan(&row.tweetID, &tracked); err != nil {
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
			row.observed = timeOf(at)
		}
		return rows.Err()
	})
	switch err := t.send(ctx, b); {
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

// RefreshRequest returns a request by its id, as it stands: one that nobody
// answered before its deadline reads [RequestExpired]. An unknown id is
// [ErrRequestNotFound].
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
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	err := s.db.pool.QueryRow(ctx, sql, id).Scan(&r.Row, &r.TweetID, &r.RequestedAt, &r.Deadline, &closed,
		(*string)(&r.Outcome), &r.Cause, &r.Reason, &retry, &r.SnapshotCreated, &r.TierUpdated)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return r, fmt.Errorf("%w: %s", ErrRequestNotFound, id)
	case err != nil:
		return r, fmt.Errorf("read refresh request %s: %w", id, err)
	}
	r.RequestedAt, r.Deadline, r.RetryAt = r.RequestedAt.UTC(), r.Deadline.UTC(), timeOf(retry)
	if !closed && s.clock.Now().After(r.Deadline) {
		r.Outcome, r.Reason = RequestExpired, "nobody answered in time: is a worker running?"
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
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	if err := s.db.pool.QueryRow(ctx, sql, tweetID, s.clock.Now()).Scan(&open); err != nil {
		return false, fmt.Errorf("look for a refresh of tweet %s: %w", tweetID, err)
	}
	return open, nil
}

// AnsweredRefreshes returns those of the requests that have been closed: another
// look-up answered them, and one of their own would be paid for nothing.
func (s *Store) AnsweredRefreshes(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	const sql = `select id from gorgone.refresh_requests where id = any($1::uuid[]) and closed_at is not null`
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	rows, err := s.db.pool.Query(ctx, sql, ids)
	if err != nil {
		return nil, fmt.Errorf("look which refreshes are answered: %w", err)
	}
	answered, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("look which refreshes are answered: %w", err)
	}
	return answered, nil
}

// RefreshFailure is why the refresh of a tweet has no answer.
type RefreshFailure struct {
	TweetID string
	Cause   string    // short, for programs
	Reason  string    // for people
	RetryAt time.Time // database time, which is the provider's too; zero: not known
}

// FailRefreshes closes the open requests of the tweets with the reason of the
// failure.
func (s *Store) FailRefreshes(ctx context.Context, failures []RefreshFailure) error {
	if len(failures) == 0 {
		return nil
	}
	var a requestArrays
	for _, f := range failures {
		a.add(closing{tweetID: f.TweetID, outcome: RequestFailed, cause: f.Cause, reason: f.Reason, retryAt: f.RetryAt})
	}
	return s.db.transact(ctx, "close failed refreshes", func(ctx context.Context, t *tx) error {
		b := t.group()
		a.queue(b, s.clock.Now())
		return t.send(ctx, b)
	})
}

// PruneRequests forgets refresh requests and trigger answers from before the given
// engine time, which should be more than an hour ago. It returns how many.
func (s *Store) PruneRequests(ctx context.Context, before time.Time) (int, error) {
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	pruned := 0
	for _, sql := range []string{
		`delete from gorgone.refresh_requests where requested_at < $1::timestamptz`,
		`delete from gorgone.trigger_answers where begun_at < $1::timestamptz`,
	} {
		tag, err := s.db.pool.Exec(ctx, sql, before)
		if err != nil {
			return pruned, fmt.Errorf("prune refresh requests: %w", err)
		}
		pruned += int(tag.RowsAffected())
	}
	return pruned, nil
}

// CancelRefresh forgets a request that could not be passed on, as if it had not
// been made.
func (s *Store) CancelRefresh(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	if _, err := s.db.pool.Exec(ctx, `delete from gorgone.refresh_requests where id = $1::uuid and closed_at is null`, id); err != nil {
		return fmt.Errorf("cancel refresh request %s: %w", id, err)
	}
	return nil
}
