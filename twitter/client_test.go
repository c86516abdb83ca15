package twitter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

const key = "secret-key-of-the-test"

func noon() time.Time { return time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC) }

// provider runs a fake provider of 300 tweets.
func provider(tb testing.TB, config fakeprovider.Config) (server *fakeprovider.Server, baseURL string, ids []string) {
	tb.Helper()
	p, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: 300, Seed: 1, Start: noon().Add(-time.Hour)})
	if err != nil {
		tb.Fatal(err)
	}
	for tweet := range p.All() {
		ids = append(ids, tweet.ID)
	}
	config.Population, config.Now, config.Key = p, noon, key
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

// handler serves one answer for everything.
func handler(tb testing.TB, h http.HandlerFunc) (baseURL string) {
	tb.Helper()
	server := httptest.NewServer(h)
	tb.Cleanup(server.Close)
	return server.URL
}

func twitterAPI(tb testing.TB, config twitter.Config) *twitter.TwitterAPI {
	tb.Helper()
	config.Key = key
	c, err := twitter.NewTwitterAPI(config)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func xAPI(tb testing.TB, config twitter.Config) *twitter.XAPI {
	tb.Helper()
	config.Key = key
	c, err := twitter.NewXAPI(twitter.XConfig{Config: config})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// gate counts, and fails from some pass on.
type gate struct {
	mu     sync.Mutex
	passed int
	limit  int // 0: none
	err    error
	hook   func()
}

func (g *gate) Wait(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limit > 0 && g.passed >= g.limit {
		return g.err
	}
	g.passed++
	if g.hook != nil {
		g.hook()
	}
	return ctx.Err()
}

func TestLookupSplitsIDs(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := provider(t, fakeprovider.Config{})
	g := &gate{}
	for name, c := range map[string]struct {
		lookup func(context.Context, []string) (twitter.Answer, error)
		sizes  []int
	}{
		"twitterapi.io": {twitterAPI(t, twitter.Config{BaseURL: baseURL}).Through(g).Lookup, []int{50, 50, 50, 50, 50, 20}},
		"x":             {xAPI(t, twitter.Config{BaseURL: baseURL}).Through(g).Lookup, []int{100, 100, 70}},
		"socialdata":    {socialData(t, twitter.Config{BaseURL: baseURL}).Through(g).Lookup, []int{100, 100, 70}},
		"x by 90":       {xAPI(t, twitter.Config{BaseURL: baseURL + "/", MaxIDs: 90}).Lookup, []int{90, 90, 90}},
	} {
		before := server.Stats().Calls
		a, err := c.lookup(t.Context(), ids[:270])
		if err != nil || len(a.Found) != 270 || a.Calls != len(c.sizes) || a.Billed != 270 {
			t.Fatalf("%s: found %d in %d calls, billed %d, %v", name, len(a.Found), a.Calls, a.Billed, err)
		}
		var sizes []int
		var asked []string
		for _, call := range server.Calls()[before:] {
			sizes = append(sizes, len(call.IDs))
			asked = append(asked, call.IDs...)
		}
		if !slices.Equal(sizes, c.sizes) || !slices.Equal(asked, ids[:270]) {
			t.Errorf("%s: calls of %v ids", name, sizes)
		}
	}
	if g.passed != 12 {
		t.Errorf("the gate was passed %d times for 12 calls", g.passed)
	}
	remotes := make(map[string]bool)
	for _, call := range server.Calls() {
		remotes[call.Remote] = true
	}
	if len(remotes) != 4 {
		t.Errorf("4 clients used %d connections", len(remotes))
	}
	if a, err := twitterAPI(t, twitter.Config{BaseURL: baseURL}).Lookup(t.Context(), nil); err != nil || a.Calls != 0 {
		t.Errorf("a look-up of nothing: %+v, %v", a, err)
	}
}

func TestLookupSendsOnlyGoodIDsOnce(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := provider(t, fakeprovider.Config{})
	asked := []string{ids[0], "abc", ids[1], ids[0], "", "12&key=x", "abc", "99999999999999999999", ids[1]}
	a, err := twitterAPI(t, twitter.Config{BaseURL: baseURL}).Lookup(t.Context(), asked)
	if err != nil || len(a.Found) != 2 || len(a.Missing) != 0 || len(a.Unresolved) != 4 {
		t.Fatalf("%+v, %v", a, err)
	}
	for _, u := range a.Unresolved {
		if !errors.Is(u.Err, engagement.ErrTweetID) {
			t.Errorf("%q: %v", u.ID, u.Err)
		}
	}
	if sent := server.Calls()[0].IDs; !slices.Equal(sent, ids[:2]) {
		t.Errorf("sent %v", sent)
	}
	if a, err := xAPI(t, twitter.Config{BaseURL: baseURL}).Lookup(t.Context(), []string{"x"}); err != nil || a.Calls != 0 || len(a.Unresolved) != 1 {
		t.Errorf("with no good id: %+v, %v", a, err)
	}
}

func TestLookupKeepsWhatItGot(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := provider(t, fakeprovider.Config{})
	c := twitterAPI(t, twitter.Config{BaseURL: baseURL})
	if err := server.Inject(fakeprovider.Injection{
		Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.BadTweet, IDs: []string{ids[60]}}},
	}); err != nil {
		t.Fatal(err)
	}
	a, err := c.Lookup(t.Context(), ids)
	bad, ok := errors.AsType[*twitter.BadRequestError](err)
	if !ok || bad.Status != 400 || len(a.Found) != 50 || len(a.Unresolved) != 250 || a.Calls != 2 || a.Billed != 50 {
		t.Fatalf("found %d, unresolved %d in %d calls: %v", len(a.Found), len(a.Unresolved), a.Calls, err)
	}
	if got := server.Stats().Calls; got != 2 {
		t.Errorf("went on after the failure: %d calls", got)
	}
	for _, u := range a.Unresolved {
		i := slices.Index(ids, u.ID)
		if notAsked := errors.Is(u.Err, twitter.ErrNotAsked); notAsked != (i >= 100) || !errors.As(u.Err, &bad) {
			t.Fatalf("id %d: %v", i, u.Err)
		}
	}
}

