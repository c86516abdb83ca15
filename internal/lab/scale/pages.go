package scale

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/store/history"
	"gorgone/store/report"
)

const pageRuns = 10

// measurePages reads what the dashboard, the API and the commands ask for.
func (s *size) measurePages(ctx context.Context) error {
	db, err := s.database(ctx, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	var list []action
	add := func(kind Kind, name string, do func(context.Context) error) {
		list = append(list, action{name: name, kind: kind, runs: pageRuns, do: do})
	}
	add(Live, "statistics", func(ctx context.Context) error { _, err := db.Report.Stats(ctx); return err })
	add(Live, "statistics of a zone", func(ctx context.Context) error {
		_, err := db.Report.StatsOf(ctx, []uuid.UUID{zoneID(9)})
		return err
	})
	add(Page, "recent batches", func(ctx context.Context) error {
		_, err := db.Report.Recent(ctx, db.Clock.Now().Add(-5*time.Minute), 30)
		return err
	})
	add(Page, "spending", func(ctx context.Context) error { _, err := db.Store.Spending(ctx); return err })
	add(Live, "zones", func(ctx context.Context) error { _, err := db.Report.ZoneStates(ctx, nil); return err })
	s.addLists(db, add)
	s.addTops(db, add)
	tweet := s.tweet((s.tracked - s.live()/2) / longEvery * longEvery)
	add(Page, "find a tweet", func(ctx context.Context) error { _, err := db.Store.FindTweet(ctx, tweet.id); return err })
	add(Page, "curve of a tweet", func(ctx context.Context) error {
		_, err := db.History.History(ctx, tweet.row, history.Range{})
		return err
	})
	add(Page, "alerts", func(ctx context.Context) error { _, err := db.Alerts.Alerts(ctx, alert.Query{Limit: 100}); return err })
	for _, a := range list {
		if err := s.measure(ctx, db, a); err != nil {
			return err
		}
	}
	return s.measureExport(ctx, db)
}

type adder func(kind Kind, name string, do func(context.Context) error)

// addLists adds the pages of the list of tweets.
func (s *size) addLists(db *app.Database, add adder) {
	for _, l := range []struct {
		kind Kind
		name string
		q    report.ListQuery
	}{
		{Live, "list by velocity", report.ListQuery{By: report.ListByVelocity}},
		{Live, "list by velocity, page 20", report.ListQuery{By: report.ListByVelocity, Offset: 950}},
		{Live, "list of a tier", report.ListQuery{By: report.ListByVelocity, Tier: engagement.UltraHot}},
		{Live, "list of the largest zone", report.ListQuery{By: report.ListByVelocity, Zones: []uuid.UUID{zoneID(0)}}},
		{Live, "list of a small zone", report.ListQuery{By: report.ListByVelocity, Zones: []uuid.UUID{zoneID(100)}}},
		{Page, "list by time", report.ListQuery{By: report.ListByPosted}},
		{All, "list by engagement", report.ListQuery{By: report.ListByEngagement}},
		{Page, "search for an id", report.ListQuery{By: report.ListByVelocity, Search: s.tweet(s.tracked / 2).id}},
		{All, "search for a word", report.ListQuery{By: report.ListByVelocity, Search: "council"}},
	} {
		l.q.Limit, l.q.Points = 50, 24
		add(l.kind, l.name, func(ctx context.Context) error { _, err := db.Report.List(ctx, l.q); return err })
	}
}

// addTops adds the lists of top tweets.
func (s *size) addTops(db *app.Database, add adder) {
	for _, l := range []struct {
		name  string
		by    report.TopBy
		since time.Duration
	}{
		{"top of a day by velocity", report.ByVelocity, 24 * time.Hour},
		{"top of a day by engagement", report.ByEngagement, 24 * time.Hour},
		{"top of a week by engagement", report.ByEngagement, 7 * 24 * time.Hour},
	} {
		q := report.TopQuery{By: l.by, Since: s.now.Add(-l.since), Limit: 50}
		add(All, l.name, func(ctx context.Context) error {
			if _, err := db.Report.Top(ctx, q); err != nil {
				return err
			}
			_, err := db.Report.CountTop(ctx, q)
			return err
		})
	}
}

// measureExport exports a zone of middling size, by pages of 100 tweets.
func (s *size) measureExport(ctx context.Context, db *app.Database) error {
	const pages = 20
	var took []time.Duration
	began := time.Now()
	err := db.History.Export(ctx, zoneID(20), history.Range{}, func([]history.ExportRow) error {
		took = append(took, time.Since(began))
		if began = time.Now(); len(took) == pages {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	f := Figure{Name: "export, 100 tweets", Kind: Page, Runs: len(took)}
	f.times(took)
	s.result.add(f)
	return nil
}

// errEnough ends an export.
var errEnough = errors.New("that is enough")
