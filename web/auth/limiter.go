package auth

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	refusalBurst    = 20
	refusalsEvery   = 3 * time.Second // one, in the long run
	maxAddresses    = 10_000          // remembered, some 200 bytes each
	ipv6NetworkBits = 64              // the smallest network of one customer
)

// Limiter bounds how many refusals an address gets before it is told to back off. IPv6
// addresses count by /64. It remembers the 10,000 addresses that were refused last.
//
// It limits refusals only. A caller with valid credentials is served however many others
// were refused at the same address, so that callers behind one proxy cannot lock each
// other out.
type Limiter struct {
	mu      sync.Mutex
	entries map[netip.Addr]*list.Element // of *addressLimit
	recent  *list.List                   // most recent first
}

type addressLimit struct {
	addr  netip.Addr
	limit *rate.Limiter
}

// NewLimiter returns a Limiter that allows 20 refusals at once, then one every 3 s.
func NewLimiter() *Limiter {
	return &Limiter{entries: make(map[netip.Addr]*list.Element), recent: list.New()}
}

// Refused counts a refusal. It reports whether the address was refused too often, and for
// how long it should then back off.
func (l *Limiter) Refused(addr netip.Addr, now time.Time) (wait time.Duration, tooMany bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit(addr).AllowN(now, 1) {
		return 0, false
	}
	return refusalsEvery, true
}

func (l *Limiter) limit(addr netip.Addr) *rate.Limiter {
	if addr = addr.Unmap(); addr.Is6() {
		if network, err := addr.Prefix(ipv6NetworkBits); err == nil {
			addr = network.Addr()
		}
	}
	if e, known := l.entries[addr]; known {
		l.recent.MoveToFront(e)
		return e.Value.(*addressLimit).limit
	}
	if l.recent.Len() >= maxAddresses {
		oldest := l.recent.Back()
		delete(l.entries, l.recent.Remove(oldest).(*addressLimit).addr)
	}
	a := &addressLimit{addr: addr, limit: rate.NewLimiter(rate.Every(refusalsEvery), refusalBurst)}
	l.entries[addr] = l.recent.PushFront(a)
	return a.limit
}