func TestLookupLearnsTheLimit(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := provider(t, fakeprovider.Config{MaxIDs: 20})
	var told []int
	c := twitterAPI(t, twitter.Config{BaseURL: baseURL, OnMaxIDs: func(n int) { told = append(told, n) }})
	g := &gate{}
	view := c.Through(g)
	a, err := view.Lookup(t.Context(), ids[:100])
	if err != nil || len(a.Found) != 100 || a.Calls != 6 || g.passed != 6 {
		t.Fatalf("found %d in %d calls with %d passes: %v", len(a.Found), a.Calls, g.passed, err)
	}
	if c.MaxIDs() != 20 || view.MaxIDs() != 20 || !slices.Equal(told, []int{20}) {
		t.Errorf("%d ids a call, told %v", c.MaxIDs(), told)
	}
	if a, err := c.Lookup(t.Context(), ids[:40]); err != nil || a.Calls != 2 || server.Stats().Calls != 8 {
		t.Errorf("afterwards %d calls, %v", a.Calls, err)
	}
}

// TestLookupLearnsThatMoreFit: a default that has become too small is found out after a day, and
// a number from the settings is never exceeded.
func TestLookupLearnsThatMoreFit(t *testing.T) {
	t.Parallel()
	_, baseURL, ids := provider(t, fakeprovider.Config{MaxIDs: 80})
	now := noon()
	var told []int
	config := twitter.Config{BaseURL: baseURL, Now: func() time.Time { return now }, OnMaxIDs: func(n int) { told = append(told, n) }}
	c := twitterAPI(t, config)
	config.MaxIDs = 50
	set := twitterAPI(t, config)
	if c.Larger(100) || set.Larger(51) {
		t.Error("a larger call is tried at once")
	}
	now = now.Add(24 * time.Hour)
	if set.Larger(75) || c.Larger(51) || c.Larger(101) || !c.Larger(100) {
		t.Error("a day later, want one call that is worth it")
	}
	if _, err := c.LookupOnce(t.Context(), ids[:100]); !errors.Is(err, twitter.ErrTooManyIDs) || c.MaxIDs() != 50 {
		t.Errorf("%d a call after a refusal: %v", c.MaxIDs(), err)
	}
	if now = now.Add(23 * time.Hour); c.Larger(80) {
		t.Error("tried again within the day")
	}
	if now = now.Add(time.Hour); !c.Larger(80) {
		t.Error("not tried again the next day")
	}
	if a, err := c.LookupOnce(t.Context(), ids[:80]); err != nil || len(a.Found) != 80 || c.MaxIDs() != 80 || !slices.Equal(told, []int{80}) {
		t.Errorf("%d found, %d a call, told %v: %v", len(a.Found), c.MaxIDs(), told, err)
	}
}

// TestLookupHalvesWithoutANumber meets a limit of 13 that is not named.
func TestLookupHalvesWithoutANumber(t *testing.T) {
	t.Parallel()
	baseURL := handler(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Count(r.URL.Query().Get("tweet_ids"), ",") >= 13 {
			http.Error(w, `{"detail":"max number of tweet_ids exceeded"}`, http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, `{"tweets":[],"status":"success"}`)
	})
	c := twitterAPI(t, twitter.Config{BaseURL: baseURL})
	var ids []string
	for i := range 50 {
		ids = append(ids, fmt.Sprint(1000+i))
	}
	a, err := c.Lookup(t.Context(), ids)
	// 50 and 25 are refused, then 5 calls of 12, 12, 12, 12 and 2.
	if err != nil || len(a.Missing) != 50 || c.MaxIDs() != 12 || a.Calls != 7 || a.Billed != 5 {
		t.Errorf("%d missing in %d calls of %d, billed %d: %v", len(a.Missing), a.Calls, c.MaxIDs(), a.Billed, err)
	}
}

