package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

const (
	// refitEvery is how often models are learnt anew, in engine time.
	refitEvery = 24 * time.Hour

	// fitTweets is about how many tweets models are learnt from.
	fitTweets = 4000

	// fitZone is how many of them a zone must have for a model of its own.
	fitZone = 100

	// fitAge is how old the tweets are at most: tweets of long ago grew otherwise.
	fitAge = 14 * 24 * time.Hour

	// fitLock lets one process learn at a time ("learn" in hexadecimal ASCII).
	fitLock = 0x6c6561726e
)

// FitModels learns how the tweets of each zone, and of all together, grow, from a
// sample of their histories. It returns how many models it learnt: none while
// another process does the same, or when that was done less than a day ago.
func (s *Store) FitModels(ctx context.Context) (fitted int, err error) {
	err = s.db.transact(ctx, "learn models", func(ctx context.Context, t *tx) error {
		fitted = 0
		now := s.clock.Now()
		var free bool
		var last *time.Time
		b := t.group()
		b.Queue(`select pg_try_advisory_xact_lock($1::int8)`, int64(fitLock)).QueryRow(func(r pgx.Row) error { return r.Scan(&free) })
		b.Queue(`select max(fitted_at) from gorgone.models`).QueryRow(func(r pgx.Row) error { return r.Scan(&last) })
		if err := t.send(ctx, b); err != nil || !free || now.Sub(timeOf(last)) < refitEvery {
			return err
		}
		histories, err := sampleHistories(ctx, t, now)
		if err != nil {
			return err
		}
		fitted, err = s.saveModels(ctx, t, histories, now)
		return err
	})
	return fitted, err
}

// sampleHistories reads the histories of some tweets that were looked at for long,
// by zone.
func sampleHistories(ctx context.Context, t *tx, now time.Time) (map[uuid.UUID][]engagement.History, error) {
	const (
		selectTweets = `
			select w.id, w.zone_id, w.twitter_created_at
			from public.twitter_engagement_tracking k tablesample system ($1::float4)
			join public.twitter_tweets w on w.id = k.tweet_db_id
			where k.update_count >= 3 and w.twitter_created_at > $2::timestamptz
			limit $3::int8`
		selectHistories = `
			select h.tweet_id, h.snapshot_at, h.retweet_count, h.reply_count, h.like_count, h.quote_count, h.view_count, h.bookmark_count
			from public.twitter_engagement_history h
			where h.tweet_id = any($1::uuid[]) and h.snapshot_at > $2::timestamptz
			order by h.tweet_id, h.snapshot_at`
	)
	type place struct {
		zone  uuid.UUID
		index int
	}
	var estimate int64
	b := t.group()
	b.Queue(estimateRows).QueryRow(func(r pgx.Row) error { return r.Scan(&estimate) })
	if err := t.send(ctx, b); err != nil {
		return nil, err
	}
	// Twice as many as are wanted: not all of them were looked at for long.
	percent := min(100, 200*fitTweets/max(float64(estimate), 1))
	byZone := make(map[uuid.UUID][]engagement.History)
	places := make(map[uuid.UUID]place)
	var ids []uuid.UUID
	b = t.group()
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
	if err := t.send(ctx, b); err != nil {
		return nil, fmt.Errorf("sample tweets: %w", err)
	}
	b = t.group()
	b.Queue(selectHistories, ids, now.Add(-fitAge)).Query(func(rows pgx.Rows) error {
		var id uuid.UUID
		var at time.Time
		var c counts
		_, err := pgx.ForEachRow(rows, append([]any{&id, &at}, c.scan()...), func() error {
			p := places[id]
			h := &byZone[p.zone][p.index]
			h.Snapshots = append(h.Snapshots, engagement.Snapshot{At: at.UTC(), Metrics: c.metrics()})
			return nil
		})
		return err
	})
	if err := t.send(ctx, b); err != nil {
		return nil, fmt.Errorf("sample histories: %w", err)
	}
	return byZone, nil
}

// saveModels learns from the histories and keeps what was learnt. Where they have too
// little in them, what was learnt before stays.
func (s *Store) saveModels(ctx context.Context, t *tx, byZone map[uuid.UUID][]engagement.History, now time.Time) (int, error) {
	var all []engagement.History
	for _, histories := range byZone {
		all = append(all, histories...)
	}
	if len(all) < fitZone {
		return 0, nil
	}
	before, err := readModels(ctx, t)
	if err != nil {
		return 0, err
	}
	general := engagement.Fit(modelOf(before, uuid.Nil).Model, all)
	b := t.group()
	if err := queueModel(b, uuid.Nil, general, all, now); err != nil {
		return 0, err
	}
	fitted := 1
	for zone, histories := range byZone {
		if len(histories) < fitZone {
			continue
		}
		base := general
		if own, ok := before[zone]; ok {
			base = own.Model
		}
		if err := queueModel(b, zone, engagement.Fit(base, histories), histories, now); err != nil {
			return 0, err
		}
		fitted++
	}
	if err := t.send(ctx, b); err != nil {
		return 0, fmt.Errorf("keep models: %w", err)
	}
	return fitted, nil
}

// KeepModel keeps a model that was learnt elsewhere, of a zone or with [uuid.Nil] of
// all, and the histories it was learnt from. [Store.FitModels] will learn anew a day
// later.
func (s *Store) KeepModel(ctx context.Context, zone uuid.UUID, m engagement.Model, histories []engagement.History) error {
	err := s.db.transact(ctx, "keep a model", func(ctx context.Context, t *tx) error {
		b := t.group()
		if err := queueModel(b, zone, m, histories, s.clock.Now()); err != nil {
			return err
		}
		return t.send(ctx, b)
	})
	if err != nil {
		return err
	}
	return s.readPolicies(ctx, true)
}

func queueModel(b *pgx.Batch, zone uuid.UUID, m engagement.Model, histories []engagement.History, now time.Time) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the model of zone %s: %w", zone, err)
	}
	stop := engagement.DefaultSmartStop(m, nil)
	quartiles := append([]float64{}, engagement.Quartiles(histories, stop.Every, stop.Looks)...) // none is no null
	b.Queue(`
		insert into gorgone.models (zone_id, model, quartiles, tweets, fitted_at)
		values ($1::uuid, $2::text::jsonb, $3::float8[], $4::int4, $5::timestamptz)
		on conflict (zone_id) do update set
			model = excluded.model, quartiles = excluded.quartiles, tweets = excluded.tweets, fitted_at = excluded.fitted_at`,
		zone, string(body), quartiles, len(histories), now)
	return nil
}

// readModels reads the models of all zones in a transaction.
func readModels(ctx context.Context, t *tx) (map[uuid.UUID]zoneModel, error) {
	models := make(map[uuid.UUID]zoneModel)
	b := t.group()
	b.Queue(selectModels).Query(scanModels(models))
	if err := t.send(ctx, b); err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	return models, nil
}

const selectModels = `select zone_id, model, quartiles from gorgone.models`

func scanModels(models map[uuid.UUID]zoneModel) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var zone uuid.UUID
		var body []byte
		var quartiles []float64
		_, err := pgx.ForEachRow(rows, []any{&zone, &body, &quartiles}, func() error {
			m := zoneModel{quartiles: quartiles}
			if err := json.Unmarshal(body, &m.Model); err != nil {
				return fmt.Errorf("the model of zone %s: %w", zone, err)
			}
			models[zone] = m
			return nil
		})
		return err
	}
}
