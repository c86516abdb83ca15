package devstack

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"

	"gorgone/internal/app"
	"gorgone/internal/config"
	"gorgone/internal/natsserver"
	"gorgone/internal/postgres"
	"gorgone/queue"
)

// Servers are the private Postgres and the embedded NATS of a data folder, unless the
// configuration names others.
type Servers struct {
	Queue app.QueueOptions // how this process reaches NATS

	// RefresherURL is the address of the embedded NATS for programs that only ask for
	// refreshes; "": another NATS is used.
	RefresherURL string

	postgres *postgres.Server   // nil: another is used
	nats     *natsserver.Server // nil: another is used
	log      zerolog.Logger
}

// StartServers starts the servers that the configuration does not name, and enters
// their addresses into it.
func StartServers(ctx context.Context, cfg *config.Config, dataDir string, log zerolog.Logger) (_ *Servers, err error) {
	s := &Servers{log: log}
	if cfg.Database.URL == "" {
		if s.postgres, err = postgres.Start(ctx, postgres.Options{DataDir: postgresDir(dataDir), Log: log}); err != nil {
			return nil, err
		}
		cfg.Database.URL = config.Secret(s.postgres.URL())
	}
	if cfg.Queue.URL == "" {
		// Others of this machine reach the port too: the passwords, new at each start, are in
		// the run file, which only the owner can read.
		refresher := refresher(cfg.Queue.Prefix)
		if s.nats, err = natsserver.Start(natsserver.Options{
			StoreDir: filepath.Join(dataDir, "nats"), Port: -1, SyncAlways: true, Log: log,
			Password: rand.Text(), Users: []natsserver.User{refresher},
		}); err != nil {
			s.Close()
			return nil, err
		}
		cfg.Queue.URL, s.RefresherURL = config.Secret(s.nats.ClientURL()), s.nats.UserURL(refresher)
		s.Queue.Server = queue.Options{InProcess: s.nats.InProcess(), URL: s.nats.ClientURL()}
	}
	return s, nil
}

// refresher may publish refreshes and hear their answers, and nothing else, like the user
// of that name in deploy/nats.
func refresher(prefix string) natsserver.User {
	prefix = strings.ToLower(prefix)
	return natsserver.User{
		Name: "refresher", Password: rand.Text(),
		Publish: prefix + ".refresh.*", Subscribe: prefix + ".done.*", Inboxes: "_INBOX_refresher.>",
	}
}

// Private reports whether the Postgres is one of Servers'.
func (s *Servers) Private() bool { return s.postgres != nil }

// Died is closed when the private Postgres ends by itself; without one it never is.
func (s *Servers) Died() <-chan struct{} {
	if s.postgres == nil {
		return nil
	}
	return s.postgres.Done()
}

// Close stops the servers.
func (s *Servers) Close() {
	if s.nats != nil {
		s.nats.Stop()
	}
	if s.postgres != nil {
		if err := s.postgres.Stop(); err != nil {
			s.log.Error().Err(err).Msg("stopping Postgres failed")
		}
	}
}

func postgresDir(dataDir string) string { return filepath.Join(dataDir, "postgres") }
