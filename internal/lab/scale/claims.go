package scale

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/store"
	standing "gorgone/store/population"
)

const (
	claimTweets = 2000 // in a claim
	claimBatch  = 300
	claimLease  = 3 * time.Minute
	claimRuns   = 30
)

// measureClaims claims, and answers, while one tweet in a hundred is due.
func (s *size) measureClaims(ctx context.Context) error {
	db, err := s.database(ctx, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := s.measureClaim(ctx, db, "claim, 1% due"); err != nil {
		return err
	}
	return s.measureApply(ctx, db)
}

// measureAllDue claims while all that is live is due, a tenth of what is tracked: a day later.
func (s *size) measureAllDue(ctx context.Context) error {
	db, err := s.database(ctx, 25*time.Hour)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := s.measureClaim(ctx, db, "claim, 10% due"); err != nil {
		return err
	}
	return s.measure(ctx, db, action{name: "statistics, 10% due", kind: Live, runs: 5, do: func(ctx context.Context) error {
		_, err := db.Report.Stats(ctx)
		return err
	}})
}

// measureClaim claims and releases, again and again.
func (s *size) measureClaim(ctx context.Context, db *app.Database, name string) error {
	want := min(claimTweets, s.live()/dueEvery)
	var claimed store.Claimed
	before, err := s.updates(ctx, db)
	if err != nil {
		return err
	}
	err = s.measure(ctx, db, action{
		name: name, kind: Hot, runs: claimRuns, items: want,
		do: func(ctx context.Context) (err error) {
			claimed, err = db.Store.Claim(ctx, store.ClaimRequest{Tweets: want, BatchTweets: claimBatch, BatchRows: 2 * claimBatch, Lease: claimLease})
			if err == nil && claimed.Tweets != want {
				err = fmt.Errorf("claimed %d tweets, not %d: %s", claimed.Tweets, want, claimed.Closed)
			}
			return err
		},
		after: func(ctx context.Context) error {
			for _, b := range claimed.Batches {
				if err := db.Store.Release(ctx, b.ClaimID, b.Rows()); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	after, err := s.updates(ctx, db)
	if err != nil {
		return err
	}
	s.result.add(Figure{Name: name + ": rewritten in place", Kind: Hot, Unit: "%", Value: 100 * float64(after.inPlace-before.inPlace) / float64(max(after.all-before.all, 1))})
	return nil
}

// measureApply answers claims, batch by batch: with new counts for all tweets.
func (s *size) measureApply(ctx context.Context, db *app.Database) error {
	if err := s.measure(ctx, db, action{name: "population, every 5 minutes", kind: Live, runs: 1, do: func(ctx context.Context) error {
		_, err := standing.New(db.DB, db.Clock).Read(ctx)
		return err
	}}); err != nil {
		return err
	}
	batch := min(claimBatch, s.live()/dueEvery/5)
	claimed, err := db.Store.Claim(ctx, store.ClaimRequest{Tweets: 20 * batch, BatchTweets: batch, BatchRows: 2 * batch, Lease: claimLease})
	if err != nil {
		return err
	}
	full := slices.DeleteFunc(claimed.Batches, func(b store.Batch) bool { return len(b.Tweets) < batch })
	next := 0
	apply := func(ctx context.Context) error {
		b := full[next]
		next++
		applied, err := db.Store.Apply(ctx, s.found(b, db.Clock.Now()))
		if n := applied.Count(engagement.RowApplied); err == nil && n != len(b.Rows()) {
			err = fmt.Errorf("%d of %d rows were written", n, len(b.Rows()))
		}
		return err
	}
	// The first one reads what all others know then.
	if err := apply(ctx); err != nil {
		return err
	}
	return s.measure(ctx, db, action{name: "apply a batch", kind: Hot, runs: len(full) - 1, items: batch, do: apply})
}

// found answers a batch with counts that have grown.
func (s *size) found(b store.Batch, now time.Time) store.Work {
	work := store.Work{ClaimID: b.ClaimID}
	for _, w := range b.Tweets {
		t, _ := s.of(w.TweetID)
		work.Results = append(work.Results, store.Result{
			TweetID: w.TweetID, Rows: w.Rows, Kind: store.Found, Observation: engagement.Observation{At: now, Metrics: t.now(now)},
		})
	}
	return work
}

// now is what the tweet has from the time on that the figures are of: more than before.
func (t tweet) now(now time.Time) engagement.Metrics {
	more := int64(1 + now.Sub(t.posted)/time.Hour)
	known := func(c engagement.Counter) engagement.Count { return engagement.Known(int64(t.final[c]) + more) }
	return engagement.Metrics{
		Retweets: known(engagement.Retweets), Replies: known(engagement.Replies), Likes: known(engagement.Likes),
		Quotes: known(engagement.Quotes), Views: known(engagement.Views), Bookmarks: known(engagement.Bookmarks),
	}
}

// updateCount is how often rows of tracking were written again, and in place (HOT).
type updateCount struct{ all, inPlace int64 }

func (s *size) updates(ctx context.Context, db *app.Database) (c updateCount, err error) {
	if _, err := s.reads(ctx, db); err != nil {
		return c, err
	}
	err = s.sql.QueryRow(ctx, `select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'twitter_engagement_tracking'`).Scan(&c.all, &c.inPlace)
	return c, err
}
