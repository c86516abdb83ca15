package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/store/report"
)

// missed answers every tweet of a batch with its absence, seen now.
func (e *env) missed(batch store.Batch, reason string) store.Work {
	work := e.found(batch, 0)
	for i := range work.Results {
		r := &work.Results[i]
		r.Kind, r.Reason = store.Missing, reason
		r.Observation.Metrics = engagement.Metrics{}
	}
	return work
}

// lose lets tweets that were never seen be missed until they are gone.
func (e *env) lose(t *testing.T, reason string) store.Applied {
	t.Helper()
	for range 5 {
		wantOutcome(t, e.apply(t, e.missed(e.claim(t), reason)), engagement.RowMissing)
		e.clock.advance(10 * time.Minute)
	}
	applied := e.apply(t, e.missed(e.claim(t), reason))
	wantOutcome(t, applied, engagement.RowDeleted)
	return applied
}

func wantOutcome(t *testing.T, applied store.Applied, want engagement.RowOutcome) {
	t.Helper()
	if len(applied.Rows) == 0 {
		t.Fatal("no row was written")
	}
	for _, r := range applied.Rows {
		if r.Outcome != want {
			t.Fatalf("outcome %s %q, want %s", r.Outcome, r.Reason, want)
		}
	}
}

const goneRows = `select count(*) from twitter_engagement_tracking
	where gone_reason = $1 and tier = 'cold' and next_update_at is null and retry_at > last_missed_at and claim_id is null`

func TestMissesOverEnoughTimeAndATweetIsGone(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 2)
		applied := e.lose(t, "")
		if r := applied.Rows[0]; r.Reason != engagement.GoneMissing || !r.After.Gone() || !r.TierChanged() {
			t.Errorf("outcome %+v", r)
		}
		if n := e.count(t, goneRows, "missing"); n != 2 {
			t.Errorf("%d rows are gone, want 2", n)
		}
		stats, err := e.Stats(t.Context())
		if err != nil || stats.Gone != 2 || stats.Tier[engagement.Cold] != 2 || stats.Missing != 0 {
			t.Errorf("stats %+v, %v", stats, err)
		}
		w, err := e.Tweet(t.Context(), tracked[0].Row)
		if err != nil || w.Tracking != applied.Rows[0].After {
			t.Errorf("stored %+v\nreturned %+v (%v)", w.Tracking, applied.Rows[0].After, err)
		}
		top, err := e.Top(t.Context(), report.TopQuery{Since: epoch.Add(-time.Hour), By: report.ByVelocity, Limit: 5})
		if err != nil || len(top) != 2 || top[0].GoneReason != "missing" {
			t.Errorf("top %+v, %v", top, err)
		}
		e.clock.advance(time.Hour)
		if claimed := e.claimIn(t, 10); claimed.Tweets != 0 {
			t.Errorf("%d gone tweets were claimed", claimed.Tweets)
		}
		// Forced due and missing still, or failing: nothing changes for good.
		e.force(t)
		wantOutcome(t, e.apply(t, e.missed(e.claim(t), "resource-not-found")), engagement.RowDeleted)
		if n := e.count(t, goneRows, "resource-not-found"); n != 2 {
			t.Errorf("%d rows are gone for the better reason, want 2", n)
		}
	})
}

func (e *env) force(t *testing.T) {
	t.Helper()
	if _, err := e.ForceDue(t.Context(), store.DueFilter{IncludeCold: true}); err != nil {
		t.Fatal(err)
	}
}

// TestWhatBringsATweetBack: whichever answer has it, it is looked after again.
func TestWhatBringsATweetBack(t *testing.T) {
	t.Parallel()
	for name, bring := range map[string]func(t *testing.T, e *env, w store.Tracked, late store.Work){
		"a refresh": func(t *testing.T, e *env, w store.Tracked, _ store.Work) {
			wantOutcome(t, e.refresh(t, e.refreshed(w.TweetID, 9)), engagement.RowApplied)
		},
		"a late batch": func(t *testing.T, e *env, _ store.Tracked, late store.Work) {
			wantOutcome(t, e.apply(t, late), engagement.RowApplied)
		},
		"tracking it again": func(t *testing.T, e *env, w store.Tracked, _ store.Work) {
			again := e.trackIn(t, e.zone, []store.NewTweet{{TweetID: w.TweetID, CreatedAt: epoch}})
			if again[0].Status != store.StatusAlready {
				t.Errorf("tracked again: %+v", again)
			}
		},
		"tracking it in another zone": func(t *testing.T, e *env, w store.Tracked, _ store.Work) {
			e.trackIn(t, e.newZone(t), []store.NewTweet{{TweetID: w.TweetID, CreatedAt: epoch}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, postgres.ExecPrepared)
			w := e.track(t, 1)[0]
			e.apply(t, e.found(e.claim(t), 7))
			e.clock.advance(10 * time.Minute)
			// Refreshes find it missing while a batch is slow with its answer.
			late := e.found(e.claim(t), 8)
			for i := range 4 {
				e.clock.advance(engagement.MissGap)
				r := e.refreshed(w.TweetID, 0)
				r.Kind = store.Missing
				want := engagement.RowMissing
				if i == 3 {
					want = engagement.RowDeleted
				}
				wantOutcome(t, e.refresh(t, r), want)
			}
			bring(t, e, w, late)
			got, err := e.Tweet(t.Context(), w.Row)
			if err != nil {
				t.Fatal(err)
			}
			k := got.Tracking
			if k.Gone() || k.Misses != 0 || !k.LastMissedAt.IsZero() || k.NextUpdateAt.IsZero() || k.Tier != engagement.UltraHot || k.Metrics.Likes.Value() < 7 {
				t.Errorf("%+v", k)
			}
		})
	}
}

