package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/budget"
	"gorgone/store/fair"
	"gorgone/store/keys"
	"gorgone/store/postgres"
	"gorgone/store/sweep"
)

// dueTweet is a tweet with the rows to be claimed for it.
type dueTweet struct {
	tweetID string
	due     time.Time // earliest of its rows
	rows    []uuid.UUID
	prior   engagement.PriorState
}

func (t *dueTweet) add(row uuid.UUID, prior engagement.PriorState) {
	t.rows = append(t.rows, row)
	t.prior = t.prior.Merge(prior)
}

// selectRowsOf finds all rows of the tweets of rows, with whether their zone is
// active, some of them twice. A tweet that is in one zone only has no other row: nothing
// more is read of it.
const selectRowsOf = `
	select s.id, s.tweet_id, s.zone_id, z.id is not null and ` + postgres.ActiveZone + `
	from public.twitter_tweets w
	join public.twitter_tweets s on s.tweet_id = w.tweet_id
	left join public.zones z on z.id = s.zone_id
	where w.id = any($1::uuid[])`

// lockSiblings locks those of rows that are live and unclaimed.
const lockSiblings = `
	select k.tweet_db_id, ` + fair.PriorColumns + ` from public.twitter_engagement_tracking k
	where k.tweet_db_id = any($1::uuid[]) and k.next_update_at is not null
	and (k.claimed_until is null or k.claimed_until <= $2::timestamptz)
	for update skip locked`

// takeDue locks up to want due rows of active zones, shared out over the zones and
// in due order, with all other live rows of their tweets. What is due in inactive zones
// is neither read nor written, however much it is.
func (s *Store) takeDue(ctx context.Context, t *postgres.Tx, now time.Time, queues *keys.Queues, lease time.Duration, tab *budget.Tab, claimed *Claimed) (taken map[uuid.UUID][]*dueTweet, err error) {
	homeless, err := fair.Backfill(ctx, t, now)
	if err != nil {
		return nil, err
	}
	zones, idleZones, err := fair.Zones(ctx, t, now)
	if err != nil {
		return nil, err
	}
	swept, err := s.sweeper.Next(ctx, t, now, sweep.Bounds{
		Plans: max(time.Duration(s.options.GoneSpan), s.clock.Engine(24*time.Hour)), Failures: s.clock.Engine(backoffCeiling), Claims: s.clock.Engine(2 * lease),
	}, idleZones)
	if err != nil {
		return nil, err
	}
	queues.Assign(tab.Rules().Open(zones))
	claimed.MoreDue = homeless || swept
	taken = make(map[uuid.UUID][]*dueTweet)
	for _, q := range queues.All() {
		tweets, more, err := take(ctx, t, now, q, queues, tab, claimed)
		if err != nil {
			return nil, err
		}
		taken[q.Key] = tweets
		if q.Key == keys.Shared {
			claimed.MoreDue = claimed.MoreDue || more
		} else {
			claimed.KeyFull = claimed.KeyFull || more
		}
	}
	return taken, nil
}

// take locks what of a queue is wanted. more tells that due rows of it were left.
func take(ctx context.Context, t *postgres.Tx, now time.Time, q *keys.Queue, queues *keys.Queues, tab *budget.Tab, claimed *Claimed) (tweets []*dueTweet, more bool, err error) {
	if q.Want == 0 {
		more, err = fair.AnyDue(ctx, t, now, q.Zones)
		return nil, more, err
	}
	rows, more, err := fair.Share(ctx, t, now, q.Zones, q.Want, tab.Rules())
	if err != nil {
		return nil, false, err
	}
	tweets, aside, err := byTweet(ctx, t, now, rows, tab, func(zone uuid.UUID) bool { return queues.Has(q, zone) })
	if err != nil {
		return nil, false, err
	}
	claimed.Parked += aside.Rows()
	return tweets, more, aside.Write(ctx, t)
}

