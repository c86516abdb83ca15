package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/clock"
	"gorgone/store"
	"gorgone/twitter/twittertest"
)

const (
	demoFile = "demo.json"

	// demoRate is the rate of a paid plan at twitterapi.io, in calls a second.
	demoRate = 20

	// demoKey is the key that the provider double asks for. It opens nothing else.
	demoKey = "the-key-of-the-provider-double"

	// Of the demonstration's tweets, a part was posted before it began, so that
	// all tiers are there from the start.
	demoAgedShare = 0.4
	demoAgedBy    = 13 * time.Hour

	// discovery is how long after its post, in engine time, a tweet is collected.
	discovery = 2 * time.Minute

	// collectEvery is the real time between two rounds of collecting.
	collectEvery = 500 * time.Millisecond
)

// demo describes the tweets of a demonstration. It is kept in the data folder,
// so that a restart goes on with the same.
type demo struct {
	Tweets int           `json:"tweets"`
	Seed   uint64        `json:"seed"`
	Spread time.Duration `json:"spread"`
	Replay string        `json:"replay,omitempty"` // file of cascades
	Start  time.Time     `json:"start"`            // engine time

	// Young leaves out the tweets that were posted before the start.
	Young bool `json:"young,omitempty"`

	// Lead is how long before the start everything runs already.
	Lead time.Duration `json:"lead,omitempty"`
}

// loadDemo returns the demonstration of the data folder, or a new one as asked
// for. What was asked for with flags must not differ from what is there.
func loadDemo(dataDir string, asked demo, shaped bool) (d demo, fresh bool, err error) {
	data, err := os.ReadFile(filepath.Join(dataDir, demoFile))
	if errors.Is(err, fs.ErrNotExist) {
		return asked, true, nil
	}
	if err != nil {
		return demo{}, false, fmt.Errorf("read the demonstration: %w", err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return demo{}, false, fmt.Errorf("read %s: %w", filepath.Join(dataDir, demoFile), err)
	}
	asked.Start = d.Start
	if shaped && asked != d {
		return demo{}, false, usageError("%s holds a demonstration of %d tweets (%s, seed %d, over %s); leave its flags out to go on with it, use --reset to begin a new one, or another --data-dir",
			dataDir, d.Tweets, cmp.Or(d.Replay, "synthetic"), d.Seed, d.Spread)
	}
	return d, false, nil
}

func (d demo) save(dataDir string) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dataDir, demoFile), data, 0o600); err != nil {
		return fmt.Errorf("keep the demonstration: %w", err)
	}
	return nil
}

// population makes the tweets: real cascades and thinned copies of them when a
// file is given, else synthetic ones.
func (d demo) population() (*twittertest.Population, error) {
	o := twittertest.Options{
		N: d.Tweets, Seed: d.Seed, Start: d.Start, Spread: d.Spread,
		AgedShare: demoAgedShare, AgedBy: demoAgedBy,
	}
	if d.Young {
		o.AgedShare, o.AgedBy = 0, 0
	}
	if d.Replay == "" {
		return twittertest.NewSynthetic(o)
	}
	f, err := os.Open(d.Replay)
	if err != nil {
		return nil, usageError("--replay: %w", err)
	}
	defer f.Close()
	cascades, err := twittertest.LoadCascades(f)
	if err != nil {
		return nil, usageError("--replay %s: %w", d.Replay, err)
	}
	return twittertest.NewReplay(cascades, d.options(o, len(cascades)))
}

// options makes sure that each cascade is there once at its full size.
func (d demo) options(o twittertest.Options, cascades int) twittertest.Options {
	o.N = max(o.N, cascades)
	return o
}

// demoZones are the topics of the demonstration. One tweet in ten is collected
// for two of them.
var demoZones = [...]struct{ id, name string }{
	{"0c5a2d52-4a2e-4d5b-9a57-0d3a3b1f0001", "Elections"},
	{"0c5a2d52-4a2e-4d5b-9a57-0d3a3b1f0002", "Football"},
	{"0c5a2d52-4a2e-4d5b-9a57-0d3a3b1f0003", "Weather"},
}

// collector stands in for the product: it finds tweets shortly after they were
// posted, and has them tracked with the counts they had then.
type collector struct {
	population *twittertest.Population
	store      *store.Store
	clock      *clock.Clock
	zones      []uuid.UUID
	ahead      []twittertest.Tweet // not collected yet, the earliest first
	authors    map[string]string   // by tweet, where they are to be known
}

func newCollector(ctx context.Context, p *twittertest.Population, d database) (*collector, error) {
	c := &collector{population: p, store: d.store, clock: d.clock}
	for _, z := range demoZones {
		zone, err := d.store.CreateZone(ctx, store.Zone{ID: uuid.MustParse(z.id), Name: z.name})
		if err != nil {
			return nil, err
		}
		c.zones = append(c.zones, zone.ID)
	}
	c.ahead = slices.SortedFunc(p.All(), func(a, b twittertest.Tweet) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return c, nil
}

// run collects until all tweets are, or ctx ends. A tweet that is tracked
// already is left as it is, so that a restart begins at the first.
func (c *collector) run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for len(c.ahead) > 0 {
		if err := c.collect(ctx); err != nil && ctx.Err() == nil {
			report(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *collector) collect(ctx context.Context) error {
	now := c.clock.Now()
	n, _ := slices.BinarySearchFunc(c.ahead, now.Add(-discovery), func(t twittertest.Tweet, at time.Time) int {
		if t.CreatedAt.After(at) {
			return 1
		}
		return -1
	})
	byZone := make([][]store.NewTweet, len(c.zones))
	for _, t := range c.ahead[:n] {
		metrics, _ := c.population.MetricsAt(t.ID, now)
		tweet := store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt, Text: t.Text, Metrics: metrics, Raw: byAuthor(c.authors[t.ID])}
		zone := int(t.ID[len(t.ID)-1]-'0') % len(c.zones)
		byZone[zone] = append(byZone[zone], tweet)
		if t.ID[len(t.ID)-2] == '0' {
			other := (zone + 1) % len(c.zones)
			byZone[other] = append(byZone[other], tweet)
		}
	}
	for i, tweets := range byZone {
		if len(tweets) == 0 {
			continue
		}
		if _, err := c.store.Track(ctx, c.zones[i], tweets); err != nil {
			return fmt.Errorf("collect tweets: %w", err)
		}
	}
	c.ahead = c.ahead[n:]
	return nil
}

// byAuthor is as much of what a provider pushes as tells the author; nil: it is not
// known.
func byAuthor(author string) json.RawMessage {
	if author == "" {
		return nil
	}
	return json.RawMessage(fmt.Sprintf(`{"author":{"id":%q}}`, author))
}
