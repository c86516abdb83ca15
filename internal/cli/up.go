package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/devstack"
	"gorgone/internal/failure"
)

func newUp(sh *shell) *cobra.Command {
	o := devstack.Options{Version: sh.version, Out: sh.errOut}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run everything on this machine",
		Long: `Run NATS, Postgres, a dispatcher, a worker and the web server in one process, with
all data in one folder. Ctrl-C stops it; started again it continues where it was.

Without TWITTER_API_KEY it is a demonstration: tweets are made up, and a fake
provider answers for them over HTTP. --replay makes them from a file of real
retweet cascades; --speed makes their time run faster, so that a tweet's twelve
hours pass in minutes. With a key, the real provider is called, and you start by
tracking tweets (gorgone track --new-zone NAME ID).

With DATABASE_URL or NATS_URL set, it uses those instead of its own.`,
		Example: `  gorgone up
  gorgone up --speed 60
  gorgone up --speed 600 --replay cascades.tsv.gz --reset`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Speed < 0.1 || o.Speed > 3600 {
				return failure.Usagef("--speed %g: want 0.1 to 3600", o.Speed)
			}
			if o.Demo.Tweets < 1 || o.Demo.Tweets > 1_000_000 || o.Demo.Spread < 0 {
				return failure.Usagef("--tweets %d --spread %s: want 1 to 1,000,000 tweets over no negative time", o.Demo.Tweets, o.Demo.Spread)
			}
			if o.Demo.Replay != "" {
				if _, err := os.Stat(o.Demo.Replay); err != nil {
					return failure.Usagef("--replay: %w", err)
				}
			}
			for _, name := range []string{"tweets", "seed", "spread", "replay"} {
				o.Shaped = o.Shaped || cmd.Flags().Changed(name)
			}
			o.DataDir, o.Log, o.Terminal = sh.dataDir, sh.log, app.IsTerminal(sh.errOut)
			return sh.up(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.Float64Var(&o.Speed, "speed", 1, "how many times faster than real time the demonstration runs (0.1 to 3600)")
	f.StringVar(&o.Demo.Replay, "replay", "", "file of real retweet cascades to replay (default: synthetic tweets)")
	f.IntVar(&o.Demo.Tweets, "tweets", 300, "number of tweets of the demonstration")
	f.DurationVar(&o.Demo.Spread, "spread", 6*time.Hour, "time over which they are posted")
	f.Uint64Var(&o.Demo.Seed, "seed", 1, "seed of the random numbers")
	f.StringVar(&o.Listen, "listen", "", "address to serve HTTP on; must be free (default: GORGONE_WEB_LISTEN, or another port when that is taken)")
	f.BoolVar(&o.Reset, "reset", false, "delete gorgone's data in the data folder first")
	return cmd
}

// up runs everything until ctx ends, which is no error, or something fails.
func (sh *shell) up(ctx context.Context, o devstack.Options) error {
	stack, err := devstack.Start(ctx, sh.cfg, o)
	if err == nil {
		defer stack.Close()
		err = stack.Run(ctx)
	}
	if ctx.Err() != nil {
		sh.log.Debug().Err(err).Msg("stopped when asked to")
		return nil
	}
	return err
}
