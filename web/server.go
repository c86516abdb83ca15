package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/store/report"
	"gorgone/web/answers"
	"gorgone/web/dashboard"
)

const (
	pruneEvery = 10 * time.Minute
	// keepRequests is how long, in real time, refresh requests and responses to triggers
	// are kept: longer than the window of any allowance, and than QStash retries.
	keepRequests = 48 * time.Hour
)

// Server serves the HTTP API and the dashboard. Any number may run at once, in one
// process or many.
type Server struct {
	config   Config
	parts    Parts
	log      zerolog.Logger
	mux      *http.ServeMux
	live     *hub
	draining atomic.Bool
	checked  checkResults
	reads    quotas

	dashboard *dashboard.Handler
	overviews *coalescer[overview]
	costs     *coalescer[answers.Costs]
	lists     *coalescer[report.List]
}

// New returns a server, or an error with all faults of the configuration.
func New(config Config, parts Parts) (*Server, error) {
	if err := errors.Join(config.validate(), parts.validate()); err != nil {
		return nil, fmt.Errorf("web configuration: %w", err)
	}
	return newServer(config, parts)
}

func newServer(config Config, parts Parts) (*Server, error) {
	config = config.withDefaults()
	boot, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id for this start: %w", err)
	}
	s := &Server{
		config: config, parts: parts, log: parts.Log, live: newHub(boot.String(), config.MaxReaders),
		overviews: newCoalescer[overview](), costs: newCoalescer[answers.Costs](), lists: newCoalescer[report.List](),
	}
	s.dashboard, err = dashboard.NewHandler(dashboard.Settings{
		Version: config.Version, Local: parts.Local != nil, SupabaseURL: config.SupabaseURL, SupabaseKey: config.SupabaseKey,
	})
	if err != nil {
		return nil, err
	}
	if s.mux, err = s.newMux(routes()); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler serves requests without the time-outs that [Server.Serve] sets.
func (s *Server) Handler() http.Handler { return s.middleware(s.mux) }

// Serve serves requests from listener until ctx ends. Then /readyz fails, no more
// connections are accepted, and requests in progress have the grace period to finish.
// Serve closes the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	// Requests continue while the server stops; event streams end.
	base := context.WithoutCancel(ctx)
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          newErrorLog(s.log),
	}
	var beside conc.WaitGroup
	defer beside.Wait()
	working, stop := context.WithCancel(base)
	defer stop()
	beside.Go(func() { s.follow(working) })
	beside.Go(func() { s.prune(working) })

	done := make(chan error, 1)
	beside.Go(func() { done <- server.Serve(listener) })
	select {
	case err := <-done:
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.live.close()
	stopping, cancel := context.WithTimeout(base, s.config.Grace)
	defer cancel()
	err := server.Shutdown(stopping)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn().Msg("requests aborted at the end of the grace period")
		err = server.Close()
	}
	if e := <-done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("stop serving http: %w", err)
	}
	return nil
}

// prune deletes old requests until ctx ends.
func (s *Server) prune(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		before := s.parts.Clock.Now().Add(-s.parts.Clock.Engine(keepRequests))
		if _, err := s.parts.Pruner.PruneRequests(ctx, before); err != nil && ctx.Err() == nil {
			s.log.Error().Err(err).Msg("pruning refresh requests failed")
		}
	}
}
