package history_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/storetest"
)

func TestExport(t *testing.T) {
	t.Parallel()
	storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) {
		const tweets = 250 // three pages
		list := storetest.NewTweets(e.Clock.Now(), tweets)
		for i := range list {
			list[i].Metrics = storetest.Likes(1)
			list[i].CreatedAt = storetest.Epoch().Add(-time.Duration(i%7) * time.Minute) // many at the same moment
		}
		tracked := e.TrackIn(t, e.ZoneID, list)
		e.TrackIn(t, e.NewZone(t), storetest.NewTweets(e.Clock.Now(), 3))
		e.Clock.Advance(time.Hour)
		var results []store.RefreshResult
		for _, w := range tracked {
			results = append(results, e.Refreshed(w.TweetID, 2))
		}
		e.MustRefresh(t, results...)

		export := func(r history.Range) (rows []history.ExportRow) {
			err := e.Export(t.Context(), e.ZoneID, r, func(page []history.ExportRow) error {
				rows = append(rows, page...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		rows := export(history.Range{})
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
		if n := len(export(history.Range{From: storetest.Epoch().Add(time.Minute)})); n != tweets {
			t.Errorf("%d rows from a minute later on, want %d", n, tweets)
		}
		if n := len(export(history.Range{To: storetest.Epoch()})); n != 0 {
			t.Errorf("%d rows before the first, want none", n)
		}
		stop := errors.New("enough")
		if err := e.Export(t.Context(), e.ZoneID, history.Range{}, func([]history.ExportRow) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("error %v, want the reader's", err)
		}
	})
}