// TestAnUnprovenMissBacksOffAndCountsNothing: neither does a failure of any kind.
func TestAnUnprovenMissBacksOffAndCountsNothing(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 1)
		e.apply(t, e.found(e.claim(t), 7))
		e.clock.advance(10 * time.Minute)
		e.apply(t, e.missed(e.claim(t), ""))
		for i := range 20 {
			e.clock.advance(time.Hour)
			work := e.missed(e.claim(t), "nothing follows from it")
			work.Results[0].Kind = []store.Kind{store.Unproven, store.Unresolved}[i%2]
			want := []engagement.RowOutcome{engagement.RowUnproven, engagement.RowUnresolved}[i%2]
			applied := e.apply(t, work)
			wantOutcome(t, applied, want)
			if a := applied.Rows[0].After; a.Misses != 1 || a.Attempts != i+1 || a.Gone() {
				t.Fatalf("try %d: %+v", i, a)
			}
			if a := applied.Rows[0].After; i < 2 && !a.RetryAt.After(e.clock.Now()) {
				t.Fatalf("try %d: %+v", i, a)
			}
			e.force(t) // it goes cold with age
		}
		// A refresh without proof leaves no trace.
		before, err := e.Tweet(t.Context(), tracked[0].Row)
		if err != nil {
			t.Fatal(err)
		}
		r := e.refreshed(tracked[0].TweetID, 0)
		r.Kind = store.Unproven
		wantOutcome(t, e.refresh(t, r), engagement.RowUnproven)
		if after, err := e.Tweet(t.Context(), tracked[0].Row); err != nil || after.Tracking != before.Tracking {
			t.Errorf("%+v became %+v (%v)", before.Tracking, after.Tracking, err)
		}
	})
}

func TestWhatItTakesToBeGoneIsASetting(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		after  engagement.GoneAfter
		span   engagement.GoneSpan
		misses int
	}{{2, engagement.GoneSpan(5 * time.Minute), 4}, {10, engagement.GoneSpan(5 * time.Minute), 10}, {0, 0, 13}} {
		e := newEnv(t, postgres.ExecPrepared)
		e.Store = store.New(e.db, e.clock, store.Options{GoneAfter: tc.after, GoneSpan: tc.span, Random: func() float64 { return 0.5 }})
		e.track(t, 1)
		e.apply(t, e.found(e.claim(t), 7))
		for miss := 1; ; miss++ {
			e.clock.advance(12 * time.Hour)
			e.force(t)
			applied := e.apply(t, e.missed(e.claim(t), ""))
			if miss == tc.misses {
				wantOutcome(t, applied, engagement.RowDeleted)
				break
			}
			wantOutcome(t, applied, engagement.RowMissing)
		}
	}
}

// TestZeroedCountersAreNotStored: of the two calls of a batch one has no counts at
// all, or no likes.
func TestZeroedCountersAreNotStored(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 8)
		bad := make(map[uuid.UUID]bool)
		e.apply(t, e.found(e.claim(t), 100))
		e.clock.advance(10 * time.Minute)
		work := e.found(e.claim(t), 120)
		for i := range work.Results[:4] {
			work.Results[i].Call, work.Results[i].Observation.Metrics = 1, likes(0)
			bad[work.Results[i].Rows[0]] = true
		}
		applied := e.apply(t, work)
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowZeroed: 4, engagement.RowApplied: 4})
		if applied.Zeroed != 4 {
			t.Errorf("%d tweets in zeroed answers, want 4", applied.Zeroed)
		}
		for _, w := range tracked {
			points, want := e.snapshots(t, w.Row), []int64{100, 120}
			if bad[w.Row] {
				want = want[:1]
			}
			var got []int64
			for _, p := range points {
				got = append(got, p.Metrics.Likes.Value())
			}
			if !slices.Equal(got, want) {
				t.Errorf("likes %v, want %v", got, want)
			}
		}
		// The same by way of refreshes, which leave no trace.
		var refreshes []store.RefreshResult
		e.clock.advance(time.Minute)
		for _, w := range tracked {
			refreshes = append(refreshes, e.refreshed(w.TweetID, 0))
		}
		wantOutcome(t, e.refresh(t, refreshes...), engagement.RowZeroed)

		// With some counts left, only the bad ones are dropped.
		e.clock.advance(20 * time.Minute)
		work = e.found(e.claim(t), 0)
		for i := range work.Results {
			work.Results[i].Observation.Metrics.Replies = engagement.Known(5)
		}
		applied = e.apply(t, work)
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowApplied: 8})
		for _, r := range applied.Rows {
			if r.After.Metrics.Likes.Value() < 100 || r.After.Metrics.Replies.Value() != 5 {
				t.Errorf("counts %+v", r.After.Metrics)
			}
		}
	})
}

