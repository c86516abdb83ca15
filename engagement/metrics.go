package engagement

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// MaxCount is the largest value a count, or the sum of the four counts of
// [Metrics.Total], may have. Counts are stored as Postgres int4.
const MaxCount = math.MaxInt32

// ErrOutOfRange is returned for counts that are negative or do not fit what the
// database stores. It is a fault of one tweet's reading, never of a whole batch.
var ErrOutOfRange = errors.New("count out of range")

// Count is one counter of a tweet, which a provider may leave out of an answer.
// The zero value is absent. Absent is not zero: it says nothing about the tweet.
type Count struct {
	value int64
	known bool
}

// Known returns the count n.
func Known(n int64) Count { return Count{value: n, known: true} }

// Get returns the count and whether it is known. The value of an absent count is 0.
func (c Count) Get() (n int64, known bool) { return c.value, c.known }

// Known reports whether the count is present.
func (c Count) Known() bool { return c.known }

// Value returns the count, or 0 when it is absent. Use it for sums; use
// [Count.Get] wherever absent and zero must be told apart.
func (c Count) Value() int64 { return c.value }

// Or returns c when it is known, else other.
func (c Count) Or(other Count) Count {
	if c.known {
		return c
	}
	return other
}

// Minus returns c - other. The difference is absent when either count is.
func (c Count) Minus(other Count) Count {
	if !c.known || !other.known {
		return Count{}
	}
	return Known(c.value - other.value)
}

// String returns the count in digits, or "-" when it is absent.
func (c Count) String() string {
	if !c.known {
		return "-"
	}
	return strconv.FormatInt(c.value, 10)
}

// MarshalJSON encodes an absent count as null.
func (c Count) MarshalJSON() ([]byte, error) {
	if !c.known {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, c.value, 10), nil
}

// UnmarshalJSON decodes an integer, or null as absent.
func (c *Count) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		*c = Count{}
		return nil
	}
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		return fmt.Errorf("decode count %.40q: %w", data, err)
	}
	*c = Known(n)
	return nil
}

// Metrics are the six public counters of a tweet at one moment.
type Metrics struct {
	Retweets  Count `json:"retweets"`
	Replies   Count `json:"replies"`
	Likes     Count `json:"likes"`
	Quotes    Count `json:"quotes"`
	Views     Count `json:"views"`
	Bookmarks Count `json:"bookmarks"`
}

// Known reports whether at least one count is present.
func (m Metrics) Known() bool { return m != Metrics{} }

// Total is the total engagement: retweets + replies + likes + quotes, absent
// counts as 0. Views and bookmarks are not part of it, as in the generated
// column total_engagement.
func (m Metrics) Total() int64 {
	return m.Retweets.Value() + m.Replies.Value() + m.Likes.Value() + m.Quotes.Value()
}

// Validate returns an error wrapping [ErrOutOfRange] that names the first count
// outside 0..[MaxCount], or the total when that is too large.
func (m Metrics) Validate() error {
	for _, f := range m.fields() {
		if f.count.value < 0 || f.count.value > MaxCount {
			return fmt.Errorf("%s %d: %w", f.name, f.count.value, ErrOutOfRange)
		}
	}
	if t := m.Total(); t > MaxCount {
		return fmt.Errorf("total engagement %d: %w", t, ErrOutOfRange)
	}
	return nil
}

type field struct {
	name  string
	count Count
}

func (m Metrics) fields() [6]field {
	return [6]field{
		{"retweets", m.Retweets},
		{"replies", m.Replies},
		{"likes", m.Likes},
		{"quotes", m.Quotes},
		{"views", m.Views},
		{"bookmarks", m.Bookmarks},
	}
}

// after returns what is known of a tweet once m was read and prev was known
// before: counts that m lacks keep their last value, and views never fall (a
// provider that answers fewer views than before is wrong or has lost them).
// The other counts may fall: people undo likes and retweets.
func (m Metrics) after(prev Metrics) Metrics {
	merged := Metrics{
		Retweets:  m.Retweets.Or(prev.Retweets),
		Replies:   m.Replies.Or(prev.Replies),
		Likes:     m.Likes.Or(prev.Likes),
		Quotes:    m.Quotes.Or(prev.Quotes),
		Views:     m.Views.Or(prev.Views),
		Bookmarks: m.Bookmarks.Or(prev.Bookmarks),
	}
	if merged.Views.value < prev.Views.value {
		merged.Views = prev.Views
	}
	return merged
}

// Deltas is what changed from one snapshot to the next. A delta is absent when
// the count was not known at both ends.
type Deltas struct {
	Retweets Count `json:"retweets"`
	Replies  Count `json:"replies"`
	Likes    Count `json:"likes"`
	Quotes   Count `json:"quotes"`
	Views    Count `json:"views"`
}

// Total is the change of the total engagement: retweets + replies + likes +
// quotes. It is absent when all four deltas are.
func (d Deltas) Total() Count {
	var total Count
	for _, c := range [...]Count{d.Retweets, d.Replies, d.Likes, d.Quotes} {
		if c.known {
			total = Known(total.value + c.value)
		}
	}
	return total
}

func (m Metrics) minus(prev Metrics) Deltas {
	return Deltas{
		Retweets: m.Retweets.Minus(prev.Retweets),
		Replies:  m.Replies.Minus(prev.Replies),
		Likes:    m.Likes.Minus(prev.Likes),
		Quotes:   m.Quotes.Minus(prev.Quotes),
		Views:    m.Views.Minus(prev.Views),
	}
}
