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

	"gorgone/store"
	"gorgone/web/dashboard"
)

const (
	pruneEvery = 10 * time.Minute
	// keepRequests is how long, in real time, refresh requests and answers to
	// triggers are kept: longer than any allowance looks back, and than QStash
	// delivers a message again.
	keepRequests = 48 * time.Hour
)

// Server answers HTTP requests. Any number may run at once, in one process or
// many.
type Server struct {
	config   Config
	parts    Parts
	log      zerolog.Logger
	mux      *http.ServeMux
	live     *hub
	draining atomic.Bool
	checked  checkup

	dashboard *dashboard.Handler
	overviews *coalescer[overview]
	costs     *coalescer[costs]
	lists     *coalescer[store.List]
}

// New returns a server, or all faults of its configuration.
func New(config Config, parts Parts) (*Server, error) {
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("web configuration: %w", err)
	}
	config = config.withDefaults()
	boot, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id for this start: %w", err)
	}
	s := &Server{
		config: config, parts: parts, log: parts.Log, live: newHub(boot.String(), config.MaxReaders),
		overviews: newCoalescer[overview](), costs: newCoalescer[costs](), lists: newCoalescer[store.List](),
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

// Handler answers requests without the time-outs that only [Server.Serve] can set.
func (s *Server) Handler() http.Handler { return s.shell(s.mux) }

// Serve answers requests from listener until ctx ends. Then it says so at
// /readyz, takes no more connections, and gives requests under way the grace
// period. It closes the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	// Requests live on while the server stops, live events do not.
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
		s.log.Warn().Msg("requests were cut off")
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

// prune forgets old requests until ctx ends.
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
			s.log.Error().Err(err).Msg("prune refresh requests")
		}
	}
}
