// Package postgres runs a private Postgres server as a child process.
package postgres

import (
	"context"
	"errors"

	"github.com/rs/zerolog"
)

// Options says how to run a server.
type Options struct {
	DataDir string         // where everything is kept; made when missing
	Log     zerolog.Logger // what is started and stopped, and why

	// Unsafe turns off everything that makes commits survive a crash of the
	// machine. For tests.
	Unsafe bool
}

// Server is a running Postgres server.
type Server struct {
	url string
}

// Start starts a server, making its data folder first when there is none.
func Start(ctx context.Context, options Options) (*Server, error) {
	return nil, errors.ErrUnsupported
}

// URL returns the connection URL of the server's database, with its password.
func (s *Server) URL() string { return s.url }

// Stop shuts the server down and waits until it is gone.
func (s *Server) Stop() error { return errors.ErrUnsupported }
