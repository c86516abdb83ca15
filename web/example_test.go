package web_test

import (
	"context"
	"net"
	"time"

	"github.com/rs/zerolog"

	"gorgone/web"
	"gorgone/web/auth"
)

// Serve the API and the dashboard until ctx ends.
func ExampleServer_Serve() {
	serve := func(ctx context.Context, parts web.Parts, tokens *auth.Tokens) error {
		parts.Guard = auth.NewGuard(auth.GuardConfig{Tokens: tokens, Log: zerolog.Nop()})
		server, err := web.New(web.Config{Grace: 10 * time.Second}, parts)
		if err != nil {
			return err
		}
		var lc net.ListenConfig
		listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:8080")
		if err != nil {
			return err
		}
		return server.Serve(ctx, listener)
	}
	_ = serve // the parts are a database, a queue and what is built on them: see internal/app
}
