package keys

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Column is whose key was used, row by row. Where none is a client's, it is sent as nothing.
type Column struct {
	all []*uuid.UUID
	own bool
}

// Add adds a row.
func (c *Column) Add(client uuid.UUID) {
	if client == Shared {
		c.all = append(c.all, nil)
		return
	}
	c.all, c.own = append(c.all, &client), true
}

// Values returns the column.
func (c *Column) Values() []*uuid.UUID {
	if !c.own {
		return nil
	}
	return c.all
}

// selectOutstandingOf is what is outstanding of each client's own key.
const selectOutstandingOf = `
	select key_client, coalesce(sum(ceil(tweets * open_rows / rows::float8)), 0)::int8 from gorgone.batches
	where done_at is null and claimed_until > $1::timestamptz and claimed_at <= $1::timestamptz + $2::interval and key_client is not null
	group by 1`

// QueueOutstanding adds the statement that reads it at now; ahead is how far clocks may differ.
func QueueOutstanding(b *pgx.Batch, now time.Time, ahead time.Duration, of map[uuid.UUID]int) {
	b.Queue(selectOutstandingOf, now, ahead).Query(func(rows pgx.Rows) error {
		var (
			client uuid.UUID
			tweets int
		)
		_, err := pgx.ForEachRow(rows, []any{&client, &tweets}, func() error {
			of[client] = tweets
			return nil
		})
		return err
	})
}
