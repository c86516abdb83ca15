package twitter

import (
	"errors"
	"sync"
	"time"
)

const (
	// limitFor is how long a limit that was met is kept to before a larger call is tried: a node
	// on the way that refuses long calls for a moment must not make all calls small for good.
	limitFor = time.Hour

	// defaultFor is the same for a provider's default, which is what its documents or measurements
	// say: it may have become too small. A refused call is not billed; it costs a slot of the rate.
	defaultFor = 24 * time.Hour
)

// Larger reports whether a call may be made for more ids than [client.MaxIDs], to find out
// whether the provider takes them; it says so to one caller in an hour after a limit was met, and
// in a day beyond the provider's default. A number of ids from the settings is not exceeded. What
// the provider takes becomes MaxIDs, and the next larger call may be made at once.
func (c *client) Larger(ids int) bool { return c.maxIDs.larger(ids, c.config.Now()) }

// took notes that the provider took a call of so many ids.
func (c *client) took(ids int) {
	if c.maxIDs.raise(ids, c.config.Now()) {
		c.config.OnMaxIDs(ids)
	}
}

// learn changes the number of ids a call if err is the refusal of too many. It
// reports whether the ids should be sent again.
func (c *client) learn(err error, asked int) bool {
	refusal, ok := errors.AsType[*BadRequestError](err)
	if !ok {
		return false
	}
	limit := c.limit(refusal, asked)
	if tooLong(refusal.Status) {
		limit = asked / 2
		if asked < 2 {
			c.maxIDs.forget() // it was not the number of ids
		}
	}
	if asked < 2 || limit == 0 {
		return false
	}
	if c.maxIDs.refused(asked, limit, c.config.Now()) {
		c.config.OnMaxIDs(limit)
	}
	return true
}

// idLimit is how many ids a call takes: what it begins with, until a call was refused for the
// number of its ids, or a larger one was taken.
type idLimit struct {
	setting int // what it begins with
	most    int // what is tried at most

	mu     sync.Mutex
	learnt int       // 0: nothing
	next   time.Time // no larger call before; zero: the first question sets it
}

// newIDLimit begins with the settings' number of ids, which nothing exceeds, or with a default,
// which the provider may.
func newIDLimit(settings Config, isDefault bool) *idLimit {
	l := &idLimit{setting: settings.MaxIDs, most: settings.MaxIDs}
	if isDefault {
		l.most = maxIDs
	}
	return l
}

func (l *idLimit) get() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current()
}

func (l *idLimit) current() int {
	if l.learnt > 0 {
		return l.learnt
	}
	return l.setting
}

// rest is how long a number of ids is kept to.
func (l *idLimit) rest(ids int) time.Duration {
	if ids < l.setting {
		return limitFor
	}
	return defaultFor
}

// larger reports whether a call of so many ids may be tried, to one caller at a time. One that
// is hardly larger is not worth a refusal.
func (l *idLimit) larger(ids int, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	current := l.current()
	switch {
	case ids > l.most || ids > 2*current || 2*ids < 3*current:
		return false
	case l.next.IsZero():
		l.next = now.Add(l.rest(current))
		return false
	case now.Before(l.next):
		return false
	}
	l.next = now.Add(l.rest(current)) // until it is known how that one ended
	return true
}

// raise learns that a call of so many ids was taken. It reports whether that is more than was
// known.
func (l *idLimit) raise(ids int, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ids <= l.current() {
		return false
	}
	l.learnt, l.next = ids, now
	return true
}

// refused learns a limit from the refusal of a call. It reports whether that changes what was
// known.
func (l *idLimit) refused(asked, limit int, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if current := l.current(); asked > current || limit >= current {
		return false // another call learnt it meanwhile, or it was a larger one that was tried
	}
	l.learnt, l.next = limit, now.Add(l.rest(limit))
	return true
}

func (l *idLimit) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.learnt = 0
}
