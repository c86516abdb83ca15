package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gorgone/internal/devstack/runfile"
	"gorgone/internal/failure"
	"gorgone/internal/mcpserver"
)

func newMCP(sh *shell) *cobra.Command {
	var url, tokenFile, listen string
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Serve tools for assistants (Model Context Protocol)",
		Long: `Let an assistant ask what moves: history, top, statistics, cost, alerts, refresh.
Every call goes to the HTTP API of gorgone web, with its tokens, zones, limits and
budgets. docs/mcp.md says how to set an assistant up.

Without --listen one assistant is served, which starts this command and talks to it
by standard input and output, with the token of --token-file. With --listen any
number are served over HTTP, each with a token of its own.`,
		Example: `  gorgone mcp
  gorgone mcp --url https://gorgone.example.com --token-file ~/.gorgone-token
  gorgone mcp --url http://web:8080 --listen 0.0.0.0:8090`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if listen != "" && tokenFile != "" {
				return failure.Usagef("--token-file is for standard input and output: with --listen each assistant sends a token of its own")
			}
			if url == "" {
				running, err := runfile.Read(sh.dataDir)
				if err != nil {
					return fmt.Errorf("no --url, and %w", err)
				}
				url = running.WebURL
				if tokenFile == "" {
					tokenFile = sh.dataDir + "/" + runfile.TokenName
				}
			}
			server, err := mcpserver.New(url, sh.version, sh.log)
			if err != nil {
				return failure.Usagef("--url: %w", err)
			}
			if listen != "" {
				return sh.serveMCP(cmd.Context(), server, listen)
			}
			if tokenFile == "" {
				return failure.Usagef("--token-file is missing: gorgone token new makes a token")
			}
			token, err := os.ReadFile(tokenFile)
			if err != nil {
				return failure.Usagef("read the token: %w", err)
			}
			return server.ServeStdio(cmd.Context(), strings.TrimSpace(string(token)), io.NopCloser(sh.in), unclosed{sh.out})
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "address of gorgone web (default: that of a running gorgone up)")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "file with a token of the HTTP API (default: that of a running gorgone up)")
	cmd.Flags().StringVar(&listen, "listen", "", "serve over HTTP on this address, such as 127.0.0.1:8090")
	return cmd
}

// serveMCP serves assistants over HTTP until ctx ends.
func (sh *shell) serveMCP(ctx context.Context, server *mcpserver.Server, address string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return failure.Usagef("serve assistants: %w", err)
	}
	sh.log.Info().Str("mcp", "http://"+l.Addr().String()).Msg("serving assistants")
	return server.Serve(ctx, l)
}

// unclosed keeps a writer open that its user closes.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }
