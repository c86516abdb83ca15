package month

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/twitter/fakeprovider"
)

const (
	deletedShare = 0.01 // of the tweets, half a day after their post
	revivedEvery = 4    // one of so many comes back
	deletedFor   = 4 * day

	askEvery   = 500 * time.Millisecond // real time between two requests to the web server
	askTimeout = 30 * time.Second
)

// traffic is what people do: they look at pages, ask for refreshes, and delete tweets.
type traffic struct {
	*run

	url, token string
	client     http.Client
	random     *rand.Rand

	mu       sync.Mutex
	answers  map[string]int // of the web server, by request and status
	deleted  []gone         // the earliest first
	revived  []string
	injected int // tweets of the population that were looked at
}

type gone struct {
	id string
	at time.Time
}

func newTraffic(r *run, url, token string) *traffic {
	return &traffic{
		run: r, url: url, token: token, client: http.Client{Timeout: askTimeout}, answers: make(map[string]int),
		random: rand.New(rand.NewPCG(r.Seed, 0x6d6f6e7468)),
	}
}

// pages are what is asked for in turn.
var pages = []string{
	"/api/twitter/overview", "/api/twitter/tweets?limit=50", "/api/twitter/engagement/top", "/api/twitter/cost", "/api/twitter/zones", "/api/twitter/engagement/update",
}

// ask looks at pages and asks for refreshes until ctx ends.
func (t *traffic) ask(ctx context.Context) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	posted := t.inOrder()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n%2 == 0 {
			path := pages[n/2%len(pages)]
			t.request(ctx, http.MethodGet, path, path)
			continue
		}
		now := t.db.Clock.Now()
		live := between(posted, now.Add(-lifetime), now.Add(-time.Hour))
		if len(live) == 0 {
			continue
		}
		id := live[t.random.IntN(len(live))].ID
		t.request(ctx, http.MethodPost, "refresh", "/api/twitter/tweets/"+id+"/refresh?wait=5s")
		t.request(ctx, http.MethodGet, "curve", "/api/twitter/engagement/"+id)
	}
}

// inOrder returns the tweets by time of post.
func (t *traffic) inOrder() []fakeprovider.Tweet {
	return slices.SortedFunc(t.provider.Population().All(), func(a, b fakeprovider.Tweet) int { return a.CreatedAt.Compare(b.CreatedAt) })
}

// between are those of some tweets in order that were posted in a time.
func between(posted []fakeprovider.Tweet, from, to time.Time) []fakeprovider.Tweet {
	find := func(at time.Time) int {
		n, _ := slices.BinarySearchFunc(posted, at, func(t fakeprovider.Tweet, at time.Time) int { return t.CreatedAt.Compare(at) })
		return n
	}
	return posted[find(from):find(to)]
}

// request makes a request and counts how it ended.
func (t *traffic) request(ctx context.Context, method, name, path string) {
	ended := "no answer"
	req, err := http.NewRequestWithContext(ctx, method, t.url+path, nil)
	if err == nil {
		req.Header.Set("Authorization", "Bearer "+t.token)
		var resp *http.Response
		if resp, err = t.client.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // the answer is of no interest
			_ = resp.Body.Close()
			ended = resp.Status
		}
	}
	if ctx.Err() != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers[name+": "+ended]++
}

// delete takes tweets away from the provider through the run, and brings some back.
func (t *traffic) delete(ctx context.Context) error {
	tick := time.NewTicker(max(t.real(day/4), 100*time.Millisecond))
	defer tick.Stop()
	posted := t.inOrder()
	random := rand.New(rand.NewPCG(t.Seed, 0x64656c65))
	from := t.begin
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := t.db.Clock.Now()
		var lost, back []string
		for _, tweet := range between(posted, from.Add(-12*time.Hour), now.Add(-12*time.Hour)) {
			if random.Float64() < deletedShare {
				lost = append(lost, tweet.ID)
			}
		}
		from = now
		t.mu.Lock()
		for len(t.deleted) > 0 && now.Sub(t.deleted[0].at) > deletedFor {
			if t.injected++; t.injected%revivedEvery == 0 {
				back = append(back, t.deleted[0].id)
			}
			t.deleted = t.deleted[1:]
		}
		for _, id := range lost {
			t.deleted = append(t.deleted, gone{id, now})
		}
		t.revived = append(t.revived, back...)
		t.mu.Unlock()
		if err := t.provider.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{
			{Fault: fakeprovider.Deleted, IDs: lost}, {Fault: fakeprovider.Healthy, IDs: back},
		}}); err != nil {
			return fmt.Errorf("take tweets away: %w", err)
		}
	}
}

// bills sums up what the provider has charged, by month of engine time. It is given the
// provider's log.
type bills struct {
	mu     sync.Mutex
	tweets map[string]int // of each month that were paid for
}

func newBills() *bills { return &bills{tweets: make(map[string]int)} }

// creditsATweet are what the provider charges.
const creditsATweet = 15

// Write reads one record of the provider's log.
func (b *bills) Write(line []byte) (int, error) {
	var r fakeprovider.Record
	if err := json.Unmarshal(line, &r); err != nil {
		return 0, fmt.Errorf("read the provider's log: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tweets[r.At.UTC().Format("2006-01")] += r.Billed / creditsATweet
	return len(line), nil
}

func (b *bills) total() (sum int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.tweets {
		sum += n
	}
	return sum
}

// webhook counts the alerts that it is told of.
type webhook struct {
	url    string
	server *http.Server
	wait   conc.WaitGroup
	err    error
	got    atomic.Int64
}

func startWebhook(ctx context.Context) (*webhook, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for alerts: %w", err)
	}
	h := &webhook{url: "http://" + l.Addr().String() + "/alerts"}
	h.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the alert is of no interest
		h.got.Add(1)
		w.WriteHeader(http.StatusNoContent)
	})}
	h.wait.Go(func() {
		if err := h.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			h.err = err
		}
	})
	return h, nil
}

func (h *webhook) close() error {
	err := h.server.Close()
	h.wait.Wait()
	return errors.Join(err, h.err)
}
