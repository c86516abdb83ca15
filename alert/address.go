package alert

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// CheckURL returns what is wrong with the address of a webhook: it must be https,
// or http to this machine. The error does not show it: it may be a secret.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return errors.New("a webhook's address is not a URL such as https://example.com/alerts")
	case u.User != nil:
		return errors.New("a webhook's address must not hold a user or password")
	case u.Fragment != "":
		return errors.New("a webhook's address must not have a #fragment")
	case u.Scheme == "https", u.Scheme == "http" && local(u.Hostname()):
		return nil
	default:
		return errors.New("a webhook's address must be https (http only to 127.0.0.1, ::1 or localhost)")
	}
}

// Host is what of an address may be shown.
func Host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "?"
	}
	return u.Scheme + "://" + u.Host + "/…"
}

func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// errPrivate is what a connection to an address inside a network is refused with.
var errPrivate = errors.New("the address is inside a private network (GORGONE_WEBHOOK_PRIVATE allows that)")

// shared are addresses that are neither public nor private by Go's word: RFC 6598
// (carriers), RFC 2544 (benchmarks), RFC 6890 and the translations of IPv4 that
// would lead around this guard.
var shared = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
}

// public reports whether an address is on the internet.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	for _, p := range shared {
		if p.Contains(ip) {
			return false
		}
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate()
}

// newClient returns a client that goes to public addresses only (and to this
// machine, where the URL says so), whatever a name resolves to at that moment. It
// follows no redirect and uses no proxy: either would lead around the guard.
func newClient(timeout time.Duration, private bool) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
		d := net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("dial: %w", err)
			}
			ip := to.Addr().WithZone("")
			if public(ip) || private && ip.Unmap().IsPrivate() || local(host) && ip.Unmap().IsLoopback() {
				return nil
			}
			return errPrivate
		}}
		return d.DialContext(ctx, network, address)
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext: dial, TLSHandshakeTimeout: timeout, ResponseHeaderTimeout: timeout,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
