package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

const (
	// parkFor is how long rows of an inactive zone are put off, in real time.
	parkFor = 5 * time.Minute

	// parkRounds bounds how often a claim looks again for due rows after it met
	// rows to park in place of them. What is left waits for the next claim.
	parkRounds = 8

	// parkChunk is how many rows a further round looks at, so that a large
	// inactive zone is put off in a few claims, however small these are.
	parkChunk = 2000
)

// dueRow is a row that can be claimed.
type dueRow struct {
	id      uuid.UUID
	tweetID string
	due     time.Time
	active  bool // its zone is
}

// dueTweet is a tweet with the rows to be claimed for it.
type dueTweet struct {
	tweetID string
	due     time.Time // earliest of its rows
	rows    []uuid.UUID
}

// selectDue locks due rows that nobody holds, the longest overdue first. It must
// stay a scan of the index gorgone_tracking_due, whose expression it repeats;
// see docs/data-model.md. Rows that others have locked are somebody's work
// already and are passed over.
const selectDue = `
	select tweet_db_id, greatest(next_update_at, retry_at)
	from public.twitter_engagement_tracking
	where next_update_at is not null
	and greatest(next_update_at, retry_at) <= $1::timestamptz
	and (claimed_until is null or claimed_until <= $1::timestamptz)
	order by greatest(next_update_at, retry_at)
	limit $2::int4
	for update skip locked`

const selectZonesOf = `
	select w.id, w.tweet_id, z.id is not null and coalesce(z.is_active, true)
	from public.twitter_tweets w left join public.zones z on z.id = w.zone_id
	where w.id = any($1::uuid[])`

// selectSiblings locks all live rows of the tweets that nobody holds.
const selectSiblings = `
	select k.tweet_db_id, w.tweet_id, greatest(k.next_update_at, k.retry_at)
	from public.twitter_tweets w
	join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
	join public.zones z on z.id = w.zone_id
	where w.tweet_id = any($1::text[])
	and k.next_update_at is not null
	and (k.claimed_until is null or k.claimed_until <= $2::timestamptz)
	and coalesce(z.is_active, true)
	for update of k skip locked`

// takeDue locks up to want due rows of active zones, in due order, and parks the
// rows of inactive zones that it meets.
func (s *Store) takeDue(ctx context.Context, t *tx, now time.Time, want int, claimed *Claimed) ([]dueRow, error) {
	var active []dueRow
	limit := want
	for range parkRounds {
		if want == 0 {
			break
		}
		var rows []dueRow
		b := t.group()
		b.Queue(selectDue, now, limit).Query(collect(&rows, func(r pgx.CollectableRow) (d dueRow, err error) {
			return d, r.Scan(&d.id, &d.due)
		}))
		if err := t.send(ctx, b); err != nil {
			return nil, fmt.Errorf("select due rows: %w", err)
		}
		var (
			idle []uuid.UUID
			err  error
		)
		active, idle, err = splitByZone(ctx, t, rows)
		if err != nil {
			return nil, err
		}
		claimed.MoreDue = len(rows) == limit || len(active) > want
		active = active[:min(len(active), want)]
		if len(idle) == 0 {
			break
		}
		if err := s.park(ctx, t, now, idle); err != nil {
			return nil, err
		}
		claimed.Parked += len(idle)
		if !claimed.MoreDue || len(active) == want {
			break
		}
		// The next round finds the active rows of this one again, which this
		// transaction has locked, and more in place of the parked ones.
		limit = max(want, parkChunk)
	}
	return active, nil
}

