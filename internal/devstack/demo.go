package devstack

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
	"strings"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/app"
	"gorgone/internal/clock"
	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/store"
	"gorgone/twitter/fakeprovider"
)

const (
	demoFile = "demo.json"

	// demoRate is the rate of a paid plan at twitterapi.io, in calls a second.
	demoRate = 20

	// Of the demonstration's tweets, a part was posted before it began, so that
	// all tiers are there from the start.
	demoAgedShare = 0.4
	demoAgedBy    = 13 * time.Hour

	// discovery is how long after its post, in engine time, a tweet is collected.
	discovery = 2 * time.Minute

	// collectEvery is the real time between two rounds of collecting.
	collectEvery = 500 * time.Millisecond
)

// Demo describes the tweets of a demonstration. It is kept in the data folder,
// so that a restart goes on with the same.
type Demo struct {
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
func loadDemo(dataDir string, asked Demo, shaped bool) (d Demo, fresh bool, err error) {
	data, err := os.ReadFile(filepath.Join(dataDir, demoFile))
	if errors.Is(err, fs.ErrNotExist) {
		return asked, true, nil
	}
	if err != nil {
		return Demo{}, false, fmt.Errorf("read the demonstration: %w", err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return Demo{}, false, fmt.Errorf("read %s: %w", filepath.Join(dataDir, demoFile), err)
	}
	asked.Start = d.Start
	if shaped && asked != d {
		return Demo{}, false, failure.Usagef("%s holds a demonstration of %d tweets (%s, seed %d, over %s); leave its flags out to go on with it, use --reset to begin a new one, or another --data-dir",
			dataDir, d.Tweets, cmp.Or(d.Replay, "synthetic"), d.Seed, d.Spread)
	}
	return d, false, nil
}

func (d Demo) save(dataDir string) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dataDir, demoFile), data, 0o600); err != nil {
		return fmt.Errorf("keep the demonstration: %w", err)
	}
	return nil
}

// NewPopulation makes the tweets: real cascades and thinned copies of them when a
// file is given, else synthetic ones.
func (d Demo) NewPopulation() (*fakeprovider.Population, error) {
	o := fakeprovider.Options{
		N: d.Tweets, Seed: d.Seed, Start: d.Start, Spread: d.Spread,
		AgedShare: demoAgedShare, AgedBy: demoAgedBy,
	}
	if d.Young {
		o.AgedShare, o.AgedBy = 0, 0
	}
	if d.Replay == "" {
		return fakeprovider.NewSynthetic(o)
	}
	f, err := os.Open(d.Replay)
	if err != nil {
		return nil, failure.Usagef("--replay: %w", err)
	}
	defer f.Close()
	cascades, err := fakeprovider.LoadCascades(f)
	if err != nil {
		return nil, failure.Usagef("--replay %s: %w", d.Replay, err)
	}
	return fakeprovider.NewReplay(cascades, d.options(o, len(cascades)))
}

