package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

// parkFor is how long rows of an inactive zone are put off, in real time.
const parkFor = 5 * time.Minute

// dueRow is a row that can be claimed.
type dueRow struct {
	id      uuid.UUID
	zone    uuid.UUID
	tweetID string
	due     time.Time
	rank    int  // place among the due rows of its zone
	active  bool // its zone is
}

// dueTweet is a tweet with the rows to be claimed for it.
type dueTweet struct {
	tweetID string
	due     time.Time // earliest of its rows
	rows    []uuid.UUID
}

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

// takeDue locks up to want due rows of active zones, shared out over the zones and
// in due order, and parks rows of inactive zones.
func (s *Store) takeDue(ctx context.Context, t *tx, now time.Time, want int, claimed *Claimed) ([]dueRow, error) {
	if want == 0 {
		return nil, nil
	}
	zones, idleZones, homeless, err := dueZones(ctx, t, now)
	if err != nil {
		return nil, err
	}
	parked, _, err := share(ctx, t, now, idleZones, parkChunk)
	if err != nil {
		return nil, err
	}
	rows, more, err := share(ctx, t, now, zones, want)
	if err != nil {
		return nil, err
	}
	claimed.MoreDue = more || homeless
	active, idle, err := splitByZone(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	for _, r := range parked {
		idle = append(idle, r.id)
	}
	if len(idle) == 0 {
		return active, nil
	}
	claimed.Parked = len(idle)
	return active, s.park(ctx, t, now, idle)
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