// splitByZone completes rows, and tells those of active zones from the others.
func splitByZone(ctx context.Context, t *tx, rows []dueRow) (active []dueRow, idle []uuid.UUID, err error) {
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.id
	}
	if len(ids) == 0 {
		return nil, nil, nil
	}
	var found []dueRow
	b := t.group()
	b.Queue(selectZonesOf, ids).Query(collect(&found, func(r pgx.CollectableRow) (d dueRow, err error) {
		return d, r.Scan(&d.id, &d.tweetID, &d.active)
	}))
	if err := t.send(ctx, b); err != nil {
		return nil, nil, fmt.Errorf("look up due tweets: %w", err)
	}
	byID := make(map[uuid.UUID]dueRow, len(found))
	for _, f := range found {
		byID[f.id] = f
	}
	for _, r := range rows {
		f, ok := byID[r.id]
		switch {
		case !ok: // deleted at this moment; the tracking row goes with it
		case engagement.CheckTweetID(f.tweetID) != nil:
			// No provider can be asked about it, and no message may hold it.
			idle = append(idle, r.id)
		case f.active:
			f.due = r.due
			active = append(active, f)
		default:
			idle = append(idle, r.id)
		}
	}
	return active, idle, nil
}

func (s *Store) park(ctx context.Context, t *tx, now time.Time, ids []uuid.UUID) error {
	const sql = `update public.twitter_engagement_tracking set retry_at = $2::timestamptz where tweet_db_id = any($1::uuid[])`
	b := t.group()
	b.Queue(sql, ids, now.Add(s.clock.Engine(parkFor))).Exec(wrote(len(ids), "tracking rows"))
	if err := t.send(ctx, b); err != nil {
		return fmt.Errorf("park rows of inactive zones: %w", err)
	}
	return nil
}

// takeSiblings groups due rows by tweet, in due order, and locks with them all
// other live rows of the same tweets that nobody holds.
func takeSiblings(ctx context.Context, t *tx, now time.Time, due []dueRow) ([]*dueTweet, error) {
	var (
		tweets []*dueTweet
		ids    []string
		byID   = make(map[string]*dueTweet, len(due))
		taken  = make(map[uuid.UUID]bool, len(due))
	)
	for _, d := range due {
		tweet := byID[d.tweetID]
		if tweet == nil {
			tweet = &dueTweet{tweetID: d.tweetID, due: d.due}
			byID[d.tweetID] = tweet
			tweets = append(tweets, tweet)
			ids = append(ids, d.tweetID)
		}
		tweet.rows = append(tweet.rows, d.id)
		taken[d.id] = true
	}
	var siblings []dueRow
	b := t.group()
	b.Queue(selectSiblings, ids, now).Query(collect(&siblings, func(r pgx.CollectableRow) (d dueRow, err error) {
		return d, r.Scan(&d.id, &d.tweetID, &d.due)
	}))
	if err := t.send(ctx, b); err != nil {
		return nil, fmt.Errorf("lock the other rows of due tweets: %w", err)
	}
	for _, r := range siblings {
		if !taken[r.id] {
			byID[r.tweetID].rows = append(byID[r.tweetID].rows, r.id)
		}
	}
	return tweets, nil
}

// pack fills batches with tweets in order, none over maxTweets or maxRows. A
// tweet with more rows than that goes on in the next batch.
func pack(tweets []*dueTweet, maxTweets, maxRows int, until time.Time) ([]Batch, error) {
	var (
		batches []Batch
		rows    int // in the last batch
	)
	for _, t := range tweets {
		for left := t.rows; len(left) > 0; {
			part := left[:min(len(left), maxRows)]
			left = left[len(part):]
			if last := len(batches) - 1; last < 0 || len(batches[last].Tweets) == maxTweets || rows+len(part) > maxRows {
				id, err := uuid.NewV7()
				if err != nil {
					return nil, fmt.Errorf("make a claim's id: %w", err)
				}
				batches = append(batches, Batch{ClaimID: id, Until: until, OldestDue: t.due})
				rows = 0
			}
			batch := &batches[len(batches)-1]
			batch.Tweets = append(batch.Tweets, ClaimedTweet{TweetID: t.tweetID, Rows: part})
			rows += len(part)
		}
	}
	return batches, nil
}
