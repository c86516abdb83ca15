package store_test

import (
	"testing"
	"time"

	"gorgone/store/history"
)

// Every snapshot says who gave it, and a step from one provider to another is
// marked, in the history, in an export and on the tracking row.
func TestSnapshotsSayWhichProvider(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		row := e.track(t, 1)[0].Row
		for i, provider := range []string{"", "a", "a", "b"} {
			work := e.found(e.claim(t), int64(i))
			work.Results[0].Observation.Provider = provider
			e.apply(t, work)
			e.clock.advance(10 * time.Minute)
		}
		back := e.refreshed(must(e.Tweet(t.Context(), row))(t).TweetID, 9)
		back.Observation.Provider = "a"
		e.refresh(t, back)

		points := must(e.History(t.Context(), row, history.Range{}))(t)
		var exported []history.ExportRow
		err := e.Export(t.Context(), e.zone, history.Range{}, func(rows []history.ExportRow) error {
			exported = append(exported, rows...)
			return nil
		})
		if err != nil || len(points) != 5 || len(exported) != 5 {
			t.Fatalf("%d snapshots, %d exported: %v", len(points), len(exported), err)
		}
		for i, want := range []struct {
			provider string
			changed  bool
		}{{"", false}, {"a", false}, {"a", false}, {"b", true}, {"a", true}} {
			for _, p := range []struct {
				from     string
				provider string
				changed  bool
				velocity *float64
			}{
				{"history", points[i].Provider, points[i].ProviderChanged, points[i].Velocity},
				{"export", exported[i].Snapshot.Provider, exported[i].Snapshot.ProviderChanged, exported[i].Snapshot.Velocity},
			} {
				if p.provider != want.provider || p.changed != want.changed || (p.velocity == nil) != (want.changed || i == 0) {
					t.Errorf("%s, snapshot %d: by %q, changed %v, velocity %v", p.from, i, p.provider, p.changed, p.velocity)
				}
			}
		}
		if k := must(e.Tweet(t.Context(), row))(t).Tracking; k.Provider != "a" {
			t.Errorf("the row's last provider is %q", k.Provider)
		}
	})
}
