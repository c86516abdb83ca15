package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops bounds how many addresses of X-Forwarded-For are read.
const maxHops = 32

// Proxies are the networks of the trusted proxies in front of this server. Only their
// X-Forwarded-For headers are used. The zero value trusts no proxy.
type Proxies []netip.Prefix

// ParseProxies reads networks (10.0.0.0/8) and addresses (10.0.0.1), and returns
// all faults at once.
func ParseProxies(list []string) (Proxies, error) {
	var proxies Proxies
	var faults []error
	for i, s := range list {
		s = strings.TrimSpace(s)
		network, err := netip.ParsePrefix(s)
		if addr, addrErr := netip.ParseAddr(s); err != nil && addrErr == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		switch {
		case err != nil || network.Addr().Is4In6():
			faults = append(faults, fmt.Errorf("trusted proxy %d is neither a network such as 10.0.0.0/8 nor an address", i+1))
		case network.Bits() == 0:
			faults = append(faults, fmt.Errorf("trusted proxy %d is the whole Internet: anybody could claim any address", i+1))
		default:
			proxies = append(proxies, network.Masked())
		}
	}
	return proxies, errors.Join(faults...)
}

// ClientAddr returns the address that a request comes from: that of the
// connection or, while that is a trusted proxy's, the one that the proxy reports in
// X-Forwarded-For. That header is read from its end, where the nearest proxy writes; what
// precedes the first address that is not a proxy's may be forged. It is the
// zero Addr when the connection has no address.
func (p Proxies) ClientAddr(r *http.Request) netip.Addr {
	client := parseHop(r.RemoteAddr)
	if !p.trusts(client) {
		return client
	}
	lines := r.Header.Values("X-Forwarded-For")
	hops := 0
	for _, line := range slices.Backward(lines) {
		for rest := line; rest != ""; {
			var hop string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				rest, hop = "", rest
			}
			addr := parseHop(strings.TrimSpace(hop))
			if hops++; !addr.IsValid() || hops > maxHops {
				return client // the last known one
			}
			if client = addr; !p.trusts(client) {
				return client
			}
		}
	}
	return client
}

func (p Proxies) trusts(addr netip.Addr) bool {
	if !addr.IsValid() {
		return false
	}
	for _, network := range p {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without a port.
func parseHop(s string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
