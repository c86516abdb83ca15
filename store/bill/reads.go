package bill

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// Which tweets a key was charged for on a UTC day is asked as what calls cost is written, in
// the same transaction: of a tweet that two zones, a refresh, a retry or a canary have read,
// the first to be written pays. It is on disk, so it outlives workers, and a fallback with a
// key of its own has charges of its own.

// Reads are tweets that a provider with a day pass returned on one UTC day.
type Reads struct {
	KeyID  string    `json:"key_id"` // names the API key without giving it away
	Day    time.Time `json:"day"`    // midnight UTC
	Tweets []int64   `json:"tweets"`
	Lost   []int64   `json:"lost,omitempty"` // tweets of calls whose answers were lost: of those that the key has not read they may have been billed
}

func (r Reads) same(o Reads) bool { return r.KeyID == o.KeyID && r.Day.Equal(o.Day) }

// enter notes the reads of calls, and returns how many tweets of each are charged for, and how
// many of each that were lost are not noted. A tweet that several of the calls have read counts
// for the first of them.
func enter(ctx context.Context, t *postgres.Tx, spent []Calls) (charged, lost []int, err error) {
	const (
		asked = `
			with asked as (
				select distinct on (u.day, u.key_id, u.tweet_id) u.day, u.key_id, u.tweet_id, u.n
				from unnest($1::date[], $2::text[], $3::int8[], $4::int4[]) u (day, key_id, tweet_id, n)
				order by 1, 2, 3, 4
			)`
		insert = asked + `, entered as (
				insert into gorgone.day_passes (day, key_id, tweet_id) select day, key_id, tweet_id from asked order by 1, 2, 3
				on conflict do nothing returning day, key_id, tweet_id
			)
			select a.n, count(*)::int4 from entered join asked a using (day, key_id, tweet_id) group by 1`
		unread = asked + `
			select a.n, count(*)::int4 from asked a
			where not exists (select from gorgone.day_passes p where p.day = a.day and p.key_id = a.key_id and p.tweet_id = a.tweet_id)
			group by 1`
	)
	b := t.Group()
	charged = queueReads(b, insert, spent, func(r Reads) []int64 { return r.Tweets })
	lost = queueReads(b, unread, spent, func(r Reads) []int64 { return r.Lost })
	return charged, lost, t.Send(ctx, b)
}

// queueReads adds a statement about some of the reads of calls, if there are any. It counts
// tweets of each of the calls, which are in the result once the statement was sent.
func queueReads(b *pgx.Batch, statement string, spent []Calls, of func(Reads) []int64) (counts []int) {
	var (
		days   []time.Time
		keys   []string
		tweets []int64
		calls  []int32
	)
	for n, c := range spent {
		for _, id := range of(c.Reads) {
			days, keys = append(days, engagement.UTCDay(c.Reads.Day)), append(keys, c.Reads.KeyID)
			tweets, calls = append(tweets, id), append(calls, int32(n)) // #nosec G115 -- a few
		}
	}
	counts = make([]int, len(spent))
	if len(tweets) == 0 {
		return counts
	}
	b.Queue(statement, days, keys, tweets, calls).Query(func(rows pgx.Rows) error {
		var n, count int
		_, err := pgx.ForEachRow(rows, []any{&n, &count}, func() error {
			counts[n] = count
			return nil
		})
		return err
	})
	return counts
}

// keepDays is how many days what was charged is remembered: longer than workers try to write
// what a call has cost.
const keepDays = 4

// QueueForget adds the statement that forgets what covers no look-up at now any more.
func QueueForget(b *pgx.Batch, now time.Time) {
	b.Queue(`delete from gorgone.day_passes where day < $1::date`, engagement.UTCDay(now).AddDate(0, 0, -keepDays))
}
