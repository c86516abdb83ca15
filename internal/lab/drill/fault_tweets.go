package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/store"
	"gorgone/twitter/fakeprovider"
)

// tweetFaults are tweets that are deleted, and come back.
func tweetFaults() family {
	return family{least: 1, most: 4, faults: []faultKind{
		{kind: deletes, begin: removed, draw: func(p *planner) event {
			return event{target: partProvider, number: p.upTo(0.002), length: p.seconds(1, 2)}
		}},
		{kind: returns, begin: cameBack, draw: func(p *planner) event {
			return event{target: partProvider, number: 1, length: p.seconds(1, 2)}
		}},
		{kind: mass, begin: removed, draw: func(p *planner) event {
			e := event{target: partProvider, number: 1, length: p.seconds(1, 2)}
			if !p.massed {
				e.number = int((0.1 + 0.2*p.random.Float64()) * float64(p.Tweets))
			}
			p.massed = true
			return e
		}},
	}}
}

// removed deletes tweets. Where there is a mass deletion they are such as have been looked up:
// those that were not take twice as long, which is fourteen spans while deletions are held.
func removed(ctx context.Context, w *world, e *event, random *rand.Rand) (heal func() error, err error) {
	candidates := w.tweets
	if w.massive {
		if candidates, err = w.lookedUp(ctx); err != nil {
			return nil, err
		}
	}
	e.tweets = w.some(random, candidates, e.number)
	return w.begun(e, func() error { return w.provider.remove(e.tweets) }, nothing)
}

// lookedUp returns the tweets that have been looked up.
func (w *world) lookedUp(ctx context.Context) ([]string, error) {
	const sql = `
		select w.tweet_id from public.twitter_engagement_tracking k join public.twitter_tweets w on w.id = k.tweet_db_id
		where w.tweet_id = any($1) group by 1 having count(k.last_updated_at) = count(*) order by 1`
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	for {
		rows, err := w.sql.Query(ctx, sql, w.tweets)
		if err == nil {
			var list []string
			if list, err = pgx.CollectRows(rows, pgx.RowTo[string]); err == nil {
				return list, nil
			}
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return nil, fmt.Errorf("read which tweets were looked up: %w", err)
		}
	}
}

func cameBack(ctx context.Context, w *world, e *event, random *rand.Rand) (heal func() error, err error) {
	if e.tweets = w.someDeleted(random); len(e.tweets) == 0 {
		e.kind, e.number = deletes, 1 // first things first
		return removed(ctx, w, e, random)
	}
	return w.begun(e, func() error { return w.provider.restore(e.tweets) }, nothing)
}

func nothing() error { return nil }

// poisons are tweets for which calls fail, with all that they ask for.
func poisons() family {
	poisoned := func(f fakeprovider.TweetFault, most float64) faultKind {
		return faultKind{kind: poison, what: "poison_" + string(f), draw: func(p *planner) event {
			return event{target: partProvider, number: p.upTo(most), length: p.steady(0.15, 0.4)}
		}, begin: func(_ context.Context, w *world, e *event, random *rand.Rand) (heal func() error, err error) {
			e.tweets = w.some(random, w.tweets, e.number)
			return w.begun(e, func() error { return w.provider.spoil(f, e.tweets) }, func() error { return w.provider.healed(e.tweets) })
		}}
	}
	return family{least: 1, most: 5, faults: []faultKind{
		poisoned(fakeprovider.BadTweet, 0.01), poisoned(fakeprovider.FailingTweet, 0.01), poisoned(fakeprovider.HangingTweet, 0.002),
	}}
}

// indexFaults are tweets that the provider does not find, though they are there.
func indexFaults() family {
	return family{least: 3, most: 10, faults: []faultKind{
		{kind: outage, begin: leftOut, draw: func(p *planner) event {
			share := 0.1 + 0.4*p.random.Float64()
			return event{target: partProvider, share: share, number: int(share * float64(p.Tweets)), length: min(p.steady(0.2, 0.4), longestOutage)}
		}},
		{kind: lag, begin: lagging, draw: func(p *planner) event {
			n := min(p.upTo(0.01), p.unseen)
			p.unseen -= n
			return event{target: partProvider, number: n, length: min(p.steady(0.2, 0.5), longestLag)}
		}},
	}}
}

const (
	// longestOutage is how long tweets, a twentieth or more of all, may be left out and do not
	// count as deleted: six of the seven spans for which deletions are held.
	longestOutage = 6 * goneSpan / speed

	// longestLag is how long tweets that were never seen may be left out: one and a half of
	// their two spans.
	longestLag = 3 * goneSpan / speed / 2
)

func leftOut(_ context.Context, w *world, e *event, random *rand.Rand) (heal func() error, err error) {
	e.tweets = w.some(random, w.tweets, e.number)
	return w.begun(e, func() error { return w.provider.spoil(fakeprovider.Dropped, e.tweets) }, func() error { return w.provider.healed(e.tweets) })
}

// lagging begins to track tweets that the provider does not find yet.
func lagging(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	if len(w.unseenTweets) == 0 {
		return nil, errors.New("all tweets were seen")
	}
	some := w.unseenTweets[:min(e.number, len(w.unseenTweets))]
	for _, t := range some {
		e.tweets = append(e.tweets, t.TweetID)
	}
	s := store.New(w.db, w.clock, store.Options{Policy: w.policy()})
	return w.begun(e, func() error {
		if err := w.provider.spoil(fakeprovider.Dropped, e.tweets); err != nil {
			return err
		}
		tracking, cancel := context.WithTimeout(ctx, commandTime)
		defer cancel()
		for {
			_, err := s.Track(tracking, w.zone, some)
			if err == nil {
				w.unseenTweets = w.unseenTweets[len(some):]
				return nil
			}
			if !sleep(tracking, 100*time.Millisecond) {
				return err
			}
		}
	}, func() error { return w.provider.healed(e.tweets) })
}
