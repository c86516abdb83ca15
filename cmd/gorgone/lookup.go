package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"gorgone/twitter"
	"gorgone/worker"
)

// The names TWITTER_PROVIDER takes.
const (
	providerTwitterAPI = twitter.TwitterAPIName
	providerX          = twitter.XAPIName
)

// The rates of the providers' lowest plans, in calls a second: an account at
// twitterapi.io that was never topped up may call once in 5 s, an app at X 3,500
// times in 15 min.
const (
	lowestTwitterAPIRate = 0.2
	lowestXRate          = 3500.0 / 900
)

// unlimitedRate stands for no rate at all; only the bench asks for it.
const unlimitedRate = -1

// provider is who is asked for tweets, and how fast.
type provider struct {
	name    string
	keyID   string  // names the key without giving it away
	rate    float64 // calls a second over all replicas; 0: unlimited
	reserve float64 // share of it that is kept for refreshes
	lookup  worker.Lookup
	maxIDs  func() int // ids a call takes now
	probe   func(ctx context.Context, ids []string) twitter.ProbeResult
	balance worker.Balance
	calls   *callCounts
}

// tweetRate is how many tweets a second batches may look up; 0: unlimited.
func (p provider) tweetRate() float64 {
	return p.rate * (1 - p.reserve) * float64(p.maxIDs())
}

// callCounts counts calls to the provider.
type callCounts struct {
	calls, failed, returned atomic.Int64
}

func (c *callCounts) count(call twitter.Call) {
	c.calls.Add(1)
	c.returned.Add(int64(call.Returned))
	if call.Kind != twitter.KindOK {
		c.failed.Add(1)
	}
}

func (a *app) openProvider(cfg providerConfig, now func() time.Time) (provider, error) {
	if cfg.Key == "" {
		return provider{}, usageError("no provider to ask: set TWITTER_API_KEY, or start gorgone up, which brings a provider double")
	}
	p := provider{
		name: cfg.Name, keyID: keyID(cfg.Name, string(cfg.Key)), rate: cfg.Rate, reserve: cfg.Reserve,
		calls: &callCounts{},
	}
	settings := twitter.Config{
		Key: string(cfg.Key), BaseURL: cfg.URL, MaxIDs: cfg.PerCall, Timeout: cfg.Timeout, Now: now,
		OnCall: func(c twitter.Call) {
			p.calls.count(c)
			a.metrics.Called(c)
		},
		OnMaxIDs: func(n int) { a.log.Warn().Int("ids", n).Msg("the provider takes fewer ids a call; going on with that") },
	}
	lowest := lowestTwitterAPIRate
	switch cfg.Name {
	case providerX:
		lowest = lowestXRate
		client, err := twitter.NewXAPI(twitter.XConfig{Config: settings, FieldsParam: cfg.XFields})
		if err != nil {
			return provider{}, usageError("%w", err)
		}
		p.maxIDs, p.probe = client.MaxIDs, client.Probe
		p.lookup = func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			return client.Through(gate).Lookup(ctx, ids)
		}
		p.balance = func(ctx context.Context, gate twitter.Gate) (twitter.Balance, error) {
			return client.Through(gate).Balance(ctx)
		}
	case providerTwitterAPI:
		client, err := twitter.NewTwitterAPI(settings)
		if err != nil {
			return provider{}, usageError("%w", err)
		}
		p.maxIDs, p.probe = client.MaxIDs, client.Probe
		p.lookup = func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			return client.Through(gate).Lookup(ctx, ids)
		}
		p.balance = func(ctx context.Context, gate twitter.Gate) (twitter.Balance, error) {
			return client.Through(gate).Balance(ctx)
		}
	default:
		return provider{}, fmt.Errorf("unknown provider %q", cfg.Name)
	}
	switch p.rate {
	case 0:
		p.rate = lowest
	case unlimitedRate:
		p.rate = 0
	}
	return p, nil
}
