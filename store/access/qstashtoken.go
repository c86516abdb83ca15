package access

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// QStashToken is the use of a token for the delivery of a message.
type QStashToken struct {
	TokenID   string
	MessageID string
	BodyHash  []byte
	At        time.Time // real time
	KeepUntil time.Time // real time; must not be before the token's end
}

// UseToken remembers the first use of a token and reports whether this one is the
// same: for the same message, with the same body. It forgets tokens whose time is
// over.
func (s *Store) UseToken(ctx context.Context, use QStashToken) (same bool, err error) {
	err = s.db.Transact(ctx, "remember a token", func(ctx context.Context, t *postgres.Tx) error {
		b := t.Group()
		// Two that sweep at once take different rows.
		b.Queue(`
			delete from gorgone.qstash_tokens where token_id in (
				select token_id from gorgone.qstash_tokens where keep_until < $1::timestamptz
				order by keep_until limit 100 for update skip locked)`, use.At)
		// An update that changes nothing, to have the row that is there returned.
		b.Queue(`
			insert into gorgone.qstash_tokens as known (token_id, message_id, body_hash, keep_until)
			values ($1::text, $2::text, $3::bytea, $4::timestamptz)
			on conflict (token_id) do update set token_id = known.token_id
			returning message_id = $2::text and body_hash = $3::bytea`,
			use.TokenID, use.MessageID, use.BodyHash, use.KeepUntil).QueryRow(func(row pgx.Row) error { return row.Scan(&same) })
		return t.Send(ctx, b)
	})
	return same, err
}
