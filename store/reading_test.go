package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

func TestBatchProgress(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 10)
		claimed := e.claimIn(t, 5)
		claims := []uuid.UUID{claimed.Batches[0].ClaimID, claimed.Batches[1].ClaimID}
		if p := must(e.BatchProgress(t.Context(), claims))(t); p.Known != 2 || p.Open != 2 {
			t.Errorf("after the claim: %+v", p)
		}
		work := e.found(claimed.Batches[0], 3)
		work.Results[4].Kind = store.Missing
		parts := store.Work{ClaimID: work.ClaimID, Results: work.Results[:2], Calls: []store.Calls{{Provider: "a", Count: 1, Time: 250 * time.Millisecond, Billed: 2}}}
		e.apply(t, parts)
		parts.Results, parts.Calls = work.Results[2:], []store.Calls{{Provider: "a", Count: 1, Time: 500 * time.Millisecond, Billed: 3}, {Provider: "b", Count: 1, Billed: 1}}
		e.apply(t, parts)
		p := must(e.BatchProgress(t.Context(), claims))(t)
		if p.Open != 1 || p.Found != 4 || p.Missing != 1 || p.Calls != (store.Calls{Count: 3, Time: 750 * time.Millisecond, Billed: 6}) {
			t.Errorf("after one batch: %+v", p)
		}
		e.clock.advance(lease + time.Second)
		if p := must(e.BatchProgress(t.Context(), claims))(t); p.Open != 0 || p.Abandoned != 5 {
			t.Errorf("after the lease: %+v", p)
		}
	})
}

func TestTop(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tweets := newTweets(e.clock.Now(), 4)
		for i := range tweets {
			tweets[i].Metrics = likes(int64(100 * i))
		}
		old := newTweets(e.clock.Now().Add(-48*time.Hour), 1)
		old[0].Metrics = likes(100_000)
		tracked := e.trackIn(t, e.zone, append(tweets, old...))
		other := e.newZone(t)
		e.trackIn(t, other, newTweets(e.clock.Now(), 1))
		e.clock.advance(30 * time.Minute)
		// The smallest moves fastest.
		e.refresh(t, e.refreshed(tracked[0].TweetID, 50), e.refreshed(tracked[1].TweetID, 110))

		query := store.TopQuery{Zones: []uuid.UUID{e.zone}, Since: epoch.Add(-time.Hour), By: store.ByVelocity, Limit: 3}
		top := must(e.Top(t.Context(), query))(t)
		if len(top) != 3 || top[0].Row != tracked[0].Row || top[1].Row != tracked[1].Row || top[2].Row != tracked[3].Row {
			t.Fatalf("by velocity: %+v", top)
		}
		if top[0].Velocity == nil || *top[0].Velocity != 100 || top[0].Metrics != likes(50) || top[2].Velocity != nil {
			t.Errorf("by velocity: %+v", top)
		}
		query.By = store.ByEngagement
		top = must(e.Top(t.Context(), query))(t)
		if len(top) != 3 || top[0].Row != tracked[3].Row || top[2].Row != tracked[1].Row || *top[2].Velocity != 20 {
			t.Errorf("by engagement: %+v", top)
		}
		query.Zones, query.Limit = nil, 100
		if top := must(e.Top(t.Context(), query))(t); len(top) != 5 {
			t.Errorf("in all zones: %d tweets, want 5", len(top))
		}
		query.By = "name; drop table zones"
		if _, err := e.Top(t.Context(), query); err == nil {
			t.Error("an order that does not exist was taken")
		}
	})
}

func TestExport(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		const tweets = 250 // three pages
		list := newTweets(e.clock.Now(), tweets)
		for i := range list {
			list[i].Metrics = likes(1)
			list[i].CreatedAt = epoch.Add(-time.Duration(i%7) * time.Minute) // many at the same moment
		}
		tracked := e.trackIn(t, e.zone, list)
		e.trackIn(t, e.newZone(t), newTweets(e.clock.Now(), 3))
		e.clock.advance(time.Hour)
		var results []store.RefreshResult
		for _, w := range tracked {
			results = append(results, e.refreshed(w.TweetID, 2))
		}
		e.refresh(t, results...)

		export := func(r store.HistoryRange) (rows []store.ExportRow) {
			err := e.Export(t.Context(), e.zone, r, func(page []store.ExportRow) error {
				rows = append(rows, page...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		rows := export(store.HistoryRange{})
		if len(rows) != 2*tweets {
			t.Fatalf("%d rows, want %d", len(rows), 2*tweets)
		}
		seen := make(map[uuid.UUID]int)
		for i, r := range rows {
			seen[r.Row]++
			if want := engagement.Known(int64(i%2 + 1)); r.Snapshot.Metrics.Likes != want {
				t.Fatalf("row %d: %s likes, want %s", i, r.Snapshot.Metrics.Likes, want)
			}
			if i > 0 && r.Posted.Before(rows[i-1].Posted) {
				t.Fatalf("row %d is not in order", i)
			}
		}
		if len(seen) != tweets {
			t.Errorf("%d tweets, want %d", len(seen), tweets)
		}
		if n := len(export(store.HistoryRange{From: epoch.Add(time.Minute)})); n != tweets {
			t.Errorf("%d rows from a minute later on, want %d", n, tweets)
		}
		if n := len(export(store.HistoryRange{To: epoch})); n != 0 {
			t.Errorf("%d rows before the first, want none", n)
		}
		stop := errors.New("enough")
		if err := e.Export(t.Context(), e.zone, store.HistoryRange{}, func([]store.ExportRow) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("error %v, want the reader's", err)
		}
	})
}

func TestZoneOfRule(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.exec(t, `insert into twitter_rules (zone_id, tag, query, external_rule_id, is_active) values ($1, 't', 'q', 'r1', true), ($1, 't', 'q', 'r2', false)`, e.zone)
		if zone, err := e.ZoneOfRule(t.Context(), "r1"); err != nil || zone != e.zone {
			t.Errorf("active rule: %s %v", zone, err)
		}
		for _, id := range []string{"r2", "r3", ""} {
			if _, err := e.ZoneOfRule(t.Context(), id); !errors.Is(err, store.ErrRuleNotFound) {
				t.Errorf("rule %q: %v", id, err)
			}
		}
		e.exec(t, `update zones set is_active = false`)
		if _, err := e.ZoneOfRule(t.Context(), "r1"); !errors.Is(err, store.ErrRuleNotFound) {
			t.Errorf("rule of an inactive zone: %v", err)
		}
	})
}
