package engagement

// Counter names one of the six counts of a tweet.
type Counter int

// The counters, in the order of the fields of [Metrics].
const (
	Retweets Counter = iota
	Replies
	Likes
	Quotes
	Views
	Bookmarks
)

// NumCounters is how many counters a tweet has.
const NumCounters = 6

// Counters lists the counters in order.
func Counters() [NumCounters]Counter {
	return [NumCounters]Counter{Retweets, Replies, Likes, Quotes, Views, Bookmarks}
}

// String returns the name used in JSON: retweets, replies, likes, quotes, views
// or bookmarks.
func (c Counter) String() string {
	if c < 0 || c >= NumCounters {
		return "unknown"
	}
	return Metrics{}.fields()[c].name
}

// Of returns the count of one counter.
func (m Metrics) Of(c Counter) Count {
	switch c {
	case Retweets:
		return m.Retweets
	case Replies:
		return m.Replies
	case Likes:
		return m.Likes
	case Quotes:
		return m.Quotes
	case Views:
		return m.Views
	case Bookmarks:
		return m.Bookmarks
	default:
		return Count{}
	}
}
