package fakeprovider

import "sync"

// The meters charge by the vendors' price lists, in tweets. They know nothing of the engine's
// ledger, which is held against them.

// perDay charges a key for a tweet once in a UTC day.
type perDay struct {
	mu   sync.Mutex
	day  string
	read map[string]bool // by key and tweet
}

// charge returns how many of the tweets the key was not charged for that day.
func (m *perDay) charge(key, day string, ids []string) (tweets int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.day != day {
		m.day, m.read = day, make(map[string]bool)
	}
	for _, id := range ids {
		if of := key + " " + id; !m.read[of] {
			m.read[of] = true
			tweets++
		}
	}
	return tweets
}
