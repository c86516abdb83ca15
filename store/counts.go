package store

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
)

// counts are six nullable columns, in the order of the tables: retweets, replies,
// likes, quotes, views, bookmarks.
type counts [6]pgtype.Int4

// scan returns the destinations of the six columns.
func (c *counts) scan() []any {
	return []any{&c[0], &c[1], &c[2], &c[3], &c[4], &c[5]}
}

func (c *counts) metrics() engagement.Metrics {
	return engagement.Metrics{
		Retweets: known(c[0]), Replies: known(c[1]), Likes: known(c[2]),
		Quotes: known(c[3]), Views: known(c[4]), Bookmarks: known(c[5]),
	}
}

func countsOf(m engagement.Metrics) counts {
	return counts{
		nullable(m.Retweets), nullable(m.Replies), nullable(m.Likes),
		nullable(m.Quotes), nullable(m.Views), nullable(m.Bookmarks),
	}
}

func known(n pgtype.Int4) engagement.Count {
	if !n.Valid {
		return engagement.Count{}
	}
	return engagement.Known(int64(n.Int32))
}

// nullable converts a count that was range-checked.
func nullable(c engagement.Count) pgtype.Int4 {
	n, ok := c.Get()
	return pgtype.Int4{Int32: int32(n), Valid: ok} // #nosec G115 -- checked by engagement
}

// timeOf is the time in a nullable column; null is the zero time.
func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// nullTime is the reverse of timeOf.
func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
