// Package models keeps the models of how the tweets of each zone grow: it fits them to
// a sample of histories once a day, stores them and reads them.
package models

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

const (
	// refitEvery is how often models are fitted again, in engine time.
	refitEvery = 24 * time.Hour

	// fitTweets is about how many tweets models are learnt from.
	fitTweets = 4000

	// fitZone is how many of them a zone must have for a model of its own.
	fitZone = 100

	// fitAge is how old the tweets are at most: tweets of long ago grew otherwise.
	fitAge = 14 * 24 * time.Hour

	// fitLock lets one process keep models at a time ("learn" in hexadecimal ASCII).
	fitLock = 0x6c6561726e
)

// Fit learns how the tweets of each zone, and of all together, grow, from a
// sample of their histories. It returns how many models it learnt: none when that was done
// less than a day ago, or by another process meanwhile. The learning takes a while, and no
// transaction is open then.
func Fit(ctx context.Context, db *postgres.DB, now time.Time) (fitted int, err error) {
	var before map[uuid.UUID]engagement.Model
	var sample map[uuid.UUID][]engagement.History
	var last *time.Time
	due := false
	err = db.Transact(ctx, "sample histories", func(ctx context.Context, t *postgres.Tx) (err error) {
		if last, err = lastFit(ctx, t); err != nil {
			return err
		}
		// What a clock ahead of its time has fitted is fitted again.
		age := now.Sub(postgres.TimeOf(last))
		if due = age < 0 || age >= refitEvery; !due {
			return nil
		}
		if before, err = read(ctx, t); err != nil {
			return err
		}
		sample, err = sampleHistories(ctx, t, now)
		return err
	})
	if err != nil || !due {
		return 0, err
	}
	fits := learn(before, sample)
	if len(fits) == 0 {
		return 0, nil
	}
	err = db.Transact(ctx, "keep models", func(ctx context.Context, t *postgres.Tx) error {
		fitted = 0
		b := t.Group()
		b.Queue(`select pg_advisory_xact_lock($1::int8)`, int64(fitLock))
		if err := t.Send(ctx, b); err != nil {
			return err
		}
		current, err := lastFit(ctx, t)
		if err != nil || !postgres.TimeOf(current).Equal(postgres.TimeOf(last)) {
			return err
		}
		b = t.Group()
		for zone, f := range fits {
			if err := queue(b, zone, f.model, f.tweets, now); err != nil {
				return err
			}
		}
		fitted = len(fits)
		return t.Send(ctx, b)
	})
	return fitted, err
}

// lastFit returns when models were fitted last; nil: never.
func lastFit(ctx context.Context, t *postgres.Tx) (at *time.Time, err error) {
	b := t.Group()
	b.Queue(`select max(fitted_at) from gorgone.models`).QueryRow(func(r pgx.Row) error { return r.Scan(&at) })
	return at, t.Send(ctx, b)
}

// sampleHistories reads the histories of some tweets that were looked at for long,
// by zone.
func sampleHistories(ctx context.Context, t *postgres.Tx, now time.Time) (map[uuid.UUID][]engagement.History, error) {
	const (
		selectTweets = `
			select w.id, w.zone_id, w.twitter_created_at
			from public.twitter_engagement_tracking k tablesample system ($1::float4)
			join public.twitter_tweets w on w.id = k.tweet_db_id
			where k.update_count >= 3 and w.twitter_created_at > $2::timestamptz
			limit $3::int8`
		selectHistories = `
			select h.tweet_id, h.snapshot_at, h.retweet_count, h.reply_count, h.like_count, h.quote_count, h.view_count, h.bookmark_count
			from ` + postgres.Curve + ` h
			where h.tweet_id = any($1::uuid[]) and h.snapshot_at > $2::timestamptz
			order by h.tweet_id, h.snapshot_at`
	)
	type place struct {
		zone  uuid.UUID
		index int
	}
	var estimate int64
	b := t.Group()
	b.Queue(postgres.EstimateRows).QueryRow(func(r pgx.Row) error { return r.Scan(&estimate) })
	if err := t.Send(ctx, b); err != nil {
		return nil, err
	}
	// Twice as many as are wanted: not all of them were looked at for long.
	percent := min(100, 200*fitTweets/max(float64(estimate), 1))
	byZone := make(map[uuid.UUID][]engagement.History)
	places := make(map[uuid.UUID]place)
	var ids []uuid.UUID
	b = t.Group()
	b.Queue(selectTweets, percent, now.Add(-fitAge), int64(fitTweets)).Query(func(rows pgx.Rows) error {
		var id, zone uuid.UUID
		var created time.Time
		_, err := pgx.ForEachRow(rows, []any{&id, &zone, &created}, func() error {
			places[id] = place{zone, len(byZone[zone])}
			byZone[zone] = append(byZone[zone], engagement.History{CreatedAt: created.UTC()})
			ids = append(ids, id)
			return nil
		})
		return err
	})
	if err := t.Send(ctx, b); err != nil {
		return nil, fmt.Errorf("sample tweets: %w", err)
	}
	err := t.ReadPlanned(ctx, func(rows pgx.Rows) error {
		var id uuid.UUID
		var at time.Time
		var c postgres.Counts
		_, err := pgx.ForEachRow(rows, append([]any{&id, &at}, c.Dest()...), func() error {
			p := places[id]
			h := &byZone[p.zone][p.index]
			h.Snapshots = append(h.Snapshots, engagement.Snapshot{At: at.UTC(), Metrics: c.Metrics()})
			return nil
		})
		return err
	}, selectHistories, ids, now.Add(-fitAge))
	if err != nil {
		return nil, fmt.Errorf("sample histories: %w", err)
	}
	return byZone, nil
}

