package models

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

// Settings is what a zone's own settings say of its schedule, and its running trial.
type Settings struct {
	Minimum  int64  // least total engagement; 0: none
	Schedule string // "": as all
	Trial    *Trial // nil: none is running
}

// Trial is a running trial of the adaptive schedule in a zone.
type Trial struct {
	Seed  string
	From  time.Time // post of the first tweets
	Price float64   // of a look-up of the half that is tried
}

// Split makes a policy one that is tried on half of the tweets, by a model.
func (t Trial) Split(p engagement.Policy, m engagement.Model, closing time.Duration) engagement.Policy {
	return engagement.Split{Policy: p, Tried: engagement.DefaultAdaptive(m, t.Price), Seed: t.Seed, From: t.From, Closing: closing}
}

// QueueSettings adds the statements that read the settings of the zones that have any, and
// the trials that run at now.
func QueueSettings(b *pgx.Batch, now time.Time, zones map[uuid.UUID]Settings) {
	const selectZones = `
		select id,
			coalesce(case when jsonb_typeof(settings->'min_engagement') = 'number' and (settings->>'min_engagement')::numeric >= 1
				then least(trunc((settings->>'min_engagement')::numeric), 2147483647)::int8 end, 0),
			coalesce(settings->>'schedule', '')
		from public.zones where settings ?| array['min_engagement', 'schedule']`
	b.Queue(selectZones).Query(func(rows pgx.Rows) error {
		var zone uuid.UUID
		var own Settings
		_, err := pgx.ForEachRow(rows, []any{&zone, &own.Minimum, &own.Schedule}, func() error {
			zones[zone] = own
			return nil
		})
		return err
	})
	b.Queue(`select zone_id, seed, starts_at, price from gorgone.trials where ends_at > $1::timestamptz`, now).Query(func(rows pgx.Rows) error {
		var zone uuid.UUID
		var t Trial
		_, err := pgx.ForEachRow(rows, []any{&zone, &t.Seed, &t.From, &t.Price}, func() error {
			own, running := zones[zone], t
			own.Trial = &running
			zones[zone] = own
			return nil
		})
		return err
	})
}
