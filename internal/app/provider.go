package app

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/store/keys"
	"gorgone/twitter"
	"gorgone/worker/lookup"
)

// The rates of the providers' lowest plans, in calls a second: an account at
// twitterapi.io that was never topped up may call once in 5 s, an app at X 3,500
// times in 15 min, a key of SocialData 120 times a minute.
const (
	lowestTwitterAPIRate = 0.2
	lowestXRate          = 3500.0 / 900
	lowestSocialDataRate = 120.0 / 60
)

// Provider is a look-up provider that can be asked, and how fast.
type Provider struct {
	Name    string
	Rate    float64 // calls a second over all replicas
	KeyID   string  // names the API key without giving it away
	Reserve float64 // share of Rate that is kept for refreshes

	client client
	calls  Calls
}

// client is what the clients of all providers do.
type client struct {
	maxIDs  func() int
	larger  func(ids int) bool
	probe   func(ctx context.Context, ids []string) twitter.ProbeResult
	lookup  lookup.CallFunc
	balance lookup.BalanceFunc
}

// gated is a client whose calls can be made to pass a gate.
type gated[C any] interface {
	MaxIDs() int
	Larger(ids int) bool
	Probe(ctx context.Context, ids []string) twitter.ProbeResult
	LookupOnce(ctx context.Context, ids []string) (twitter.Answer, error)
	Balance(ctx context.Context) (twitter.Balance, error)
	Through(gate twitter.Gate) C
}

func clientOf[C gated[C]](c C) client {
	return client{
		maxIDs: c.MaxIDs, larger: c.Larger, probe: c.Probe,
		lookup: func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			return c.Through(gate).LookupOnce(ctx, ids)
		},
		balance: func(ctx context.Context, gate twitter.Gate) (twitter.Balance, error) {
			return c.Through(gate).Balance(ctx)
		},
	}
}

// Calls counts the calls to a provider.
type Calls struct {
	Made, Failed, Returned atomic.Int64 // Returned counts tweets
}

func (c *Calls) count(call twitter.Call) {
	c.Made.Add(1)
	c.Returned.Add(int64(call.Returned))
	if call.Kind != twitter.KindOK {
		c.Failed.Add(1)
	}
}

// OpenProviders returns the provider, and the fallback if there is one. now tells
// engine time. On an error it returns those that are well configured.
func (p *Process) OpenProviders(cfg config.Provider, now func() time.Time) ([]*Provider, error) {
	first, err := p.openProvider(cfg, now)
	if err != nil {
		return nil, err
	}
	all := []*Provider{first}
	if f, ok := cfg.Fallback(); ok {
		second, err := p.openProvider(f, now)
		if err != nil {
			return all, err
		}
		all = append(all, second)
	}
	return all, nil
}

func (p *Process) openProvider(cfg config.Provider, now func() time.Time) (_ *Provider, err error) {
	if cfg.Key == "" {
		return nil, failure.Usagef("no provider to ask: set TWITTER_API_KEY, or start gorgone up, which brings a fake provider")
	}
	provider := &Provider{Name: cfg.Name, Rate: cfg.Rate, KeyID: keys.ID(cfg.Name, string(cfg.Key)), Reserve: cfg.Reserve}
	settings := twitter.Config{
		Key: string(cfg.Key), BaseURL: cfg.URL, MaxIDs: cfg.PerCall, Timeout: cfg.Timeout, Now: now,
		OnCall: func(c twitter.Call) {
			provider.calls.count(c)
			p.Metrics.Called(c)
		},
		OnMaxIDs: func(n int) {
			p.Log.Warn().Int("ids", n).Msg("the provider takes another number of ids a call; going on with that")
		},
	}
	lowest := lowestTwitterAPIRate
	switch cfg.Name {
	case twitter.XAPIName:
		lowest = lowestXRate
		client, err := twitter.NewXAPI(twitter.XConfig{Config: settings, FieldsParam: cfg.XFields})
		if err != nil {
			return nil, failure.Usagef("%w", err)
		}
		provider.client = clientOf(client)
	case twitter.SocialDataName:
		lowest = lowestSocialDataRate
		client, err := twitter.NewSocialData(settings)
		if err != nil {
			return nil, failure.Usagef("%w", err)
		}
		provider.client = clientOf(client)
	case twitter.TwitterAPIName:
		client, err := twitter.NewTwitterAPI(settings)
		if err != nil {
			return nil, failure.Usagef("%w", err)
		}
		provider.client = clientOf(client)
	default:
		return nil, fmt.Errorf("unknown provider %q", cfg.Name)
	}
	if provider.Rate == 0 {
		provider.Rate = lowest
	}
	return provider, nil
}

// MaxIDs returns how many tweet ids a call takes now.
func (p *Provider) MaxIDs() int { return p.client.maxIDs() }

// TweetRate returns how many tweets a second batches may look up.
func (p *Provider) TweetRate() float64 {
	return p.Rate * (1 - p.Reserve) * float64(p.MaxIDs())
}

// Probe makes one call outside the shared pace, which a real provider bills.
func (p *Provider) Probe(ctx context.Context, ids []string) twitter.ProbeResult {
	return p.client.probe(ctx, ids)
}

// Calls returns the counts of the calls made, which go on counting.
func (p *Provider) Calls() *Calls { return &p.calls }
