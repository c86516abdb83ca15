package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newHealth(a *app) *cobra.Command {
	var address string
	var alive bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the role on this machine whether it is ready",
		Long: `Ask the role that runs on this machine, or in this container, whether it is
ready to work, at the address of GORGONE_METRICS_ADDR, or else the gorgone up of
the data folder. It is for health checks where there is no curl. Exits with 1 when
it is not ready, or does not answer.`,
		Example: `  gorgone health
  gorgone health --alive
  gorgone health --address 127.0.0.1:8080   # gorgone web's own port answers too`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			at := cmp.Or(address, a.cfg.Monitor.Listen)
			if at == "" {
				r, err := readRunning(a.dataDir)
				if errors.Is(err, errNotRunning) {
					return usageError("nothing says where to ask: %w; set GORGONE_METRICS_ADDR, or give --address or --data-dir", err)
				}
				if err != nil {
					return err
				}
				at = strings.TrimPrefix(r.WebURL, "http://")
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			path := "/readyz"
			if alive {
				path = "/healthz"
			}
			if err := askHealth(ctx, at, path); err != nil {
				return err
			}
			a.printf("ok\n")
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "address", "", "host and port to ask (default: GORGONE_METRICS_ADDR, or a running gorgone up)")
	cmd.Flags().BoolVar(&alive, "alive", false, "ask only whether the process is alive, not whether it can work")
	cmd.Flags().DurationVar(&wait, "timeout", 5*time.Second, "how long to wait for the answer")
	return cmd
}

// askHealth returns nil when the role at an address answers that all is well.
func askHealth(ctx context.Context, address, path string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return usageError("the address to ask: %w", err)
	}
	// An address to listen on everywhere is no address to call.
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return usageError("the address to ask: %w", err)
	}
	req.Close = true // one question, no connection left behind
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return nil
	}
	var answer readiness
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("ask for health: status %d, is that a gorgone?", res.StatusCode)
	}
	names := answer.failed()
	slices.Sort(names)
	return fmt.Errorf("not ready: %s", strings.Join(names, ", "))
}