// TestWhatAGapHidIsNotASnapshotsVelocity: likes cannot be read for some look-ups. What they
// gained meanwhile is spread over the time since they were read last.
func TestWhatAGapHidIsNotASnapshotsVelocity(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 1)
		likes, readable := int64(100), func(n int) bool { return n == 0 || n > 6 }
		for n := range 9 {
			work := e.found(e.claim(t), likes)
			m := &work.Results[0].Observation.Metrics
			if m.Replies = engagement.Known(5); !readable(n) {
				m.Likes = engagement.Count{}
			}
			e.apply(t, work)
			e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
			e.clock.advance(10 * time.Minute)
			likes += 100
		}
		points := e.snapshots(t, tracked[0].Row)
		last := points[len(points)-1]
		if last.Metrics.Likes.Value() != 900 || len(points) < 3 {
			t.Fatalf("%d points, the last of %+v", len(points), last.Metrics)
		}
		for _, p := range points {
			if p.Velocity != nil && *p.Velocity > 601 {
				t.Errorf("%.0f an hour at %s, and it gains 600", *p.Velocity, p.At)
			}
		}
		if last.Velocity == nil || *last.Velocity < 599 {
			t.Errorf("the last velocity is %v", last.Velocity)
		}
	})
}

// TestNoTweetGoesColdWithCountsThatWereRefused: tweets that are too old for any tier have
// counts that changed as counts do not. They are looked up until the provider has said so
// often enough, and then go cold with what it says.
func TestNoTweetGoesColdWithCountsThatWereRefused(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 8)
		e.apply(t, e.found(e.claim(t), 100))
		e.clock.advance(20 * time.Hour)
		for n := range 9 {
			applied := e.apply(t, e.found(e.claim(t), 20))
			want := engagement.RowZeroed
			if n == 8 {
				want = engagement.RowApplied
			}
			wantOutcomes(t, applied, map[engagement.RowOutcome]int{want: 8})
			for _, r := range applied.Rows {
				if cold := r.After.NextUpdateAt.IsZero(); cold != (n == 8) {
					t.Fatalf("refused %d times, it is cold: %t", n+1, cold)
				}
			}
			e.clock.advance(time.Hour)
		}
	})
}

func TestControlsAreTweetsThatAreThere(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		if ids, err := e.Canaries(t.Context(), nil, 3); err != nil || len(ids) != 0 {
			t.Errorf("controls of nothing: %v, %v", ids, err)
		}
		tracked := e.track(t, 5)
		work := e.found(e.claim(t), 5)
		work.Results[0].Kind = store.Missing
		work.Results[1].Kind = store.Unproven
		e.apply(t, work)
		except := work.Results[2].TweetID
		ids, err := e.Canaries(t.Context(), []string{except}, 10)
		want := []string{work.Results[3].TweetID, work.Results[4].TweetID}
		slices.Sort(ids)
		slices.Sort(want)
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("controls %v, %v, want %v", ids, err, want)
		}
		// When nothing is looked at any more, the last that were.
		e.exec(t, `update twitter_engagement_tracking set next_update_at = null, tier = 'cold'`)
		if ids, err := e.Canaries(t.Context(), nil, 2); err != nil || len(ids) != 2 {
			t.Errorf("controls of a cold database: %v, %v", ids, err)
		}
		standings, err := e.Standings(t.Context(), []string{tracked[0].TweetID, tracked[1].TweetID, tracked[2].TweetID, "404"})
		if err != nil || len(standings) != 3 {
			t.Errorf("standings %v, %v", standings, err)
		}
		for i, r := range work.Results[:3] {
			if got, want := standings[r.TweetID], (engagement.PriorState{Observed: i == 2, InDoubt: i < 2}); got != want {
				t.Errorf("standing %d: %+v, want %+v", i, got, want)
			}
		}
	})
}

func TestTheNormIsSharedAndFades(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		share := func(looks, misses int, wantLooks, wantMisses float64) {
			t.Helper()
			n, err := e.ShareBaseline(t.Context(), engagement.Sample{Lookups: looks, Misses: misses})
			if err != nil || n.Lookups != wantLooks || n.Misses != wantMisses {
				t.Errorf("norm %+v, %v, want %g of %g", n, err, wantMisses, wantLooks)
			}
		}
		share(0, -3, 0, 0)
		share(1000, 8, 1000, 8)
		share(0, -2, 1000, 6)
		e.clock.advance(6 * time.Hour)
		share(0, 0, 500, 3)
		e.clock.advance(-time.Hour) // a replica that is behind
		share(100, -9, 600, 0)
	})
}
