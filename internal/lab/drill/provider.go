package drill

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/twitter/fakeprovider"
)

// providerKey is the key that the fake provider asks for. It opens nothing else.
const providerKey = "the-key-of-the-drill's-provider"

// provider is the fake provider, with an entrance for each process, so
// that its log tells who called.
type provider struct {
	*fakeprovider.Server

	population *fakeprovider.Population
	identity   tls.Certificate // by which it speaks HTTPS: no client sends its key to another host without
	roots      string          // file by which clients know it; "": it speaks HTTP
	servers    []*http.Server
	serving    conc.WaitGroup
	log        *os.File
	spread     time.Duration // of the tweets' posting times, engine time

	mu      sync.Mutex
	deleted map[string][]absence // by tweet
}

// absence is a time for which a tweet was deleted, in real time.
type absence struct{ from, to time.Time }

// maxCalls is how many calls the log keeps: more than a day's.
const maxCalls = 10_000_000

func newProvider(w *world) (*provider, error) {
	p := &provider{deleted: make(map[string][]absence)}
	p.spread = 2 * w.Every * speed
	var err error
	p.population, err = fakeprovider.NewSynthetic(fakeprovider.Options{
		N: w.Tweets, Seed: w.Seed, Start: w.clock.Now().Add(-p.spread - time.Hour), Spread: p.spread,
	})
	if err != nil {
		return nil, err
	}
	if p.log, err = os.OpenFile(filepath.Join(w.Dir, "logs", "calls.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
		return nil, fmt.Errorf("open the provider's log: %w", err)
	}
	p.Server, err = fakeprovider.NewServer(fakeprovider.Config{
		Population: p.population, Now: w.clock.Now, Key: providerKey, MaxIDs: idsPerCall, RetryAfter: true,
		Latency: 30 * time.Millisecond, Jitter: 40 * time.Millisecond, Seed: w.Seed, LogSize: maxCalls,
		Log: p.log,
	})
	if err != nil || !w.Hosts {
		return p, err
	}
	p.roots = filepath.Join(w.Dir, "roots.pem")
	p.identity, err = w.network.Identity(time.Now(), p.roots)
	return p, err
}

// reached is the environment of a process that reaches the provider at an address.
func (p *provider) reached(address string) []string {
	if p.roots == "" {
		return []string{"TWITTER_API_URL=http://" + address}
	}
	return []string{"TWITTER_API_URL=https://" + address, "SSL_CERT_FILE=" + p.roots}
}

// front opens an entrance for one process, and returns its address.
func (p *provider) front(ctx context.Context, process string) (address string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the fake provider: %w", err)
	}
	if p.roots != "" {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{p.identity}, MinVersion: tls.VersionTLS13})
	}
	quiet := log.New(io.Discard, "", 0) // of handshakes that were cut
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = process
		p.ServeHTTP(rw, r)
	})}
	p.servers = append(p.servers, server)
	p.serving.Go(func() { _ = server.Serve(listener) }) // until closed
	return listener.Addr().String(), nil
}

func (p *provider) close() {
	p.Close() // lets go of calls that hang
	for _, s := range p.servers {
		_ = s.Close()
	}
	p.serving.Wait()
	_ = p.log.Close() // it is for people, and the checks have all of it
}

// calls returns the log.
func (p *provider) calls() []fakeprovider.Record { return p.Calls() }

// remove deletes tweets.
func (p *provider) remove(ids []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Recorded before it is so: it cannot be observed earlier.
	now := time.Now()
	for _, id := range ids {
		p.deleted[id] = append(p.deleted[id], absence{from: now})
	}
	return p.spoil(fakeprovider.Deleted, ids)
}

// spoil lets something be wrong with tweets, until they are healed.
func (p *provider) spoil(f fakeprovider.TweetFault, ids []string) error {
	return p.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{{Fault: f, IDs: ids}}})
}

// healed ends what is wrong with tweets, but that they are deleted.
func (p *provider) healed(ids []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var there []string
	for _, id := range ids {
		if !p.absent(id) {
			there = append(there, id)
		}
	}
	return p.spoil(fakeprovider.Healthy, there)
}

// restore brings tweets back.
func (p *provider) restore(ids []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.spoil(fakeprovider.Healthy, ids)
	now := time.Now()
	for _, id := range ids {
		if last := len(p.deleted[id]) - 1; last >= 0 {
			p.deleted[id][last].to = now
		}
	}
	return err
}

// isDeleted reports whether the tweet is deleted now.
func (p *provider) isDeleted(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.absent(id)
}

// absent is isDeleted for those that hold the lock.
func (p *provider) absent(id string) bool {
	list := p.deleted[id]
	return len(list) > 0 && list[len(list)-1].to.IsZero()
}

// absences returns when which tweets were deleted.
func (p *provider) absences() map[string][]absence {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[string][]absence, len(p.deleted))
	for id, list := range p.deleted {
		all[id] = append([]absence(nil), list...)
	}
	return all
}
