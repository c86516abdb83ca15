package fakeprovider

import (
	"maps"
	"sync"
	"time"
)

// The meters charge by the vendors' price lists, in tweets. They know nothing of the engine's
// ledger, which is held against them.

// perDay charges a key for a tweet once in a UTC day.
type perDay struct {
	mu   sync.Mutex
	read map[time.Time]map[string]bool // by day, and by key and tweet
}

// charge returns how many of the tweets the key was not charged for on the day of a time. Around
// midnight calls of both days come beside one another, so the day before is remembered.
func (m *perDay) charge(key string, at time.Time, ids []string) (tweets int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	day := at.UTC().Truncate(24 * time.Hour)
	read := m.read[day]
	if read == nil {
		maps.DeleteFunc(m.read, func(old time.Time, _ map[string]bool) bool { return old.Before(day.AddDate(0, 0, -1)) })
		read = make(map[string]bool)
		m.read[day] = read
	}
	for _, id := range ids {
		if of := key + " " + id; !read[of] {
			read[of] = true
			tweets++
		}
	}
	return tweets
}
