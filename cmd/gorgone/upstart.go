package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/internal/natsserver"
	"gorgone/internal/postgres"
	"gorgone/queue"
	"gorgone/twitter/twittertest"
)

// startPostgres starts the private server, unless another is to be used. own
// tells whether it did.
func (a *app) startPostgres(ctx context.Context, fail context.CancelCauseFunc, open *resources) (own bool, err error) {
	if a.cfg.Database.URL != "" {
		return false, nil
	}
	server, err := postgres.Start(ctx, postgres.Options{DataDir: a.postgresDir(), Log: a.log})
	if err != nil {
		return false, err
	}
	var watch conc.WaitGroup
	stopped := make(chan struct{})
	watch.Go(func() {
		select {
		case <-server.Done():
			fail(errors.New("the private Postgres ended; its log is in " + a.postgresDir()))
		case <-stopped:
		}
	})
	open.add(func() {
		close(stopped)
		watch.Wait()
		if err := server.Stop(); err != nil {
			a.log.Error().Err(err).Msg("stop postgres")
		}
	})
	a.cfg.Database.URL = secret(server.URL())
	return true, nil
}

// startNATS starts the embedded server, unless another is to be used.
func (a *app) startNATS(open *resources) (queue.Options, error) {
	if a.cfg.Queue.URL != "" {
		return queue.Options{URL: string(a.cfg.Queue.URL)}, nil
	}
	server, err := natsserver.Start(natsserver.Options{
		StoreDir: filepath.Join(a.dataDir, "nats"), Port: -1, SyncAlways: true, Log: a.log,
	})
	if err != nil {
		return queue.Options{}, err
	}
	open.add(server.Stop)
	a.cfg.Queue.URL = secret(server.ClientURL())
	return queue.Options{InProcess: server.InProcess()}, nil
}

// startDemo starts the provider double and the collector of its tweets.
func (a *app) startDemo(ctx context.Context, asked demo, shaped bool, d database, open *resources) (*collector, error) {
	asked.Start = d.clock.Now().Add(asked.Lead)
	if asked.Replay != "" {
		path, err := filepath.Abs(asked.Replay)
		if err != nil {
			return nil, usageError("--replay: %w", err)
		}
		asked.Replay = path
	}
	described, fresh, err := loadDemo(a.dataDir, asked, shaped)
	if err != nil {
		return nil, err
	}
	population, err := described.population()
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := described.save(a.dataDir); err != nil {
			return nil, err
		}
	}
	if a.cfg.Provider.Rate == 0 {
		a.cfg.Provider.Rate = demoRate
	}
	server, err := twittertest.NewServer(twittertest.Config{
		Population: population, Now: d.clock.Now, Key: demoKey, Rate: a.cfg.Provider.Rate, Burst: 1,
		Latency: 40 * time.Millisecond, Jitter: 40 * time.Millisecond, Seed: described.Seed,
	})
	if err != nil {
		return nil, err
	}
	open.add(server.Close)
	if a.cfg.Provider.URL, err = server.Listen(ctx, ""); err != nil {
		return nil, err
	}
	a.cfg.Provider.Key = demoKey
	return newCollector(ctx, population, d)
}
