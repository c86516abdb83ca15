package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/queue"
)

// wireCost is what the worker exchanges with the database.
type wireCost struct {
	roundTrips, bytes float64 // a tweet
	tweets            int
}

// wireTweets is how many tweets the cost is measured over.
const wireTweets = 5000

// measureWire lets a worker in this process apply some batches through a relay
// that counts, which would be in the way of measuring speed.
func (b *benchRun) measureWire(ctx context.Context) (wireCost, error) {
	direct, err := url.Parse(string(b.cfg.Database.URL))
	if err != nil {
		return wireCost{}, fmt.Errorf("read the private database's url: %w", err)
	}
	relay, err := newRelay(ctx, direct.Host)
	if err != nil {
		return wireCost{}, err
	}
	defer relay.close()
	counted := *b.app
	through, err := viaHost(string(b.cfg.Database.URL), relay.addr())
	if err != nil {
		return wireCost{}, err
	}
	counted.cfg.Database.URL = secret(through)
	var open resources
	defer open.close()
	p := parts{messaging: b.messaging}
	if p.database, err = counted.openDatabase(ctx, "bench", &open); err != nil {
		return wireCost{}, err
	}
	if p.lookups, err = counted.openLookups(ctx, p.messaging, p.clock, &open); err != nil {
		return wireCost{}, err
	}
	counted.log = counted.log.Level(zerolog.ErrorLevel)
	w, err := counted.newWorker(ctx, p)
	if err != nil {
		return wireCost{}, err
	}
	working, stop := context.WithCancel(ctx)
	var running conc.WaitGroup
	running.Go(func() { w.Run(working) })
	defer running.Wait()
	defer stop()

	trips, bytes := relay.trips.Load(), relay.bytes.Load()
	batches, err := b.claim(ctx, wireTweets)
	if err != nil {
		return wireCost{}, err
	}
	var messages []queue.Batch
	var tweets int
	for _, batch := range batches {
		m := queue.Batch{ID: batch.ClaimID, Until: batch.Until}
		for _, t := range batch.Tweets {
			m.Tweets = append(m.Tweets, queue.Tweet{ID: t.TweetID, Rows: t.Rows})
		}
		tweets += len(m.Tweets)
		messages = append(messages, m)
	}
	if _, err := b.queue.PublishBatches(ctx, messages); err != nil {
		return wireCost{}, err
	}
	for w.Progress().Applied < int64(tweets) {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return wireCost{}, err
		}
	}
	return wireCost{
		roundTrips: float64(relay.trips.Load()-trips) / float64(tweets),
		bytes:      float64(relay.bytes.Load()-bytes) / float64(tweets),
		tweets:     tweets,
	}, nil
}

// relay passes connections on and counts what goes over them. A round trip is a
// turn from the server's talking to the client's.
type relay struct {
	listener     net.Listener
	target       string
	trips, bytes atomic.Int64
	wait         conc.WaitGroup
	mu           sync.Mutex
	conns        []net.Conn
}

func newRelay(ctx context.Context, target string) (*relay, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the counting relay: %w", err)
	}
	r := &relay{listener: l, target: target}
	r.wait.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			server, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, client, server)
			r.mu.Unlock()
			var asked atomic.Bool
			r.wait.Go(func() { r.pass(server, client, func() { asked.Store(true) }) })
			r.wait.Go(func() {
				r.pass(client, server, func() {
					if asked.Swap(false) {
						r.trips.Add(1)
					}
				})
			})
		}
	})
	return r, nil
}

func (r *relay) addr() string { return r.listener.Addr().String() }

func (r *relay) pass(to io.WriteCloser, from io.Reader, turn func()) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			turn()
			r.bytes.Add(int64(n))
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.wait.Wait()
}