// fit is a model, and from how many tweets it was learnt.
type fit struct {
	model  engagement.Model
	tweets int
}

// learn fits models to the histories, by zone; [uuid.Nil] is that of all. Where there are
// too few histories there is none: the model from before stays.
func learn(before map[uuid.UUID]engagement.Model, byZone map[uuid.UUID][]engagement.History) map[uuid.UUID]fit {
	var all []engagement.History
	for _, histories := range byZone {
		all = append(all, histories...)
	}
	if len(all) < fitZone {
		return nil
	}
	general := engagement.Fit(Of(before, uuid.Nil), all)
	fits := map[uuid.UUID]fit{uuid.Nil: {general, len(all)}}
	for zone, histories := range byZone {
		if len(histories) < fitZone {
			continue
		}
		base := general
		base.Borrowed = true // until the zone's own tweets have taught the intervals
		if own, ok := before[zone]; ok {
			base = own
		}
		fits[zone] = fit{engagement.Fit(base, histories), len(histories)}
	}
	return fits
}

// Save stores a model that was fitted elsewhere, of a zone or with [uuid.Nil] of
// all, and from how many tweets. [Fit] fits it again a day later.
func Save(ctx context.Context, db *postgres.DB, zone uuid.UUID, m engagement.Model, tweets int, now time.Time) error {
	return db.Transact(ctx, "keep a model", func(ctx context.Context, t *postgres.Tx) error {
		b := t.Group()
		if err := queue(b, zone, m, tweets, now); err != nil {
			return err
		}
		return t.Send(ctx, b)
	})
}

func queue(b *pgx.Batch, zone uuid.UUID, m engagement.Model, tweets int, now time.Time) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the model of zone %s: %w", zone, err)
	}
	// Nothing reads the quartiles any more; the column allows no null.
	b.Queue(`
		insert into gorgone.models (zone_id, model, quartiles, tweets, fitted_at)
		values ($1::uuid, $2::text::jsonb, '{}', $3::int4, $4::timestamptz)
		on conflict (zone_id) do update set
			model = excluded.model, quartiles = excluded.quartiles, tweets = excluded.tweets, fitted_at = excluded.fitted_at`,
		zone, string(body), tweets, now)
	return nil
}

// read reads the models of all zones in a transaction.
func read(ctx context.Context, t *postgres.Tx) (map[uuid.UUID]engagement.Model, error) {
	models := make(map[uuid.UUID]engagement.Model)
	b := t.Group()
	b.Queue(Select).Query(Scan(models))
	if err := t.Send(ctx, b); err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	return models, nil
}

// Select reads all models, for [Scan].
const Select = `select zone_id, model from gorgone.models`

// Scan adds what [Select] reads to models, by zone; [uuid.Nil] is that of all zones.
func Scan(models map[uuid.UUID]engagement.Model) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var zone uuid.UUID
		var body []byte
		_, err := pgx.ForEachRow(rows, []any{&zone, &body}, func() error {
			var m engagement.Model
			if err := json.Unmarshal(body, &m); err != nil {
				return fmt.Errorf("the model of zone %s: %w", zone, err)
			}
			models[zone] = m
			return nil
		})
		return err
	}
}

// Of returns the model of a zone, or else that of all zones, borrowed, or else the
// default.
func Of(models map[uuid.UUID]engagement.Model, zone uuid.UUID) engagement.Model {
	if m, ok := models[zone]; ok && zone != uuid.Nil {
		return m
	}
	if m, ok := models[uuid.Nil]; ok {
		m.Borrowed = true
		return m
	}
	return engagement.DefaultModel()
}
