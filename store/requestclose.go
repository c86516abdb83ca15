package store

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// closeRequests closes the open requests of tweets. A request names a row, and
// gets the outcome of that row; the row $10, which is no row, stands for all of
// the tweet's. One that is past its deadline has been told so, and stays as it is.
const closeRequests = `
	update gorgone.refresh_requests q set
		closed_at = $9::timestamptz, outcome = u.outcome, cause = nullif(u.cause, ''), reason = nullif(u.reason, ''),
		retry_at = u.retry, snapshot_created = u.snapshot, tier_updated = u.tier
	from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bool[], $8::bool[], $11::timestamptz[])
		u (tweet_id, row_id, outcome, cause, reason, retry, snapshot, tier, youngest)
	where q.tweet_id = u.tweet_id and (q.row_id = u.row_id or u.row_id = $10::uuid)
	and q.requested_at <= coalesce(u.youngest, q.requested_at)
	and q.closed_at is null and q.deadline >= $9::timestamptz`

// closing is how the requests of a tweet, or of one of its rows, end.
type closing struct {
	tweetID               string
	row                   uuid.UUID // zero: all rows
	outcome               engagement.RequestOutcome
	cause, reason         string
	retryAt               time.Time
	youngest              time.Time // requests made later stay open; zero: none does
	snapshotCreated, tier bool
}

// requestArrays are the columns of closeRequests.
type requestArrays struct {
	tweets                  []string
	rows                    []uuid.UUID
	outcomes, causes, texts []string
	retry, youngest         []*time.Time
	snapshot, tier          []bool
}

func (a *requestArrays) add(c closing) {
	a.tweets = append(a.tweets, c.tweetID)
	a.rows = append(a.rows, c.row)
	a.outcomes = append(a.outcomes, string(c.outcome))
	a.causes = append(a.causes, c.cause)
	a.texts = append(a.texts, storable(c.reason))
	a.retry = append(a.retry, postgres.NullTime(c.retryAt))
	a.youngest = append(a.youngest, postgres.NullTime(c.youngest))
	a.snapshot = append(a.snapshot, c.snapshotCreated)
	a.tier = append(a.tier, c.tier)
}

func (a *requestArrays) queue(b *pgx.Batch, now time.Time) {
	if len(a.tweets) > 0 {
		b.Queue(closeRequests, a.tweets, a.rows, a.outcomes, a.causes, a.texts, a.retry, a.snapshot, a.tier, now, uuid.Nil, a.youngest)
	}
}

// queueAnswered closes the requests that refreshes answered; of a tweet in late those that
// were made until then.
func queueAnswered(b *pgx.Batch, applied Applied, late map[string]time.Time, now time.Time) {
	var a requestArrays
	for i := range applied.Rows {
		row := &applied.Rows[i]
		a.add(closing{
			tweetID: row.TweetID, row: row.Row, outcome: row.Outcome.Effect().Request, reason: row.Reason,
			snapshotCreated: row.Snapshot != nil, tier: row.TierChanged(), youngest: late[row.TweetID],
		})
	}
	for _, id := range applied.Untracked {
		a.add(closing{tweetID: id, outcome: engagement.RequestUntracked, reason: ErrNotTracked.Error(), youngest: late[id]})
	}
	a.queue(b, now)
}

// maxReason is how many bytes of a reason are kept.
const maxReason = 500

// storable makes text, which may hold what a provider answered, fit for a column.
func storable(text string) string {
	text = strings.ReplaceAll(text, "\x00", "")
	return strings.ToValidUTF8(text[:min(len(text), maxReason)], "")
}
