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
	id   uuid.UUID
	zone uuid.UUID
	due  time.Time
	rank int // place among the due rows of its zone
}

// dueTweet is a tweet with the rows to be claimed for it.
type dueTweet struct {
	tweetID string
	due     time.Time // earliest of its rows
	rows    []uuid.UUID
}

// selectRowsOf finds all rows of the tweets of rows, with whether their zone is
// active, some of them twice. A tweet that is in one zone only has no other row: nothing
// more is read of it.
const selectRowsOf = `
	select s.id, s.tweet_id, z.id is not null and coalesce(z.is_active, true)
	from public.twitter_tweets w
	join public.twitter_tweets s on s.tweet_id = w.tweet_id
	left join public.zones z on z.id = s.zone_id
	where w.id = any($1::uuid[])`

// lockSiblings locks those of rows that are live and that nobody holds.
const lockSiblings = `
	select k.tweet_db_id from public.twitter_engagement_tracking k
	where k.tweet_db_id = any($1::uuid[]) and k.next_update_at is not null
	and (k.claimed_until is null or k.claimed_until <= $2::timestamptz)
	for update skip locked`

// takeDue locks up to want due rows of active zones, shared out over the zones and
// in due order, with all other live rows of their tweets, and parks rows of inactive
// zones.
func (s *Store) takeDue(ctx context.Context, t *tx, now time.Time, want int, claimed *Claimed) ([]*dueTweet, error) {
	homeless, err := adopt(ctx, t, now)
	if err != nil || want == 0 {
		return nil, err
	}
	zones, idleZones, err := dueZones(ctx, t, now)
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
	tweets, idle, err := byTweet(ctx, t, now, rows)
	if err != nil {
		return nil, err
	}
	for _, r := range parked {
		idle = append(idle, r.id)
	}
	if len(idle) == 0 {
		return tweets, nil
	}
	claimed.Parked = len(idle)
	return tweets, s.park(ctx, t, now, idle)
}

// byTweet groups due rows by tweet, in due order, and locks with them all other live
// rows of the same tweets that nobody holds. Rows that are not to be looked up are
// returned as idle.
func byTweet(ctx context.Context, t *tx, now time.Time, due []dueRow) (tweets []*dueTweet, idle []uuid.UUID, err error) {
	type row struct {
		id      uuid.UUID
		tweetID string
		active  bool // its zone is
	}
	ids := make([]uuid.UUID, len(due))
	for i, d := range due {
		ids[i] = d.id
	}
	if len(ids) == 0 {
		return nil, nil, nil
	}
	var all []row
	b := t.group()
	b.Queue(selectRowsOf, ids).Query(collect(&all, func(r pgx.CollectableRow) (w row, err error) {
		return w, r.Scan(&w.id, &w.tweetID, &w.active)
	}))
	if err := t.send(ctx, b); err != nil {
		return nil, nil, fmt.Errorf("look up due tweets: %w", err)
	}
	byID := make(map[uuid.UUID]row, len(all))
	for _, w := range all {
		byID[w.id] = w
	}
	claimed := make(map[string]*dueTweet, len(due))
	for _, d := range due {
		w, there := byID[d.id]
		switch {
		case !there: // deleted at this moment; the tracking row goes with it
			continue
		case !w.active, engagement.CheckTweetID(w.tweetID) != nil: // of the last no provider can be asked, and no message may hold it
			idle = append(idle, d.id)
			continue
		}
		tweet := claimed[w.tweetID]
		if tweet == nil {
			tweet = &dueTweet{tweetID: w.tweetID, due: d.due}
			claimed[w.tweetID] = tweet
			tweets = append(tweets, tweet)
		}
		tweet.rows = append(tweet.rows, d.id)
		delete(byID, d.id)
	}
	var siblings []uuid.UUID // of active zones
	for _, w := range all {
		if _, left := byID[w.id]; left && w.active && claimed[w.tweetID] != nil {
			siblings = append(siblings, w.id)
		}
	}
	if len(siblings) == 0 {
		return tweets, idle, nil
	}
	var locked []uuid.UUID
	b = t.group()
	b.Queue(lockSiblings, siblings, now).Query(collect(&locked, pgx.RowTo[uuid.UUID]))
	if err := t.send(ctx, b); err != nil {
		return nil, nil, fmt.Errorf("lock the other rows of due tweets: %w", err)
	}
	for _, id := range locked {
		tweet := claimed[byID[id].tweetID]
		tweet.rows = append(tweet.rows, id)
	}
	return tweets, idle, nil
}

// park puts rows off, and gives them the zone that their tweet is in now: it may have
// been moved to an active one.
func (s *Store) park(ctx context.Context, t *tx, now time.Time, ids []uuid.UUID) error {
	const sql = `
		update public.twitter_engagement_tracking k set retry_at = $2::timestamptz,
			zone_id = coalesce((select w.zone_id from public.twitter_tweets w where w.id = k.tweet_db_id), $3::uuid)
		where k.tweet_db_id = any($1::uuid[])`
	b := t.group()
	b.Queue(sql, ids, now.Add(s.clock.Engine(parkFor)), uuid.Nil).Exec(wrote(len(ids), "tracking rows"))
	if err := t.send(ctx, b); err != nil {
		return fmt.Errorf("park rows of inactive zones: %w", err)
	}
	return nil
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