// byTweet groups due rows by tweet, in due order, and locks with them all other live
// rows of the same tweets that are unclaimed, that are looked up by the same key, and that the
// caps of their zones can pay for. Rows that are not to be looked up are returned as aside.
func byTweet(ctx context.Context, t *postgres.Tx, now time.Time, due []fair.Row, tab *budget.Tab, sameKey func(zone uuid.UUID) bool) (tweets []*dueTweet, aside fair.Misplaced, err error) {
	type row struct {
		id      uuid.UUID
		tweetID string
		zone    uuid.UUID
		active  bool // its zone is
	}
	ids := make([]uuid.UUID, len(due))
	for i, d := range due {
		ids[i] = d.ID
	}
	if len(ids) == 0 {
		return nil, aside, nil
	}
	var all []row
	b := t.Group()
	b.Queue(selectRowsOf, ids).Query(postgres.Collect(&all, func(r pgx.CollectableRow) (w row, err error) {
		return w, r.Scan(&w.id, &w.tweetID, &w.zone, &w.active)
	}))
	if err := t.Send(ctx, b); err != nil {
		return nil, aside, fmt.Errorf("look up due tweets: %w", err)
	}
	byID := make(map[uuid.UUID]row, len(all))
	for _, w := range all {
		byID[w.id] = w
	}
	claimed := make(map[string]*dueTweet, len(due))
	for _, d := range due {
		w, there := byID[d.ID]
		switch {
		// A row without a tweet is deleted at this moment, or stays where the table has no
		// foreign key. Of an unusable id no provider can be asked, and no message may hold it.
		case !there, engagement.CheckTweetID(w.tweetID) != nil:
			aside.Nowhere = append(aside.Nowhere, d.ID)
			continue
		case !w.active, w.zone != d.Zone && (!sameKey(w.zone) || !tab.Join(d.ID, w.zone)):
			aside.Elsewhere = append(aside.Elsewhere, d.ID)
			continue
		case w.zone == d.Zone:
			tab.Take(d.ID, w.zone)
		}
		tweet := claimed[w.tweetID]
		if tweet == nil {
			tweet = &dueTweet{tweetID: w.tweetID, due: d.Due}
			claimed[w.tweetID] = tweet
			tweets = append(tweets, tweet)
		}
		tweet.add(d.ID, d.Prior)
		delete(byID, d.ID)
	}
	var siblings []uuid.UUID // of active zones
	for _, w := range all {
		if _, left := byID[w.id]; left && w.active && claimed[w.tweetID] != nil && sameKey(w.zone) && tab.Join(w.id, w.zone) {
			siblings = append(siblings, w.id)
		}
	}
	if len(siblings) == 0 {
		return tweets, aside, nil
	}
	var locked []fair.Row
	b = t.Group()
	b.Queue(lockSiblings, siblings, now).Query(postgres.Collect(&locked, func(r pgx.CollectableRow) (d fair.Row, err error) {
		return d, r.Scan(&d.ID, &d.Prior.Observed, &d.Prior.InDoubt)
	}))
	if err := t.Send(ctx, b); err != nil {
		return nil, aside, fmt.Errorf("lock the other rows of due tweets: %w", err)
	}
	for _, d := range locked {
		claimed[byID[d.ID].tweetID].add(d.ID, d.Prior)
	}
	return tweets, aside, nil
}

// pack fills batches for a key with tweets in order, none over maxTweets or maxRows. A
// tweet with more rows than that goes on in the next batch.
func pack(key uuid.UUID, tweets []*dueTweet, maxTweets, maxRows int, at, until time.Time) ([]Batch, error) {
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
				batches = append(batches, Batch{ClaimID: id, Key: key, At: at, Until: until, OldestDue: t.due})
				rows = 0
			}
			batch := &batches[len(batches)-1]
			batch.Tweets = append(batch.Tweets, ClaimedTweet{TweetID: t.tweetID, Rows: part, Prior: t.prior})
			rows += len(part)
		}
	}
	return batches, nil
}
