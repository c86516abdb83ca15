package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/store"
)

// TestClaimersAtOnce lets eight claimers take everything: no row is in two
// batches, and none is left.
func TestClaimersAtOnce(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		const tweets = 400
		list := newTweets(epoch, tweets)
		e.trackIn(t, e.zone, list)
		e.trackIn(t, e.newZone(t), list[:100])
		var (
			wg    conc.WaitGroup
			total atomic.Int64
		)
		for range 8 {
			wg.Go(func() {
				for total.Load() < tweets {
					claimed, err := e.Claim(t.Context(), store.ClaimRequest{Tweets: 25, BatchTweets: 10, BatchRows: 15, Lease: lease})
					if err != nil {
						t.Error(err)
						return
					}
					total.Add(int64(claimed.Tweets))
				}
			})
		}
		wg.Wait()
		const live = `select count(distinct claim_id) from twitter_engagement_tracking where claimed_until > $1`
		batches := e.count(t, live, epoch)
		recorded := e.count(t, `select count(*) from gorgone.batches`)
		if batches != recorded {
			t.Errorf("%d batches hold rows, %d were handed out", batches, recorded)
		}
		held := e.count(t, `select count(*) from twitter_engagement_tracking where claim_id is not null`)
		handed := e.count(t, `select sum(rows) from gorgone.batches`)
		if held != tweets+100 || handed != held {
			t.Errorf("%d rows are held and %d were handed out, want %d", held, handed, tweets+100)
		}
	})
}

// TestApplyAgainstForceAndRefresh has eight appliers work through batches while
// everything is forced due and refreshed again and again: nothing deadlocks for
// good, every claimed row gets exactly one outcome, and no snapshot is doubled.
func TestApplyAgainstForceAndRefresh(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		list := newTweets(epoch, 160)
		tracked := e.trackIn(t, e.zone, list)
		e.trackIn(t, e.newZone(t), list[:40])
		var ids []string
		for _, w := range list[:30] {
			ids = append(ids, w.TweetID)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var (
			background, appliers conc.WaitGroup
			written              atomic.Int64
		)
		background.Go(func() {
			for ctx.Err() == nil {
				if _, err := e.ForceDue(ctx, store.DueFilter{IncludeCold: true}); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
		background.Go(func() {
			for n := int64(0); ctx.Err() == nil; n++ {
				applied, err := e.ApplyRefresh(ctx, refreshes(ids, e.clock.Now(), n))
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				written.Add(snapshotsIn(applied))
			}
		})
		for round := range 6 {
			e.clock.advance(2 * time.Minute)
			if _, err := e.ForceDue(t.Context(), store.DueFilter{}); err != nil {
				t.Fatal(err)
			}
			batches := e.claimIn(t, 20).Batches
			for _, b := range batches {
				appliers.Go(func() {
					work := e.found(b, int64(round))
					applied, err := e.Apply(t.Context(), work)
					if err != nil {
						t.Error(err)
						return
					}
					if len(applied.Rows) != len(b.Rows()) {
						t.Errorf("%d outcomes for %d rows", len(applied.Rows), len(b.Rows()))
					}
					written.Add(snapshotsIn(applied))
				})
			}
			appliers.Wait()
		}
		cancel()
		background.Wait()
		if n := e.count(t, `select count(*) from twitter_engagement_tracking where claim_id is not null`); n != 0 {
			t.Errorf("%d rows are still claimed", n)
		}
		if n := e.count(t, `select count(*) from (select from twitter_engagement_history group by tweet_id, snapshot_at having count(*) > 1) d`); n != 0 {
			t.Errorf("%d snapshots are doubled", n)
		}
		// The last refresh was told to stop, and may have been committed or not: its tweets
		// have two rows each.
		if n := int64(e.count(t, `select count(*) from twitter_engagement_history`)); n < written.Load() || n > written.Load()+int64(2*len(ids)) {
			t.Errorf("%d snapshots are stored, %d were reported", n, written.Load())
		}
		for _, w := range tracked {
			telescopes(t, e.snapshots(t, w.Row))
		}
	})
}

func refreshes(ids []string, at time.Time, n int64) []store.RefreshResult {
	results := make([]store.RefreshResult, len(ids))
	for i, id := range ids {
		results[i] = store.RefreshResult{
			TweetID: id, RequestedAt: at, Kind: store.Found,
			Observation: engagement.Observation{At: at.Add(time.Second), Metrics: likes(n)},
		}
	}
	return results
}

func snapshotsIn(applied store.Applied) (n int64) {
	for _, r := range applied.Rows {
		if r.Snapshot != nil {
			n++
		}
	}
	return n
}

// telescopes checks that the deltas of a history add up: their sum is the last
// snapshot less the first, and time goes forward.
func telescopes(tb interface{ Errorf(string, ...any) }, points []engagement.Snapshot) {
	if len(points) == 0 {
		return
	}
	var sum int64
	for i, p := range points {
		if i == 0 {
			continue
		}
		sum += p.Deltas.Likes.Value()
		if !p.At.After(points[i-1].At) {
			tb.Errorf("snapshot at %v follows one at %v", p.At, points[i-1].At)
		}
	}
	if want := points[len(points)-1].Metrics.Likes.Value() - points[0].Metrics.Likes.Value(); sum != want {
		tb.Errorf("the deltas add up to %d, the counts to %d", sum, want)
	}
}

// TestApplyAgainstZoneDelete deletes zones while their tweets are applied.
func TestApplyAgainstZoneDelete(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		const zones, each = 6, 30
		var ids []uuid.UUID
		for z := range zones {
			id := e.newZone(t)
			ids = append(ids, id)
			e.trackIn(t, id, newTweets(epoch.Add(-time.Duration(z)*time.Hour), each))
		}
		kept := e.track(t, each)
		var wg conc.WaitGroup
		for _, b := range e.claimIn(t, 25).Batches {
			wg.Go(func() {
				applied, err := e.Apply(t.Context(), e.found(b, 5))
				if err != nil {
					t.Error(err)
				}
				for _, r := range applied.Rows {
					if r.Outcome != engagement.RowApplied && r.Outcome != engagement.RowVanished {
						t.Errorf("outcome %s", r.Outcome)
					}
				}
			})
		}
		for _, id := range ids {
			wg.Go(func() {
				if err := deleteZone(t.Context(), e, id); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, w := range kept {
			if n := len(e.snapshots(t, w.Row)); n != 1 {
				t.Errorf("%d snapshots of a tweet that was not deleted, want 1", n)
			}
		}
		if n := e.count(t, `select count(*) from twitter_engagement_history`); n != each {
			t.Errorf("%d snapshots, want %d", n, each)
		}
	})
}

// deleteZone deletes a zone as the product does: by itself, and again when
// Postgres chose it to break a deadlock.
func deleteZone(ctx context.Context, e *env, id uuid.UUID) error {
	for range 20 {
		_, err := e.raw.Exec(ctx, `delete from zones where id = $1`, id)
		var refused interface{ SQLState() string }
		if err == nil || !errors.As(err, &refused) || refused.SQLState() != "40P01" {
			return err
		}
	}
	return fmt.Errorf("zone %s: %w", id, pgx.ErrTxCommitRollback)
}
