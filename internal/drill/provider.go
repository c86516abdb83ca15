package drill

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/twitter/twittertest"
)

// providerKey is the key that the double asks for. It opens nothing else.
const providerKey = "the-key-of-the-drill's-provider"

// provider is the double of the provider, with an entrance for each process, so
// that its log tells who called.
type provider struct {
	*twittertest.Server

	population *twittertest.Population
	servers    []*http.Server
	serving    conc.WaitGroup
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
	p.population, err = twittertest.NewSynthetic(twittertest.Options{
		N: w.Tweets, Seed: w.Seed, Start: w.clock.Now().Add(-p.spread - time.Hour), Spread: p.spread,
	})
	if err != nil {
		return nil, err
	}
	p.Server, err = twittertest.NewServer(twittertest.Config{
		Population: p.population, Now: w.clock.Now, Key: providerKey, MaxIDs: idsPerCall, RetryAfter: true,
		Latency: 30 * time.Millisecond, Jitter: 40 * time.Millisecond, Seed: w.Seed, LogSize: maxCalls,
	})
	return p, err
}

// front opens an entrance for one process, and returns its address.
func (p *provider) front(ctx context.Context, process string) (address string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the provider double: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
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
}

// calls returns the log.
func (p *provider) calls() []twittertest.Record { return p.Calls() }

// remove deletes tweets, and restore brings them back.
func (p *provider) remove(ids []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Noted before it is so: nobody can find out earlier.
	now := time.Now()
	for _, id := range ids {
		p.deleted[id] = append(p.deleted[id], absence{from: now})
	}
	return p.Steer(twittertest.Steering{Tweets: []twittertest.TweetSteering{{Fault: twittertest.Deleted, IDs: ids}}})
}

func (p *provider) restore(ids []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.Steer(twittertest.Steering{Tweets: []twittertest.TweetSteering{{Fault: twittertest.Healthy, IDs: ids}}})
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
