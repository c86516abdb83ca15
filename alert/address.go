package alert

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
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

// CheckNew is CheckURL for an address that is to be added, of which the port is checked
// too.
func CheckNew(address string) error {
	if err := CheckURL(address); err != nil {
		return err
	}
	if u, err := url.Parse(address); err != nil || !local(u.Hostname()) && !goodPort(u.Port()) {
		return errors.New("a webhook's address has a port that no web server has: use 443, 80, or one from 1024 to 65535")
	}
	return nil
}

// goodPort reports whether a web server may be behind a port: those below 1024 are other
// protocols', which a posted text could be taken for.
func goodPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && (n == 80 || n == 443 || n >= 1024)
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
// (carriers), RFC 2544 (benchmarks), RFC 6890, site-local ones (RFC 3879), and what
// carries IPv4 in IPv6 and would lead around this guard: compatible and translated
// addresses, NAT64, 6to4, Teredo and other tunnels.
var shared = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("::ffff:0:0:0/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
}

// metadata reports whether an address is that of a cloud's metadata service, which hands
// out credentials: it is private by its form, and no webhook's.
func metadata(ip netip.Addr) bool {
	return ip == netip.MustParseAddr("fd00:ec2::254") || ip == netip.MustParseAddr("fd20:ce::254")
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
			if public(ip) || private && ip.Unmap().IsPrivate() && !metadata(ip) || local(host) && ip.Unmap().IsLoopback() {
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
