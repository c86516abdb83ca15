// Package link puts the connections of processes to what they need through proxies, which
// can cut, stall and slow them.
package link

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Link is the connections of one process to one thing it needs.
type Link struct {
	from, to string
	proxies  []*toxiproxy.Proxy // one an address; more than one for a cluster
}

// Links are all that there are. It is for one goroutine at a time.
type Links struct {
	host   string               // on which the proxies listen
	server *toxiproxy.ApiServer // is never started; proxies ask for it
	links  []*Link
}

// New returns no links yet, which will have their proxies at an address of this machine.
func New(host string) *Links {
	return &Links{host: host, server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())}
}

// Open opens the link of a process to the addresses of what it needs, and returns
// the addresses to use in their place.
func (p *Links) Open(from, to string, upstreams ...string) (addresses []string, err error) {
	l := &Link{from: from, to: to}
	p.links = append(p.links, l)
	for i, upstream := range upstreams {
		proxy := toxiproxy.NewProxy(p.server, fmt.Sprintf("%s-%s-%d", from, to, i), net.JoinHostPort(p.host, "0"), upstream)
		if err := proxy.Start(); err != nil {
			return nil, fmt.Errorf("open a proxy from %s to %s: %w", from, to, err)
		}
		l.proxies = append(l.proxies, proxy)
		addresses = append(addresses, proxy.Listen)
	}
	return addresses, nil
}

// To returns all links to what is named.
func (p *Links) To(to string) (links []*Link) {
	for _, l := range p.links {
		if l.to == to {
			links = append(links, l)
		}
	}
	return links
}

// Find returns the link of a process to what it needs; nil: there is none.
func (p *Links) Find(from, to string) *Link {
	for _, l := range p.links {
		if l.from == from && l.to == to {
			return l
		}
	}
	return nil
}

// Close closes all.
func (p *Links) Close() {
	for _, l := range p.links {
		for _, proxy := range l.proxies {
			proxy.Stop()
		}
	}
}

// Cut closes the connections and refuses new ones, until mended.
func (l *Link) Cut() {
	for _, p := range l.proxies {
		p.Stop()
	}
}

// Mend takes new connections again, at the same addresses.
func (l *Link) Mend() error {
	for _, p := range l.proxies {
		if err := p.Start(); err != nil {
			return fmt.Errorf("mend the connection from %s to %s: %w", l.from, l.to, err)
		}
	}
	return nil
}

const (
	toxicStall = `{"name":"stall-%s","type":"timeout","stream":"%s","attributes":{"timeout":%d}}` // 0: without end
	toxicDelay = `{"name":"delay-%s","type":"latency","stream":"%s","attributes":{"latency":%d}}`
)

// Stall lets connections stand and carries nothing over them.
func (l *Link) Stall() error { return l.poison(toxicStall, 0) }

// Slow delays what goes over the connections, half of it each way.
func (l *Link) Slow(d time.Duration) error { return l.poison(toxicDelay, d) }

func (l *Link) poison(toxic string, d time.Duration) error {
	for _, p := range l.proxies {
		for _, direction := range []string{"upstream", "downstream"} {
			json := fmt.Sprintf(toxic, direction, direction, (d / 2).Milliseconds())
			if _, err := p.Toxics.AddToxicJson(strings.NewReader(json)); err != nil {
				return fmt.Errorf("spoil the connection from %s to %s: %w", l.from, l.to, err)
			}
		}
	}
	return nil
}

// Heal takes a delay away. What is on its way goes on.
func (l *Link) Heal(ctx context.Context) {
	for _, p := range l.proxies {
		p.Toxics.ResetToxics(ctx)
	}
}

// Unstall takes a stall away. It ends the connections, from which bytes are missing.
func (l *Link) Unstall(ctx context.Context) error {
	l.Cut()
	l.Heal(ctx)
	return l.Mend()
}
