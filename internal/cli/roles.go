package cli

import (
	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/failure"
)

func newDispatcher(sh *shell) *cobra.Command {
	var once bool
	var limit int
	cmd := &cobra.Command{
		Use:   "dispatcher",
		Short: "Run a dispatcher: claim due tweets and publish them to the workers",
		Long: `Run a dispatcher: claim due tweets in Postgres and publish them to NATS in batches,
every GORGONE_DISPATCH_EVERY. Any number of dispatchers may run; one claims at a
time.

A dispatcher claims no more than the workers finish in a third of a lease, and
nothing while calls are paused or the queue is unavailable: the backlog stays in
Postgres.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return failure.Usagef("--limit %d: want 0 or more", limit)
			}
			if !once {
				return sh.runRole(cmd.Context(), app.Dispatcher)
			}
			sh.cfg.Monitor.Listen = "" // it may be that of the dispatcher that runs
			a, err := sh.openApp(cmd.Context())
			if err != nil {
				return err
			}
			defer a.Close()
			r, err := a.DispatchOnce(cmd.Context(), limit)
			if err != nil {
				return err
			}
			sh.printf("dispatched %d tweets (%d rows) in %d batches\n", r.Tweets, r.Rows, r.Batches)
			if r.Closed != "" {
				sh.printf("nothing more was claimed: %s\n", r.Closed)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "dispatch once and exit")
	cmd.Flags().IntVar(&limit, "limit", 0, "with --once: maximum number of tweets (0: what the workers can take)")
	return cmd
}

func newWorker(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "Run a worker: look up dispatched tweets, refreshes first",
		Long: `Run a worker: consume batches and refreshes from NATS, look the tweets up and write
the results to Postgres. Run as many as you like, on as many machines: they share
the rate of the API key, and a rate limit hit by one pauses all.

On SIGTERM or Ctrl-C a worker stops consuming, finishes the calls in flight within
GORGONE_GRACE and releases the rest. A second signal ends it at once; nothing is
lost then either, only delayed.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.runRole(cmd.Context(), app.Worker)
		},
	}
}

func newWeb(sh *shell) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Run the web server: dashboard and HTTP API",
		Long: `Run the web server: the dashboard at / and the HTTP API, which docs/http-api.md
describes. Run as many as you like behind a load balancer.

No one may call unless configured: services by GORGONE_WEB_TOKENS (gorgone token
new creates one), QStash by its signing keys, users by SUPABASE_URL. /healthz says
whether the process is alive, /readyz whether it is ready.`,
		Example: `  gorgone web
  gorgone web --listen 0.0.0.0:8080`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if listen != "" {
				sh.cfg.Web.Listen = listen
			}
			return sh.runRole(cmd.Context(), app.Web)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "address to serve on (default: GORGONE_WEB_LISTEN)")
	return cmd
}
