package budget_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/bill"
	"gorgone/store/storetest"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

// perCall is how many tweets of a batch a call asks for, beside its canary.
const perCall = 49

// provider is a fake one, whose own log says what was billed for whom.
type provider struct {
	name   string
	server *fakeprovider.Server
	ask    func(ctx context.Context, ids []string) (twitter.Answer, error)
	tweets []store.NewTweet // that it has

	mu    sync.Mutex
	asked map[string][]string // tweets of a batch, by the canary that only its calls have
}

func newProvider(tb testing.TB, name string, clock *storetest.Clock, tweets int) *provider {
	tb.Helper()
	population, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: tweets, Seed: 1, Start: clock.Now().Add(-time.Hour)})
	if err != nil {
		tb.Fatal(err)
	}
	p := &provider{name: name, asked: make(map[string][]string)}
	for t := range population.All() {
		p.tweets = append(p.tweets, store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt})
	}
	if p.server, err = fakeprovider.NewServer(fakeprovider.Config{Population: population, Now: clock.Now, LogSize: 100_000}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.server.Close)
	url, err := p.server.Listen(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	config := twitter.Config{Key: "key", BaseURL: url, Now: clock.Now}
	switch name {
	case twitter.XAPIName:
		client, err := twitter.NewXAPI(twitter.XConfig{Config: config})
		if err != nil {
			tb.Fatal(err)
		}
		p.ask = client.LookupOnce
	case twitter.SocialDataName:
		client, err := twitter.NewSocialData(config)
		if err != nil {
			tb.Fatal(err)
		}
		p.ask = client.LookupOnce
	default:
		client, err := twitter.NewTwitterAPI(config)
		if err != nil {
			tb.Fatal(err)
		}
		p.ask = client.LookupOnce
	}
	return p
}

// canary takes a tweet that nothing else asks for, from the end of those that the provider has.
func (p *provider) canary(asked []string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	canary := p.tweets[len(p.tweets)-1-len(p.asked)].TweetID
	p.asked[canary] = asked
	return canary
}

// lookup asks for the tweets of a batch, each call with the canary that look-ups have at worst,
// and returns what the client says that it cost.
func (p *provider) lookup(tb testing.TB, ids []string) (calls []store.Calls) {
	tb.Helper()
	canary := p.canary(ids)
	for part := range slices.Chunk(ids, perCall) {
		answer, err := p.ask(tb.Context(), append([]string{canary}, part...))
		if err != nil || len(answer.Found) != len(part)+1 {
			tb.Errorf("%d of %d tweets were found: %v", len(answer.Found), len(part)+1, err)
		}
		c := bill.Calls{Provider: p.name, Count: answer.Calls, Billed: answer.Billed - len(answer.Reads)}
		if len(answer.Reads) > 0 {
			c.Reads = bill.Reads{KeyID: "key", Day: engagement.UTCDay(answer.Reads[0].At)}
			for _, read := range answer.Reads {
				c.Reads.Tweets = append(c.Reads.Tweets, read.TweetID)
			}
		}
		calls = bill.Add(calls, c)
	}
	return calls
}

// billed adds up the provider's log by zone: what it charged for the calls of a batch is paid by
// the zones of its tweets.
func (p *provider) billed(tb testing.TB, zones map[string][]uuid.UUID) map[uuid.UUID]float64 {
	tb.Helper()
	batches := make(map[string]float64) // dollars, by canary
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, call := range p.server.Calls() {
		i := slices.IndexFunc(call.IDs, func(id string) bool { return p.asked[id] != nil })
		if i < 0 {
			tb.Errorf("a call for %v is of no batch", call.IDs)
			continue
		}
		batches[call.IDs[i]] += price * float64(call.Billed) / 15
	}
	sum := make(map[uuid.UUID]float64)
	for canary, dollars := range batches {
		for _, id := range p.asked[canary] {
			for _, zone := range zones[id] {
				sum[zone] += dollars / float64(len(p.asked[canary])) / float64(len(zones[id]))
			}
		}
	}
	return sum
}
