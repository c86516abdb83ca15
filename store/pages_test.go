package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/store/history"
	"gorgone/store/postgres"
	"gorgone/store/report"
)

// BenchmarkPages runs what the pages of the dashboard ask for, and the search for
// stalled tweets, with 100,000 tweets in 20 zones, five snapshots of each, and
// 20,000 alerts.
//
//	go test ./store -run '^$' -bench Pages -benchtime 20x
func BenchmarkPages(b *testing.B) {
	e := durableEnv(b, postgres.ExecPrepared)
	tweets := fillPages(b, e)
	list := func(q report.ListQuery) func(context.Context) error {
		q.Limit, q.Points = 50, 24
		return func(ctx context.Context) error { _, err := e.List(ctx, q); return err }
	}
	top := func(by report.TopBy, since time.Duration) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := e.Top(ctx, report.TopQuery{By: by, Since: epoch.Add(-since), Limit: 50})
			return err
		}
	}
	alerts := func(q alert.Query) func(context.Context) error {
		q.Limit = 100
		return func(ctx context.Context) error { _, err := e.Alerts(ctx, q); return err }
	}
	for _, page := range []struct {
		name string
		read func(context.Context) error
	}{
		{"overview", func(ctx context.Context) error { _, err := e.Stats(ctx); return err }},
		{"overview/recent", func(ctx context.Context) error {
			_, err := e.Recent(ctx, epoch.Add(-5*time.Minute), 30)
			return err
		}},
		{"overview/cost", func(ctx context.Context) error { _, err := e.Spending(ctx); return err }},
		{"tweets/velocity", list(report.ListQuery{By: report.ListByVelocity})},
		{"tweets/engagement", list(report.ListQuery{By: report.ListByEngagement})},
		{"tweets/posted", list(report.ListQuery{By: report.ListByPosted})},
		{"tweets/views", list(report.ListQuery{By: report.ListByViews, Reverse: true})},
		{"tweets/updated", list(report.ListQuery{By: report.ListByUpdated})},
		{"tweets/tier", list(report.ListQuery{By: report.ListByVelocity, Tier: engagement.UltraHot})},
		{"tweets/zone", list(report.ListQuery{By: report.ListByVelocity, Zones: []uuid.UUID{e.zone}})},
		{"tweets/search", list(report.ListQuery{By: report.ListByVelocity, Search: "council"})},
		{"tweets/id", list(report.ListQuery{By: report.ListByVelocity, Search: "1000000000000000777"})},
		{"tweets/last", list(report.ListQuery{By: report.ListByVelocity, Offset: 99_950})},
		{"top/day", top(report.ByVelocity, 24*time.Hour)},
		{"top/all", top(report.ByVelocity, 24*time.Hour*30)},
		{"top/engagement", top(report.ByEngagement, 24*time.Hour*30)},
		{"tweet", func(ctx context.Context) error {
			_, err := e.History(ctx, tweets[0], history.Range{})
			return err
		}},
		{"alerts", alerts(alert.Query{})},
		{"alerts/active", alerts(alert.Query{Active: true})},
		{"alerts/zone", alerts(alert.Query{Zones: []uuid.UUID{e.zone}})},
		{"stalled", e.CheckStalled},
	} {
		b.Run(page.name, func(b *testing.B) {
			for b.Loop() {
				if err := page.read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fillPages fills the database as BenchmarkPages says, and returns rows of tweets.
func fillPages(b *testing.B, e *env) []uuid.UUID {
	b.Helper()
	const tweets, zones = 100_000, 20
	populate(b, e, tweets, tweets/100)
	spread(b, e, zones)
	e.exec(b, `
		update twitter_tweets w set twitter_created_at = $1::timestamptz - (abs(hashtext(w.tweet_id)) % 10080) * interval '1 minute',
			like_count = abs(hashtext(w.tweet_id)) % 5000, retweet_count = abs(hashtext(w.tweet_id)) % 900,
			text = case when abs(hashtext(w.tweet_id)) % 1000 = 0 then 'the council votes ' else '' end || w.text`, epoch)
	e.exec(b, `update twitter_engagement_tracking set snapshot_velocity = abs(hashtext(tweet_db_id::text)) % 3000`)
	e.exec(b, `
		insert into twitter_engagement_history (tweet_id, snapshot_at, like_count, engagement_velocity)
		select w.id, $1::timestamptz - n * interval '50 minutes', w.like_count, 100
		from generate_series(0, 4) n, twitter_tweets w order by 2`, epoch)
	e.exec(b, `
		insert into gorgone.alerts (id, rule_id, rule, kind, zone_id, subject, tweet_db_id, tweet_id, value, message, raised_at, cleared_at)
		select gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'more than 500', (array['velocity', 'stalled'])[1 + i % 2], zone_id, id, id, tweet_id, 600, 'm',
			$1::timestamptz - i * interval '1 minute', case when i % 10 > 0 then $1::timestamptz end
		from (select id, zone_id, tweet_id, row_number() over () i from twitter_tweets limit 20000) w`, epoch)
	// As large as the tables are when freshly written, without the rows from before the updates.
	e.exec(b, `vacuum full twitter_tweets, twitter_engagement_tracking`)
	e.exec(b, `vacuum analyze`)
	if _, err := e.AddRule(b.Context(), alert.Rule{AlertRule: engagement.AlertRule{Kind: engagement.AlertStalled, Window: 30 * time.Minute}}); err != nil {
		b.Fatal(err)
	}
	rows, err := e.raw.Query(b.Context(), `select id from twitter_tweets limit 1`)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var found []uuid.UUID
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			b.Fatal(err)
		}
		found = append(found, id)
	}
	return found
}
