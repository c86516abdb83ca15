package store

import (
	"time"

	"gorgone/engagement"
)

// counts are six nullable columns, in the order of the tables: retweets, replies,
// likes, quotes, views, bookmarks.
type counts [6]*int32

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

func known(n *int32) engagement.Count {
	if n == nil {
		return engagement.Count{}
	}
	return engagement.Known(int64(*n))
}

// nullable converts a count that was range-checked.
func nullable(c engagement.Count) *int32 {
	n, ok := c.Get()
	if !ok {
		return nil
	}
	v := int32(n) // #nosec G115 -- checked by engagement
	return &v
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
