package drill

import (
	"context"
	"fmt"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is the connections of one process to one thing it needs, through a proxy
// that can cut, stall and slow them.
type link struct {
	from, to string
	proxies  []*toxiproxy.Proxy // one an address; more than one for a cluster
}

// proxies makes links.
type proxies struct {
	server *toxiproxy.ApiServer // is never started; proxies ask for it
	links  []*link
}

func newProxies() *proxies {
	return &proxies{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())}
}

// open opens the link of a process to the addresses of what it needs, and returns
// the addresses to use in their place.
func (p *proxies) open(from, to string, upstreams ...string) (addresses []string, err error) {
	l := &link{from: from, to: to}
	p.links = append(p.links, l)
	for i, upstream := range upstreams {
		proxy := toxiproxy.NewProxy(p.server, fmt.Sprintf("%s-%s-%d", from, to, i), "127.0.0.1:0", upstream)
		if err := proxy.Start(); err != nil {
			return nil, fmt.Errorf("open a proxy from %s to %s: %w", from, to, err)
		}
		l.proxies = append(l.proxies, proxy)
		addresses = append(addresses, proxy.Listen)
	}
	return addresses, nil
}

func (p *proxies) find(from, to string) *link {
	for _, l := range p.links {
		if l.from == from && l.to == to {
			return l
		}
	}
	return nil
}

func (p *proxies) close() {
	for _, l := range p.links {
		for _, proxy := range l.proxies {
			proxy.Stop()
		}
	}
}

// cut closes the connections and refuses new ones, until mended.
func (l *link) cut() {
	for _, p := range l.proxies {
		p.Stop()
	}
}

// mend takes new connections again, at the same addresses.
func (l *link) mend() error {
	for _, p := range l.proxies {
		if err := p.Start(); err != nil {
			return fmt.Errorf("mend the connection from %s to %s: %w", l.from, l.to, err)
		}
	}
	return nil
}

const (
	toxicStall = `{"name":"%s-%s","type":"timeout","stream":"%s","attributes":{"timeout":0}}`
	toxicDelay = `{"name":"%s-%s","type":"latency","stream":"%s","attributes":{"latency":%d}}`
)

// stall lets connections stand and carries nothing over them.
func (l *link) stall() error { return l.poison(stall, 0) }

// slow delays what goes over the connections, half of it each way.
func (l *link) slow(d time.Duration) error { return l.poison(delay, d) }

func (l *link) poison(k kind, d time.Duration) error {
	for _, p := range l.proxies {
		for _, direction := range []string{"upstream", "downstream"} {
			json := fmt.Sprintf(toxicStall, k, direction, direction)
			if k == delay {
				json = fmt.Sprintf(toxicDelay, k, direction, direction, (d / 2).Milliseconds())
			}
			if _, err := p.Toxics.AddToxicJson(strings.NewReader(json)); err != nil {
				return fmt.Errorf("spoil the connection from %s to %s: %w", l.from, l.to, err)
			}
		}
	}
	return nil
}

// heal takes a delay away. What is on its way goes on.
func (l *link) heal(ctx context.Context) {
	for _, p := range l.proxies {
		p.Toxics.ResetToxics(ctx)
	}
}

// unstall takes a stall away. It ends the connections, from which bytes are missing.
func (l *link) unstall(ctx context.Context) error {
	l.cut()
	l.heal(ctx)
	return l.mend()
}
