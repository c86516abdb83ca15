package fakeprovider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

const key = "key-of-the-double"

// serve runs a fake provider of n aged tweets whose clock stands still, and returns their
// ids.
func serve(tb testing.TB, n int, config fakeprovider.Config) (server *fakeprovider.Server, baseURL string, ids []string) {
	tb.Helper()
	p, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: n, Seed: 5, Start: start(), Spread: time.Hour})
	if err != nil {
		tb.Fatal(err)
	}
	for tweet := range p.All() {
		ids = append(ids, tweet.ID)
	}
	config.Population = p
	if config.Now == nil {
		config.Now = noon
	}
	server, err = fakeprovider.NewServer(config)
	if err != nil {
		tb.Fatal(err)
	}
	baseURL, err = server.Listen(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	return server, baseURL, ids
}

func noon() time.Time { return start().Add(4 * time.Hour) }

// client is what both look-up clients can do.
type client interface {
	Lookup(ctx context.Context, ids []string) (twitter.Answer, error)
}

// clients returns a client of each provider.
func clients(tb testing.TB, baseURL string, timeout time.Duration) map[string]client {
	tb.Helper()
	config := twitter.Config{Key: key, BaseURL: baseURL, Timeout: timeout, Now: noon}
	t, err := twitter.NewTwitterAPI(config)
	if err != nil {
		tb.Fatal(err)
	}
	x, err := twitter.NewXAPI(twitter.XConfig{Config: config})
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]client{twitter.TwitterAPIName: t, twitter.XAPIName: x}
}

func inject(tb testing.TB, s *fakeprovider.Server, steering fakeprovider.Injection) {
	tb.Helper()
	if err := s.Inject(steering); err != nil {
		tb.Fatal(err)
	}
}

func TestClientsSeeTheTruth(t *testing.T) {
	t.Parallel()
	for _, newNames := range []bool{false, true} {
		server, baseURL, ids := serve(t, 120, fakeprovider.Config{Key: key, NewNames: newNames})
		all := clients(t, baseURL, 0)
		if newNames {
			x, err := twitter.NewXAPI(twitter.XConfig{Config: twitter.Config{Key: key, BaseURL: baseURL, Now: noon}, FieldsParam: twitter.PostFields})
			if err != nil {
				t.Fatal(err)
			}
			all[twitter.XAPIName] = x
		}
		for name, c := range all {
			a, err := c.Lookup(t.Context(), ids)
			if err != nil || len(a.Found) != len(ids) || len(a.Missing)+len(a.Unresolved) != 0 {
				t.Fatalf("%s: found %d of %d, %v", name, len(a.Found), len(ids), err)
			}
			for _, f := range a.Found {
				want, _ := server.Population().MetricsAt(f.ID, noon())
				tweet, _ := server.Population().Tweet(f.ID)
				if f.Metrics != want || !f.At.Equal(noon()) {
					t.Fatalf("%s: %s is %v at %s, want %v", name, f.ID, f.Metrics, f.At, want)
				}
				// twitterapi.io gives seconds.
				if d := tweet.CreatedAt.Sub(f.CreatedAt); d < 0 || d >= time.Second {
					t.Fatalf("%s: %s created at %s, want %s", name, f.ID, f.CreatedAt, tweet.CreatedAt)
				}
			}
		}
	}
}

// TestCredits spends an account down to nothing.
func TestCredits(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	server, baseURL, ids := serve(t, 10, fakeprovider.Config{Credits: 15*10 + 15 + 20, Log: &lines, Key: key})
	c, err := twitter.NewTwitterAPI(twitter.Config{Key: key, BaseURL: baseURL})
	if err != nil {
		t.Fatal(err)
	}
	spend := func(ids []string, left int64) {
		t.Helper()
		if _, err := c.Lookup(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		credits, err := c.Balance(t.Context())
		if err != nil || credits.Left != left || server.Stats().Credits != left {
			t.Fatalf("left %+v, %v; want %d", credits, err, left)
		}
	}
	spend(ids, 35)
	spend([]string{"17"}, 20) // an answer without a tweet is billed as one
	spend(ids[:1], 5)
	if _, err := c.Lookup(t.Context(), ids); !errors.Is(err, twitter.ErrOutOfCredit) {
		t.Errorf("with 5 credits left: %v", err)
	}
	more := int64(1000)
	inject(t, server, fakeprovider.Injection{Credits: &more})
	if _, err := c.Lookup(t.Context(), ids); err != nil {
		t.Errorf("after more was paid: %v", err)
	}
	s := server.Stats()
	if s.Billed != 150+15+15+150 || s.Returned != 21 || s.Asked != 32 || s.Calls != 8 {
		t.Errorf("stats %+v", s)
	}

	server.Close() // nothing writes to the log any more
	records := json.NewDecoder(&lines)
	for _, want := range server.Calls() {
		var got fakeprovider.Record
		if err := records.Decode(&got); err != nil || got.Seq != want.Seq || got.Billed != want.Billed || !slices.Equal(got.IDs, want.IDs) {
			t.Fatalf("log has %+v, %v; want %+v", got, err, want)
		}
		if len(got.Key) != 8 || strings.Contains(lines.String(), key) {
			t.Fatalf("key %q in the log", got.Key)
		}
	}
}

// arrivals is a log of calls that tells when one has arrived.
type arrivals chan struct{}

// TestCloseEndsHangingCalls would hang itself if it did not.
func TestCloseEndsHangingCalls(t *testing.T) {
	t.Parallel()
	arrived := make(arrivals, 1)
	server, baseURL, ids := serve(t, 3, fakeprovider.Config{Latency: time.Millisecond, Jitter: time.Millisecond, Log: arrived})
	inject(t, server, fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.Hang, Next: 1}}})
	ended := make(chan error, 1)
	c := clients(t, baseURL, time.Minute)[twitter.TwitterAPIName]
	go func() {
		_, err := c.Lookup(t.Context(), ids)
		ended <- err
	}()
	<-arrived
	server.Close()
	if err := <-ended; !errors.Is(err, twitter.ErrProviderFault) {
		t.Errorf("the hanging call ended with %v", err)
	}
}

func TestServerConfig(t *testing.T) {
	t.Parallel()
	p, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: 1, Start: start()})
	if err != nil {
		t.Fatal(err)
	}
	for name, config := range map[string]fakeprovider.Config{
		"no population": {},
		"negative":      {Population: p, Latency: -1},
		"rate":          {Population: p, Rate: 1e9},
	} {
		if _, err := fakeprovider.NewServer(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