func TestGateThatFails(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := provider(t, fakeprovider.Config{})
	paused := errors.New("paused")
	a, err := twitterAPI(t, twitter.Config{BaseURL: baseURL}).Through(&gate{limit: 2, err: paused}).Lookup(t.Context(), ids)
	if !errors.Is(err, paused) || twitter.Kind(err) != twitter.KindOther || len(a.Found) != 100 || len(a.Unresolved) != 200 || a.Calls != 2 {
		t.Fatalf("found %d, unresolved %d in %d calls: %v", len(a.Found), len(a.Unresolved), a.Calls, err)
	}
	if !errors.Is(a.Unresolved[0].Err, paused) || server.Stats().Calls != 2 {
		t.Errorf("%v, %d calls", a.Unresolved[0].Err, server.Stats().Calls)
	}
}

// TestTimeIsTakenAfterTheGate lets the clock run while the gate is waited for.
func TestTimeIsTakenAfterTheGate(t *testing.T) {
	t.Parallel()
	_, baseURL, ids := provider(t, fakeprovider.Config{})
	now := noon()
	c := twitterAPI(t, twitter.Config{BaseURL: baseURL, Now: func() time.Time { return now }})
	a, err := c.Through(&gate{hook: func() { now = now.Add(time.Minute) }}).Lookup(t.Context(), append(ids[:60:60], "17"))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range a.Found {
		if want := noon().Add(time.Duration(i/50+1) * time.Minute); !f.At.Equal(want) {
			t.Fatalf("tweet %d was looked at %s, want %s", i, f.At, want)
		}
	}
	if want := noon().Add(2 * time.Minute); len(a.Missing) != 1 || !a.Missing[0].At.Equal(want) {
		t.Errorf("missing %+v", a.Missing)
	}
}

// arrivals is a log of calls that tells when one has arrived.
type arrivals chan struct{}

func (a arrivals) Write(line []byte) (int, error) {
	a <- struct{}{}
	return len(line), nil
}

type gateFunc func() error

func (f gateFunc) Wait(context.Context) error { return f() }

// TestEveryIDHasOnePlace looks up random ids at a provider in random trouble.
func TestEveryIDHasOnePlace(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := provider(t, fakeprovider.Config{MaxIDs: 20})
	lookups := map[string]func(context.Context, []string) (twitter.Answer, error){
		"twitterapi.io": twitterAPI(t, twitter.Config{BaseURL: baseURL, MaxIDs: 30}).Lookup,
		"x":             xAPI(t, twitter.Config{BaseURL: baseURL, MaxIDs: 30}).Lookup,
		"socialdata":    socialData(t, twitter.Config{BaseURL: baseURL, MaxIDs: 30}).Lookup,
	}
	faults := slices.DeleteFunc(fakeprovider.Faults(), func(f fakeprovider.Fault) bool {
		return f == fakeprovider.Hang || f == fakeprovider.SlowBody // these take their time
	})
	rapid.Check(t, func(rt *rapid.T) {
		some := append([]string{"17", "x", "0", ""}, ids[:80]...)
		asked := rapid.SliceOfN(rapid.SampledFrom(some), 0, 120).Draw(rt, "asked")
		steering := fakeprovider.Injection{Clear: true}
		for range rapid.IntRange(0, 4).Draw(rt, "calls") {
			share := rapid.SampledFrom([]float64{0, 0.2}).Draw(rt, "share")
			steering.Calls = append(steering.Calls, fakeprovider.CallInjection{Fault: rapid.SampledFrom(faults).Draw(rt, "fault"), Share: &share})
		}
		for range rapid.IntRange(0, 6).Draw(rt, "tweets") {
			steering.Tweets = append(steering.Tweets, fakeprovider.TweetInjection{
				Fault: rapid.SampledFrom(fakeprovider.TweetFaults()).Draw(rt, "tweet fault"),
				IDs:   []string{rapid.SampledFrom(ids[:80]).Draw(rt, "tweet")},
			})
		}
		if err := server.Inject(steering); err != nil {
			rt.Fatal(err)
		}
		name := rapid.SampledFrom(twitter.Providers()).Draw(rt, "provider")
		before := server.Stats().Calls
		a, err := lookups[name](t.Context(), asked)

		places := make(map[string]int)
		for _, f := range a.Found {
			places[f.ID]++
			if !slices.Contains(asked, f.ID) {
				rt.Fatalf("found %s, which was not asked for", f.ID)
			}
		}
		for _, m := range a.Missing {
			places[m.ID]++
		}
		for _, u := range a.Unresolved {
			places[u.ID]++
			if u.Err == nil {
				rt.Fatalf("%s is unresolved without a reason", u.ID)
			}
		}
		for _, id := range asked {
			if places[id] != 1 {
				rt.Fatalf("%q is in %d places (%v)", id, places[id], err)
			}
		}
		if arrived := server.Stats().Calls - before; arrived != int64(a.Calls) {
			rt.Fatalf("%d calls arrived, %d were counted", arrived, a.Calls)
		}
		if err != nil && twitter.Kind(err) == twitter.KindOther {
			rt.Fatalf("an error without a kind: %v", err)
		}
	})
}
