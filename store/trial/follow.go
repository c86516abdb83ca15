package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/internal/simulate"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/models"
	"gorgone/store/postgres"
)

const (
	// followLock lets one process follow trials at a time ("trial" in hexadecimal ASCII).
	followLock = 0x747269616c

	// adjustEvery is the least engine time between two moves of a trial's price, and
	// adjustLookups how many look-ups it must be about: fewer tell of chance.
	adjustEvery   = 15 * time.Minute
	adjustLookups = 20

	// reportEvery is the engine time between two reports of a running trial, and
	// reportRest the real time at least.
	reportEvery = time.Hour
	reportRest  = 10 * time.Second

	// measured is how many tweets of a half are measured at most, and settled how many
	// tweets must be done with the tiers before their look-ups are what is planned by.
	measured = 2000
	settled  = 20

	// evidenceAge is how far back the history is replayed before a trial.
	evidenceAge = 14 * 24 * time.Hour
)

// halfOf is [engagement.HalfOf] in SQL; $1 is the seed.
const halfOf = `get_byte(sha256(convert_to($1::text || ':' || w.tweet_id, 'UTF8')), 0) & 1`

// paidLookups are the look-ups of a tweet before its closing one.
const paidLookups = `greatest(coalesce(k.update_count, 0) - case when k.last_updated_at >= w.twitter_created_at + $2::interval then 1 else 0 end, 0)`

// Follow moves the prices of the trials that run, so that both halves get as many look-ups
// a tweet, and reports how each stands: every hour, and once more when it has ended.
// Any number of processes may call it; one works at a time.
func (s *Store) Follow(ctx context.Context) error {
	list, err := s.List(ctx, nil)
	if err != nil {
		return err
	}
	for _, t := range list {
		now := s.clock.Now()
		if !t.ReportedAt.Before(t.EndsAt) || now.Before(t.StartsAt) {
			continue
		}
		if t.Running(now) {
			if err := s.adjust(ctx, t, now); err != nil {
				return err
			}
		}
		if t.Running(now) && now.Sub(t.ReportedAt) < max(reportEvery, s.clock.Engine(reportRest)) {
			continue
		}
		if err := s.report(ctx, t, now); err != nil {
			return err
		}
	}
	return nil
}

// population is the tweets of a trial that were posted within a quarter of an hour.
type population struct {
	posted  time.Time // the first of them, about
	half    engagement.Half
	tweets  int
	lookups float64
}

// populations reads the tweets of a trial that were posted before a time.
func populations(ctx context.Context, t *postgres.Tx, trial Trial, until time.Time) ([]population, error) {
	const sql = `
		select date_bin('15 minutes', w.twitter_created_at, $4::timestamptz), ` + halfOf + `, count(*)::int8, sum(` + paidLookups + `)::float8
		from public.twitter_tweets w join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
		where w.zone_id = $3::uuid and w.twitter_created_at >= $4::timestamptz and w.twitter_created_at < $5::timestamptz
		group by 1, 2`
	var all []population
	b := t.Group()
	b.Queue(sql, trial.Seed, store.TrialClosing, trial.Zone, trial.StartsAt, until).Query(postgres.Collect(&all, func(r pgx.CollectableRow) (p population, err error) {
		err = r.Scan(&p.posted, &p.half, &p.tweets, &p.lookups)
		return p, err
	}))
	if err := t.Send(ctx, b); err != nil {
		return nil, fmt.Errorf("count the tweets of a trial: %w", err)
	}
	return all, nil
}

// adjust moves the price of a trial.
func (s *Store) adjust(ctx context.Context, trial Trial, now time.Time) error {
	return s.db.Transact(ctx, "adjust the price of a trial", func(ctx context.Context, t *postgres.Tx) error {
		var (
			free     bool
			last     engagement.SameSpend
			pricedAt time.Time
			price    float64
		)
		fitted := make(map[uuid.UUID]engagement.Model)
		b := t.Group()
		b.Queue(`select pg_try_advisory_xact_lock($1::int8)`, int64(followLock)).QueryRow(func(r pgx.Row) error { return r.Scan(&free) })
		b.Queue(`select price, priced_at, lives, lookups from gorgone.trials where zone_id = $1::uuid and seed = $2::text`, trial.Zone, trial.Seed).
			QueryRow(func(r pgx.Row) error { return r.Scan(&price, &pricedAt, &last.Lives, &last.Lookups) })
		b.Queue(models.Select).Query(models.Scan(fitted))
		if err := t.Send(ctx, b); err != nil || !free || now.Sub(pricedAt) < adjustEvery {
			return err
		}
		tweets, err := populations(ctx, t, trial, now)
		if err != nil {
			return err
		}
		spend := s.sameSpend(tweets, models.Of(fitted, trial.Zone).Engagement.Kernel, now)
		spend.Period, spend.LivesBefore, spend.LookupsBefore = now.Sub(pricedAt), last.Lives, last.Lookups
		if spend.Planned() < adjustLookups && spend.Lookups-spend.LookupsBefore < adjustLookups {
			return nil
		}
		b = t.Group()
		b.Queue(`update gorgone.trials set price = $3::float8, priced_at = $4::timestamptz, lives = $5::float8, lookups = $6::float8 where zone_id = $1::uuid and seed = $2::text`,
			trial.Zone, trial.Seed, spend.Adjust(price), now, spend.Lives, spend.Lookups)
		return t.Send(ctx, b)
	})
}

