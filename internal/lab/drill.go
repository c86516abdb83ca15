package lab

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/failure"
	"gorgone/internal/lab/drill"
	"gorgone/twitter"
)

func newDrill(sh *shell) *cobra.Command {
	var o drill.Options
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Kill, freeze and cut off everything at random, and check that nothing is lost",
		Long: `Run the engine in processes of its own (dispatchers, workers, web, NATS, Postgres
and a fake provider), and inject faults: processes are killed
and frozen, connections cut, stalled and slowed, and the provider limits, fails,
hangs, truncates, drops tweets, zeroes counters, deletes tweets and runs out of
credit. What happens when is drawn from the seed. When the faults are over and
the system has settled, the database, the streams and the provider's log are
checked against each other; docs/reliability.md says what for, and how.

It needs nothing and touches nothing but the folder it makes (--dir), which it
deletes when all is well. It exits with 1 when a check fails.`,
		Example: `  gorgone-lab drill --seed 1
  gorgone-lab drill --seed 7 --tweets 50000 --duration 10m --settle 4m --nodes 3
  gorgone-lab drill --seed 3 --nodes 3 --standby --faults kill,promote
  gorgone-lab drill --seed 5 --provider x`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Program, err = sh.findProgram(); err != nil {
				return err
			}
			o.Settle = cmp.Or(o.Settle, max(o.Duration/2, time.Minute))
			o.Out, o.Log = sh.out, sh.log
			err = drill.Run(cmd.Context(), o)
			if errors.Is(err, drill.ErrUsage) {
				return failure.Usagef("%w", err)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Provider, "provider", twitter.TwitterAPIName, "provider whose routes and bills the fake one has ("+strings.Join(twitter.Providers(), ", ")+")")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of what goes wrong, and when")
	f.IntVar(&o.Tweets, "tweets", 3000, "number of tweets")
	f.DurationVar(&o.Duration, "duration", 30*time.Second, "how long things go wrong")
	f.DurationVar(&o.Settle, "settle", 0, "maximum time to recover after that (default: half the duration, a minute at least)")
	f.IntVar(&o.Workers, "workers", 3, "worker processes")
	f.IntVar(&o.Dispatchers, "dispatchers", 2, "dispatcher processes")
	f.IntVar(&o.Nodes, "nodes", 1, "NATS nodes: 1, or a cluster of 3")
	f.BoolVar(&o.Standby, "standby", false, "give Postgres a synchronous standby, which is promoted when the primary is lost")
	f.BoolVar(&o.Hosts, "hosts", false, "give each process a host with an address of its own, in a network namespace (needs Linux and root)")
	f.DurationVar(&o.Latency, "latency", 2*time.Millisecond, "with --hosts, how long a packet takes from one to another")
	f.Float64Var(&o.Loss, "loss", 0.002, "with --hosts, the share of the packets that are lost")
	f.Float64Var(&o.Rate, "rate", 20, "calls a second that the key allows")
	f.DurationVar(&o.Every, "every", 15*time.Second, "real time between two look-ups of a tweet")
	f.DurationVar(&o.Refreshes, "refreshes", 300*time.Millisecond, "real time between two refreshes")
	f.StringSliceVar(&o.Faults, "faults", nil, "faults that happen (kill,freeze,outage,…; default: all; a name that is none lists them)")
	f.StringSliceVar(&o.Without, "without", nil, "faults to leave out, to narrow down what went wrong (kill, freeze, zeroed_counts, …; a name that is none lists them)")
	f.StringVar(&o.Dir, "dir", "", "folder for everything (default: a new one among the temporary files)")
	f.BoolVar(&o.Keep, "keep", false, "keep the folder when all is well, too")
	sh.programFlag(cmd)
	return cmd
}
