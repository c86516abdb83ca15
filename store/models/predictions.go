package models

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

// writePredictions stores forecasts in the column predictions where the expected total
// in 24 hours has moved by more than the share $4 of the stored one, or of one engagement
// if that is more. What is not a forecast of this engine is replaced.
const writePredictions = `
	update public.twitter_tweets w set predictions = u.body::jsonb
	from unnest($1::uuid[], $2::text[], $3::float8[]) u (id, body, mean)
	where w.id = u.id and not coalesce(
		jsonb_typeof(w.predictions #> '{horizons,2,total_engagement,mean}') = 'number'
		and abs(u.mean - (w.predictions #>> '{horizons,2,total_engagement,mean}')::float8)
			<= $4::float8 * greatest((w.predictions #>> '{horizons,2,total_engagement,mean}')::float8, 1), false)`

// QueuePredictions adds the statement that stores the forecasts of rows that moved by more
// than a share, for those who read them in SQL.
func QueuePredictions(b *pgx.Batch, forecasts map[uuid.UUID]*engagement.Forecast, share float64) error {
	var (
		ids    []uuid.UUID
		bodies []string
		means  []*float64
	)
	for row, f := range forecasts {
		body, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("encode the forecast of row %s: %w", row, err)
		}
		ids, bodies = append(ids, row), append(bodies, string(body))
		means = append(means, &f.Horizons[len(f.Horizons)-1].Engagement.Mean)
	}
	if len(ids) > 0 {
		b.Queue(writePredictions, ids, bodies, means, share)
	}
	return nil
}
