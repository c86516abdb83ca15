package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
)

// resources are closed in the opposite order of opening.
type resources []func()

func (r *resources) add(f func()) { *r = append(*r, f) }

func (r *resources) close() {
	for _, f := range slices.Backward(*r) {
		f()
	}
	*r = nil
}

// locate fills in what the configuration leaves out from a running "gorgone up".
func (a *app) locate() error {
	if a.cfg.Database.URL != "" && a.cfg.Queue.URL != "" && a.cfg.Provider.Key != "" {
		return nil
	}
	r, err := readRunning(a.dataDir)
	if errors.Is(err, errNotRunning) {
		if a.cfg.Database.URL == "" {
			return fmt.Errorf("no database: %w; start it, name its folder with --data-dir, or set DATABASE_URL", err)
		}
		return nil // the queue and the provider say so when they are needed
	}
	if err != nil {
		return err
	}
	// The database and the queue belong together: claims made in one must be
	// published to the workers of the same.
	if a.cfg.Database.URL != "" || a.cfg.Queue.URL != "" {
		if a.cfg.Database.URL == "" {
			return usageError("NATS_URL is set and DATABASE_URL is not: set both, or neither to use the running gorgone up")
		}
		return nil
	}
	a.cfg.Database.URL, a.cfg.Queue.URL = secret(r.DatabaseURL), secret(r.NATSURL)
	a.demonstration = r.ProviderURL != ""
	if a.cfg.Provider.Key == "" {
		a.cfg.Provider.Key, a.cfg.Provider.URL, a.cfg.Provider.Rate = secret(r.ProviderKey), r.ProviderURL, r.Rate
		a.demonstration = false // it is asked for what it knows
	}
	return nil
}

// database is an open database with its clock.
type database struct {
	db    *store.DB
	clock *clock.Clock
	store *store.Store
}

func (a *app) openDatabase(ctx context.Context, role string, open *resources) (database, error) {
	policy, err := engagement.NewTierPolicy(a.cfg.Schedule.Tiers)
	if err != nil {
		return database{}, usageError("GORGONE_TIERS: %w", err)
	}
	mode := map[string]store.ExecMode{"auto": store.ExecAuto, "yes": store.ExecPooled, "no": store.ExecPrepared}
	db, err := store.Connect(ctx, store.Config{
		URL:             string(a.cfg.Database.URL),
		MaxConns:        a.cfg.Database.MaxConns,
		ExecMode:        mode[a.cfg.Database.Pooler],
		ApplicationName: "gorgone " + role,
		OnTransaction:   a.metrics.Transacted,
	})
	if err != nil {
		return database{}, err
	}
	open.add(db.Close)
	setting, err := db.ClockSetting(ctx)
	if err != nil {
		return database{}, fmt.Errorf("%w (were the migrations run? see gorgone migrate)", err)
	}
	clk, err := clock.New(ctx, db, setting)
	if err != nil {
		return database{}, err
	}
	return database{db: db, clock: clk, store: store.New(db, clk, a.storeOptions(policy))}, nil
}

// storeOptions say how rows are scheduled and what looks cost.
func (a *app) storeOptions(policy engagement.Policy) store.Options {
	c := a.cfg
	prices := make(store.Prices)
	for _, name := range []string{providerTwitterAPI, providerX} {
		p := twitter.ListPrice(name)
		prices[name] = store.Price{Dollars: p.Dollars, Credits: p.Credits}
	}
	if c.Cost.TweetPrice > 0 {
		prices[c.Provider.Name] = store.Price{Dollars: c.Cost.TweetPrice, Credits: prices[c.Provider.Name].Credits}
	}
	return store.Options{
		Policy: policy, Schedule: store.Schedule(c.Schedule.Kind), Price: c.Schedule.LookPrice, TargetDelay: c.Schedule.TargetDelay,
		GoneAfter: engagement.GoneAfter(c.Schedule.GoneAfter),
		Forecast:  c.Schedule.Forecast, Provider: c.Provider.Name, Prices: prices,
		Budget: store.Budget{Day: c.Cost.Day, Month: c.Cost.Month, RefreshDay: c.Cost.RefreshDay},
	}
}

// findDatabase opens the database that the environment, or a running up, names.
func (a *app) findDatabase(ctx context.Context, role string, open *resources) (database, error) {
	if err := a.locate(); err != nil {
		return database{}, err
	}
	return a.openDatabase(ctx, role, open)
}

// messaging is an open queue with its connection.
type messaging struct {
	conn  *queue.Conn
	queue *queue.Queue
}

func (a *app) openQueue(ctx context.Context, role string, open *resources) (messaging, error) {
	if a.cfg.Queue.URL == "" {
		return messaging{}, fmt.Errorf("no queue: %w in %s; start it, or set NATS_URL", errNotRunning, a.dataDir)
	}
	return a.openQueueWith(ctx, queue.Options{URL: string(a.cfg.Queue.URL)}, a.queueConfig(), role, open)
}

func (a *app) queueConfig() queue.Config {
	return queue.Config{
		Prefix:   a.cfg.Queue.Prefix,
		Lease:    a.cfg.Queue.Lease,
		Replicas: a.cfg.Queue.Replicas,
		Memory:   a.cfg.Queue.Memory,
	}
}

func (a *app) openQueueWith(ctx context.Context, o queue.Options, c queue.Config, role string, open *resources) (messaging, error) {
	o.CredentialsFile, o.Name, o.Log = a.cfg.Queue.Creds, "gorgone "+role, a.log
	connecting, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	conn, err := queue.Connect(connecting, o)
	if err != nil {
		return messaging{}, err
	}
	open.add(conn.Close)
	q, err := queue.Open(connecting, conn, c)
	if err != nil {
		return messaging{}, err
	}
	return messaging{conn, q}, nil
}

// openPace joins the pace that all users of the API key share.
func (a *app) openPace(ctx context.Context, m messaging, c *clock.Clock, p provider, open *resources) (*queue.Pace, error) {
	reserve := p.reserve
	if reserve == 0 {
		reserve = -1 // the pace takes 0 for its default
	}
	pace, err := queue.NewPace(ctx, m.queue, queue.PaceConfig{Key: p.keyID, Rate: p.rate, RefreshReserve: reserve}, c)
	if err != nil {
		return nil, err
	}
	open.add(pace.Close)
	return pace, nil
}

// keyID names an API key without giving it away.
func keyID(provider, key string) string {
	sum := sha256.Sum256([]byte(provider + "\x00" + key))
	return hex.EncodeToString(sum[:8])
}

// openStreams makes the streams or brings them up to date, the lease included.
func (a *app) openStreams(ctx context.Context, open *resources) (messaging, error) {
	c := a.queueConfig()
	c.AdoptLease = true
	return a.openQueueWith(ctx, queue.Options{URL: string(a.cfg.Queue.URL)}, c, "migrate", open)
}
