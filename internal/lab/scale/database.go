package scale

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gorgone/internal/app"
	"gorgone/internal/config"
	"gorgone/internal/lab/enginetime"
	"gorgone/internal/postgres"
)

// sharedBuffers is what the servers of all sizes have, so that these can be compared.
const sharedBuffers = "2GB"

// size is the run of one size.
type size struct {
	Options
	population

	cfg     config.Config
	process *app.Process
	dir     string // of the database
	result  *Result

	server *postgres.Server
	sql    *pgxpool.Pool // past what is measured
}

// open starts the private server.
func (s *size) open(ctx context.Context) (err error) {
	if s.server, err = postgres.Start(ctx, postgres.Options{DataDir: s.dir, SharedBuffers: sharedBuffers, Log: s.Log}); err != nil {
		return err
	}
	s.cfg.Database = config.Database{URL: config.Secret(s.server.URL()), MaxConns: 1, Chosen: true, Pooler: "no"}
	if err := s.cfg.Schedule.Tiers.Decode(tiers); err != nil {
		return err
	}
	s.sql, err = pgxpool.New(ctx, s.server.URL())
	return err
}

func (s *size) close() error {
	if s.sql != nil {
		s.sql.Close()
		s.sql = nil
	}
	if s.server == nil {
		return nil
	}
	defer func() { s.server = nil }()
	return s.server.Stop()
}

// remove removes the database; its result stays.
func (s *size) remove(ctx context.Context) error {
	return errors.Join(postgres.Remove(ctx, s.dir, s.Log), os.RemoveAll(s.dir))
}

func (s *size) exec(ctx context.Context, statements ...string) error {
	for _, sql := range statements {
		if _, err := s.sql.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%.60s: %w", sql, err)
		}
	}
	return nil
}

// database opens the database as the roles do, with one connection, at the engine time that
// the figures are of, or later.
func (s *size) database(ctx context.Context, later time.Duration) (*app.Database, error) {
	if err := s.setClock(ctx, later); err != nil {
		return nil, err
	}
	return s.process.OpenDatabase(ctx, s.cfg)
}

func (s *size) setClock(ctx context.Context, later time.Duration) error {
	return enginetime.Begin(ctx, s.server.URL(), "gorgone-lab scale", 1, func(time.Time) time.Time { return s.now.Add(later) })
}
