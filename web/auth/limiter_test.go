package auth_test

import (
	"net/netip"
	"testing"
	"time"

	"gorgone/web/auth"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	l := auth.NewLimiter()
	refusals := func(addr string, at time.Time) (allowed int) {
		for range 100 {
			if _, tooMany := l.Refused(netip.MustParseAddr(addr), at); !tooMany {
				allowed++
			}
		}
		return allowed
	}
	for _, c := range []struct {
		name, addr string
		at         time.Duration
		allowed    int
	}{
		{"a burst", "203.0.113.1", 0, 20},
		{"no more at once", "203.0.113.1", time.Second, 0},
		{"another address", "203.0.113.2", 0, 20},
		{"the same in IPv6", "::ffff:203.0.113.1", time.Second, 0},
		{"after a while", "203.0.113.1", 31 * time.Second, 10},
		{"after long", "203.0.113.1", time.Hour, 20},
		{"IPv6", "2001:db8:1:1::1", 0, 20},
		{"its network", "2001:db8:1:1:ffff::2", 0, 0},
		{"the next network", "2001:db8:1:2::1", 0, 20},
	} {
		if got := refusals(c.addr, epoch.Add(c.at)); got != c.allowed {
			t.Errorf("%s: %d allowed, want %d", c.name, got, c.allowed)
		}
	}
	if wait, _ := l.Refused(netip.MustParseAddr("203.0.113.2"), epoch); wait != 3*time.Second {
		t.Errorf("told to wait %s", wait)
	}
	l.Refused(netip.Addr{}, epoch) // a connection without an address
}

// The oldest addresses are forgotten, and only they.
func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l := auth.NewLimiter()
	first := netip.MustParseAddr("10.0.0.0")
	exhaust := func(addr netip.Addr) (tooMany bool) {
		for range 21 {
			_, tooMany = l.Refused(addr, epoch)
		}
		return tooMany
	}
	exhaust(first)
	addr := first
	for range auth.MaxAddresses - 1 {
		addr = addr.Next()
		l.Refused(addr, epoch)
	}
	if n := l.Len(); n != auth.MaxAddresses {
		t.Errorf("%d addresses, want %d", n, auth.MaxAddresses)
	}
	if _, tooMany := l.Refused(first, epoch); !tooMany {
		t.Error("forgotten while there was room")
	}
	for range auth.MaxAddresses * 2 {
		addr = addr.Next()
		l.Refused(addr, epoch)
	}
	if n := l.Len(); n != auth.MaxAddresses {
		t.Errorf("%d addresses, want %d", n, auth.MaxAddresses)
	}
	if _, tooMany := l.Refused(first, epoch); tooMany {
		t.Error("not forgotten")
	}
}
