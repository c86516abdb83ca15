package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/web/auth"
)

const (
	headerTimeout = 5 * time.Second
	readTimeout   = 20 * time.Second
	stopTimeout   = 8 * time.Second
	maxHeader     = 32 << 10 // bytes; an access token has up to 16 KiB
	maxBody       = 64 << 10 // bytes of a message, or of a batch of them
)

// Server serves the tools. It holds no credentials of its own.
type Server struct {
	base    *url.URL
	version string
	client  *http.Client
	log     zerolog.Logger
}

// New returns a server whose tools call the HTTP API at an address: https, or http in a
// private network.
func New(address, version string, log zerolog.Logger) (*Server, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the address of gorgone web is not of the form https://host")
	}
	return &Server{base: base, version: version, client: newClient(), log: log}, nil
}

// ServeStdio serves one assistant, the program that started this one, by lines of JSON
// until in ends or ctx does. Its calls are made with token.
func (s *Server) ServeStdio(ctx context.Context, token string, in io.ReadCloser, out io.WriteCloser) error {
	server := newServer(s.caller(token), s.version)
	err := server.Run(ctx, &mcp.IOTransport{Reader: in, Writer: out})
	if err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("serve an assistant: %w", err)
	}
	return nil
}

// Handler serves assistants over streamable HTTP. Each request has a bearer token of the
// API, which is checked there before anything else and makes the calls; there are no
// sessions. Requests from pages of other sites are refused.
func (s *Server) Handler() http.Handler {
	tools := mcp.NewStreamableHTTPHandler(func(r *http.Request) *mcp.Server {
		token, err := auth.Bearer(r.Header)
		if err != nil {
			return nil // not after check
		}
		return newServer(s.caller(token), s.version)
	}, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, PropagateRequestCancellation: true, MaxRequestBodyBytes: maxBody})
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.check(r); err != nil {
			s.refuse(w, err)
			return
		}
		tools.ServeHTTP(w, r)
	}))
}

// Serve serves assistants over HTTP from a listener, which it closes, until ctx ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: 2 * apiTimeout, IdleTimeout: apiTimeout, MaxHeaderBytes: maxHeader,
	}
	var serving conc.WaitGroup
	done := make(chan error, 1)
	serving.Go(func() { done <- server.Serve(listener) })
	defer serving.Wait()
	select {
	case err := <-done:
		return fmt.Errorf("serve assistants: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := server.Shutdown(stopping)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-done //nolint:errcheck // http.ErrServerClosed, after Shutdown
	if err != nil {
		return fmt.Errorf("stop serving assistants: %w", err)
	}
	return nil
}

func (s *Server) caller(token string) *api {
	return &api{base: s.base, token: token, client: s.client}
}

// check asks the API whether it knows the caller of a request.
func (s *Server) check(r *http.Request) error {
	token, err := auth.Bearer(r.Header)
	if err != nil {
		return &refusedError{
			Status: http.StatusUnauthorized, Code: string(auth.ReasonNone), challenge: "Bearer",
			Text: "send a token of the API as Authorization: Bearer TOKEN",
		}
	}
	_, err = s.caller(token).get(r.Context(), "/api/session", nil)
	return err
}

// refuse answers a caller that the API refuses as the API does.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	refused := &refusedError{Status: http.StatusBadGateway, Code: "unreachable", Text: "the API cannot be reached"}
	if !errors.As(err, &refused) {
		s.log.Warn().Err(err).Msg("the API cannot be reached")
	}
	h := w.Header()
	for name, value := range map[string]string{"Retry-After": refused.retryAfter, "WWW-Authenticate": refused.challenge} {
		if value != "" {
			h.Set(name, value)
		}
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(refused.Status)
	_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "error": refused.Text, "code": refused.Code, "request_id": refused.RequestID})
}