// options makes sure that each cascade is there once at its full size.
func (d Demo) options(o fakeprovider.Options, cascades int) fakeprovider.Options {
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

// Collector stands in for the product: it finds tweets shortly after they were
// posted, and has them tracked with the counts they had then.
type Collector struct {
	Population *fakeprovider.Population
	Zones      []uuid.UUID
	Authors    map[string]string // by tweet id, where they are to be known; set before Run

	store   *store.Store
	clock   *clock.Clock
	pending []fakeprovider.Tweet // not collected yet, the earliest first
}

// NewCollector makes what tracks the tweets of a population, and the zones of a
// demonstration where they are not there yet.
func NewCollector(ctx context.Context, p *fakeprovider.Population, d *app.Database) (*Collector, error) {
	c := &Collector{Population: p, store: d.Store, clock: d.Clock}
	for _, z := range demoZones {
		zone, err := d.Store.CreateZone(ctx, store.Zone{ID: uuid.MustParse(z.id), Name: z.name})
		if err != nil {
			return nil, err
		}
		c.Zones = append(c.Zones, zone.ID)
	}
	c.pending = slices.SortedFunc(p.All(), func(a, b fakeprovider.Tweet) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return c, nil
}

// Run collects until all tweets are, or ctx ends. A tweet that is tracked
// already is left as it is, so that a restart begins at the first.
func (c *Collector) Run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for len(c.pending) > 0 {
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

func (c *Collector) collect(ctx context.Context) error {
	now := c.clock.Now()
	n, _ := slices.BinarySearchFunc(c.pending, now.Add(-discovery), func(t fakeprovider.Tweet, at time.Time) int {
		if t.CreatedAt.After(at) {
			return 1
		}
		return -1
	})
	byZone := make([][]store.NewTweet, len(c.Zones))
	for _, t := range c.pending[:n] {
		metrics, _ := c.Population.MetricsAt(t.ID, now)
		tweet := store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt, Text: t.Text, Metrics: metrics, Raw: c.raw(t)}
		zone := int(t.ID[len(t.ID)-1]-'0') % len(c.Zones)
		byZone[zone] = append(byZone[zone], tweet)
		if t.ID[len(t.ID)-2] == '0' {
			other := (zone + 1) % len(c.Zones)
			byZone[other] = append(byZone[other], tweet)
		}
	}
	for i, tweets := range byZone {
		if len(tweets) == 0 {
			continue
		}
		if _, err := c.store.Track(ctx, c.Zones[i], tweets); err != nil {
			return fmt.Errorf("collect tweets: %w", err)
		}
	}
	c.pending = c.pending[n:]
	return nil
}

// raw returns as much of what a provider pushes as tells the author: to people, and to
// the engine's estimates only where it is to be known.
func (c *Collector) raw(t fakeprovider.Tweet) json.RawMessage {
	if known := ByAuthor(c.Authors[t.ID]); known != nil || c.Authors != nil {
		return known
	}
	name := strings.ToUpper(t.Username[:1]) + strings.ReplaceAll(t.Username[1:], "_", " ")
	return json.RawMessage(fmt.Sprintf(`{"author":{"name":%q,"userName":%q}}`, name, t.Username))
}

// ByAuthor returns as much of what a provider pushes as tells the author; nil: it is not
// known.
func ByAuthor(author string) json.RawMessage {
	if author == "" {
		return nil
	}
	return json.RawMessage(fmt.Sprintf(`{"author":{"id":%q}}`, author))
}

// startDemo starts the fake provider and what collects its tweets, and enters the
// provider into the configuration.
func (s *Stack) startDemo(ctx context.Context) error {
	asked := s.o.Demo
	asked.Start = s.db.Clock.Now().Add(asked.Lead)
	if asked.Replay != "" {
		path, err := filepath.Abs(asked.Replay)
		if err != nil {
			return failure.Usagef("--replay: %w", err)
		}
		asked.Replay = path
	}
	described, fresh, err := loadDemo(s.o.DataDir, asked, s.o.Shaped)
	if err != nil {
		return err
	}
	population, err := described.NewPopulation()
	if err != nil {
		return err
	}
	if fresh {
		if err := described.save(s.o.DataDir); err != nil {
			return err
		}
	}
	provider := &s.cfg.Provider
	if provider.Rate == 0 {
		provider.Rate = demoRate
	}
	server, err := fakeprovider.NewServer(fakeprovider.Config{
		Population: population, Now: s.db.Clock.Now, Key: config.DemoKey, Rate: provider.Rate, Burst: 1,
		Latency: 40 * time.Millisecond, Jitter: 40 * time.Millisecond, Seed: described.Seed,
	})
	if err != nil {
		return err
	}
	s.onClose(server.Close)
	if provider.URL, err = server.Listen(ctx, ""); err != nil {
		return err
	}
	provider.Key = config.DemoKey
	s.collector, err = NewCollector(ctx, population, s.db)
	return err
}