// sameSpend says what both halves got, and should get.
func (s *Store) sameSpend(tweets []population, kernel engagement.Kernel, now time.Time) engagement.SameSpend {
	planned, window := lifeOf(s.options.Tiers)
	var spend engagement.SameSpend
	var done int
	var lookups float64
	for _, p := range tweets {
		age := now.Sub(p.posted)
		if p.half == engagement.TriedHalf {
			spend.Lives += float64(p.tweets) * kernel.LookupsBy(age, store.TrialClosing)
			spend.Lookups += p.lookups
		} else if age >= window+time.Hour { // the last look-up may be late
			done += p.tweets
			lookups += p.lookups
		}
	}
	spend.PerTweet = planned
	if done >= settled {
		spend.PerTweet = lookups / float64(done)
	}
	return spend
}

// lifeOf returns how often a policy that goes by age looks a tweet up, its first look-up
// included, and the age at which it is done.
func lifeOf(p engagement.Policy) (lookups float64, until time.Duration) {
	t := engagement.Tracking{CreatedAt: time.Unix(0, 0).UTC()}
	at := t.CreatedAt
	for lookups = 1; lookups < 10_000; lookups++ {
		_, next := p.Schedule(t, at)
		if next.IsZero() {
			break
		}
		at = next
	}
	return lookups, at.Sub(t.CreatedAt)
}

// report measures the tweets of a trial that are complete, and keeps what came of it.
func (s *Store) report(ctx context.Context, trial Trial, now time.Time) error {
	report := Report{}
	var lived [2][]simulate.Lived
	until := now
	if !trial.Running(now) {
		until = trial.EndsAt
	}
	complete := until.Add(-store.TrialClosing)
	free := false
	err := s.db.Transact(ctx, "count the tweets of a trial", func(ctx context.Context, t *postgres.Tx) error {
		report = Report{}
		b := t.Group()
		b.Queue(`select pg_try_advisory_xact_lock($1::int8)`, int64(followLock)).QueryRow(func(r pgx.Row) error { return r.Scan(&free) })
		if err := t.Send(ctx, b); err != nil || !free {
			return err
		}
		tweets, err := populations(ctx, t, trial, until)
		for _, p := range tweets {
			report.Posted.add(p.half, p.tweets)
			if p.posted.Add(15 * time.Minute).Before(complete) {
				report.Complete.add(p.half, p.tweets)
			}
		}
		return err
	})
	if err != nil || !free {
		return err
	}
	for _, half := range []engagement.Half{engagement.KeptHalf, engagement.TriedHalf} {
		if lived[half], err = s.lived(ctx, trial, half, complete); err != nil {
			return err
		}
	}
	report.Halves = simulate.CompareHalves(lived[engagement.KeptHalf], lived[engagement.TriedHalf], s.options.Dollars, simulate.Bootstraps, seedOf(trial.Seed))
	body, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode the report of a trial: %w", err)
	}
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	if _, err := s.db.Exec(ctx, `update gorgone.trials set report = $3::text::jsonb, reported_at = $4::timestamptz where zone_id = $1::uuid and seed = $2::text`,
		trial.Zone, trial.Seed, string(body), now); err != nil {
		return fmt.Errorf("keep the report of a trial: %w", err)
	}
	return nil
}

// lived reads the lives of tweets of a half that were posted before a time, some of them
// at random if there are many.
func (s *Store) lived(ctx context.Context, trial Trial, half engagement.Half, until time.Time) ([]simulate.Lived, error) {
	const sql = `
		select w.id, w.tweet_id, w.twitter_created_at, ` + paidLookups + `::int8
		from public.twitter_tweets w join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
		where w.zone_id = $3::uuid and w.twitter_created_at >= $4::timestamptz and w.twitter_created_at < $5::timestamptz and ` + halfOf + ` = $6::int4
		order by sha256(convert_to($1::text || ':' || w.tweet_id, 'UTF8')) limit $7::int4`
	asking, cancel := s.db.Bounded(ctx)
	defer cancel()
	rows, err := s.db.Query(asking, sql, trial.Seed, store.TrialClosing, trial.Zone, trial.StartsAt, until, int(half), measured)
	if err != nil {
		return nil, fmt.Errorf("read the tweets of a trial: %w", err)
	}
	var lived []simulate.Lived
	tweets, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e history.ExportRow, err error) {
		var lookups int
		err = r.Scan(&e.Row, &e.TweetID, &e.Posted, &lookups)
		e.Posted = e.Posted.UTC()
		lived = append(lived, simulate.Lived{Record: simulate.Record{ID: e.TweetID, CreatedAt: e.Posted}, Lookups: lookups})
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the tweets of a trial: %w", err)
	}
	place := make(map[uuid.UUID]*simulate.Lived, len(tweets))
	for i, t := range tweets {
		place[t.Row] = &lived[i]
	}
	return lived, s.archive.Lives(ctx, tweets, func(page []history.ExportRow) error {
		for _, row := range page {
			l := place[row.Row]
			l.Snapshots = append(l.Snapshots, row.Snapshot)
		}
		return nil
	})
}

// seedOf makes the seed of the intervals of a trial's.
func seedOf(seed string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(seed))
	return h.Sum64()
}

// errEnough ends an export of which enough was read.
var errEnough = errors.New("enough was read")

// Evidence replays what the history shows of a zone's tweets, of 2,000 at most: whether
// the adaptive schedule would have gained on them.
func (s *Store) Evidence(ctx context.Context, zone uuid.UUID) (simulate.Gain, error) {
	records := simulate.Collector{Most: measured}
	err := s.archive.Export(ctx, zone, history.Range{From: s.clock.Now().Add(-evidenceAge)}, func(page []history.ExportRow) error {
		for _, row := range page {
			if !records.Add(row.Row, row.TweetID, row.Posted, row.Snapshot) {
				return errEnough
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return simulate.Gain{}, err
	}
	return simulate.GainOf(records.Records, simulate.Bootstraps, 1), nil
}
